//! Server functions of the conversations pages.

use domain::conversations::{Conversation, PostedMessage, Thread};
use domain::{AgentId, ConversationId, Error, Paged};
#[cfg(feature = "ssr")]
use domain::{
    Page,
    conversations::{CreateConversation, PostMessage as NewMessage, UpdateConversation},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::time::AsOf;

/// A thread and what its form needs to post once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadPage {
    /// The thread.
    pub thread: Thread,
    /// Differs from page to page, and is the same on server and browser.
    pub message_key: String,
}

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
pub async fn open_thread(id: ConversationId) -> Result<AsOf<ThreadPage>, Error> {
    let thread = crate::context::platform()?.open_thread(id).await?;
    let value = ThreadPage {
        thread,
        message_key: crate::context::fresh_key(),
    };
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

/// Writes a message and starts the run that answers it; once, however often the form is sent.
#[server]
pub async fn post_message(
    id: ConversationId,
    text: String,
    key: String,
) -> Result<PostedMessage, Error> {
    let key = once(&key, &text);
    // Plain forms send line breaks as CRLF.
    let input = NewMessage {
        text: text.replace("\r\n", "\n"),
        attachments: Vec::new(),
    };
    crate::context::platform()?
        .post_message(id, input, Some(key))
        .await
}

/// Another text under the same key, as after "back", is another message.
#[cfg(feature = "ssr")]
fn once(key: &str, text: &str) -> String {
    // FNV-1a: every process of a server must come to the same result.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{}:{hash:016x}", key.chars().take(64).collect::<String>())
}
