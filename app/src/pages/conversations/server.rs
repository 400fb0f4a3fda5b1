//! Server functions of the conversations pages.

use domain::conversations::{Conversation, PostedMessage, Thread};
use domain::{AgentId, ConversationId, Error, Paged};
#[cfg(feature = "ssr")]
use domain::{
    Page,
    conversations::{CreateConversation, PostMessage as NewMessage, UpdateConversation},
};
use leptos::prelude::*;

use crate::time::AsOf;

/// A page of conversations, last touched first.
#[server]
pub async fn list_conversations(after: Option<String>) -> Result<AsOf<Paged<Conversation>>, Error> {
    let value = crate::context::platform()?
        .list_conversations(Page::new(None, after)?)
        .await?;
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}

/// One conversation as its page shows it.
#[server]
pub async fn open_thread(id: ConversationId) -> Result<AsOf<Thread>, Error> {
    let value = crate::context::platform()?.open_thread(id).await?;
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}

/// Begins a conversation and shows it.
#[server]
pub async fn start_conversation(agent_id: AgentId) -> Result<(), Error> {
    let input = CreateConversation {
        agent_id,
        title: None,
    };
    let conversation = crate::context::platform()?
        .create_conversation(input)
        .await?;
    crate::context::go_to(&format!("/conversations/{}", conversation.id));
    Ok(())
}

/// Changes the title.
#[server]
pub async fn rename_conversation(id: ConversationId, title: String) -> Result<String, Error> {
    let input = UpdateConversation { title: Some(title) };
    Ok(crate::context::platform()?
        .update_conversation(id, input)
        .await?
        .title)
}

/// Deletes a conversation and shows the list.
#[server]
pub async fn delete_conversation(id: ConversationId) -> Result<(), Error> {
    crate::context::platform()?.delete_conversation(id).await?;
    crate::context::go_to("/conversations");
    Ok(())
}

/// Writes a message and starts the run that answers it.
#[server]
pub async fn post_message(id: ConversationId, text: String) -> Result<PostedMessage, Error> {
    // Plain forms send line breaks as CRLF.
    let input = NewMessage {
        text: text.replace("\r\n", "\n"),
    };
    crate::context::platform()?
        .post_message(id, input, None)
        .await
}
