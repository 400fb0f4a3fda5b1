//! Server functions of the conversations pages.

use domain::conversations::{Conversation, PostedMessage, Thread};
use domain::{AgentId, ConversationId, Error, FileId, MessageId, Paged, RunId};
#[cfg(feature = "ssr")]
use domain::{
    Cursor, Page,
    conversations::{
        ConversationFilter, CreateConversation, PostMessage as NewMessage, UpdateConversation,
    },
    files::ConversationFile,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pages::settings::Entry;
use crate::time::AsOf;
#[cfg(feature = "ssr")]
use crate::{
    pages::conversations::{files::size, list::shown_title},
    time::age,
};

/// A thread and what its form needs to post once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadPage {
    /// The thread.
    pub thread: Thread,
    /// Differs from page to page, and is the same on server and browser.
    pub message_key: String,
}

/// The files of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConversationFiles {
    /// Address of the conversation.
    pub back: String,
    /// Its title.
    pub title: String,
    /// The files, those that the agent keeps first; ids are those of the files.
    pub files: Vec<Entry>,
}

/// The files of a conversation.
#[server]
pub async fn list_conversation_files(id: ConversationId) -> Result<ConversationFiles, Error> {
    let platform = crate::context::platform()?;
    let conversation = platform.get_conversation(id).await?;
    let now = crate::context::now();
    let files = platform.list_conversation_files(id).await?;
    let entry = |file: ConversationFile| Entry {
        id: file.file_id.to_string(),
        title: file.path,
        detail: format!(
            "{} · {} · {}",
            file.media_type,
            size(file.size_bytes),
            age(file.updated_at, now)
        ),
        tags: match file.is_attached {
            true => vec!["Attached".to_owned()],
            false => Vec::new(),
        },
        ..Entry::default()
    };
    Ok(ConversationFiles {
        back: format!("/conversations/{id}"),
        title: shown_title(&conversation.title),
        files: files.into_iter().map(entry).collect(),
    })
}

/// A page of the conversations that have all words of the query, last touched first.
#[server]
pub async fn list_conversations(
    after: Option<String>,
    query: Option<String>,
) -> Result<AsOf<Paged<Conversation>>, Error> {
    let filter = ConversationFilter { query };
    let value = crate::context::platform()?
        .list_conversations(filter, Page::new(None, after)?)
        .await?;
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}

/// One conversation as its page shows it: its end, or the messages before a cursor.
#[server]
pub async fn open_thread(
    id: ConversationId,
    before: Option<String>,
) -> Result<AsOf<ThreadPage>, Error> {
    let thread = crate::context::platform()?
        .open_thread(id, before.map(Cursor))
        .await?;
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
pub async fn start_conversation(agent_id: AgentId, uses_draft: Option<bool>) -> Result<(), Error> {
    let input = CreateConversation {
        agent_id,
        title: None,
        uses_draft: uses_draft.unwrap_or_default(),
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
    let input = UpdateConversation {
        title: Some(title),
        ..UpdateConversation::default()
    };
    Ok(crate::context::platform()?
        .update_conversation(id, input)
        .await?
        .title)
}

/// Puts a conversation above the others, or back among them.
#[server]
pub async fn pin_conversation(id: ConversationId, is_pinned: bool) -> Result<bool, Error> {
    let input = UpdateConversation {
        is_pinned: Some(is_pinned),
        ..UpdateConversation::default()
    };
    Ok(crate::context::platform()?
        .update_conversation(id, input)
        .await?
        .is_pinned)
}

/// Shows the branch that a run is on.
#[server]
pub async fn show_branch(id: ConversationId, run_id: RunId) -> Result<(), Error> {
    let input = UpdateConversation {
        head_run_id: Some(run_id),
        ..UpdateConversation::default()
    };
    crate::context::platform()?
        .update_conversation(id, input)
        .await?;
    Ok(())
}

/// Asks again what a message was asked, or asks.
#[server]
pub async fn regenerate(id: ConversationId, message_id: MessageId) -> Result<PostedMessage, Error> {
    crate::context::platform()?
        .regenerate(id, message_id, None)
        .await
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
    replaces: Option<MessageId>,
    head_run_id: Option<RunId>,
    #[server(default)] attachments: Vec<FileId>,
) -> Result<PostedMessage, Error> {
    let attachments: Vec<String> = attachments.iter().map(FileId::to_string).collect();
    let key = message_key(&key, &format!("{text}{}", attachments.concat()), replaces);
    // Plain forms send line breaks as CRLF.
    let input = NewMessage {
        text: text.replace("\r\n", "\n"),
        attachments,
        replaces,
        head_run_id,
    };
    let posted = crate::context::platform()?
        .post_message(id, input, Some(key))
        .await?;
    // Not back to the form that edited it.
    crate::context::show_after_form(&format!("/conversations/{id}"));
    Ok(posted)
}

/// Under which the server takes a message once. Another text under the same key of a page, as after
/// "back", is another message.
#[cfg(feature = "ssr")]
pub fn message_key(page: &str, text: &str, replaces: Option<MessageId>) -> String {
    // FNV-1a: every process of a server must come to the same result.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let key = format!("{}:{hash:016x}", page.chars().take(64).collect::<String>());
    match replaces {
        Some(replaced) => format!("{key}:{replaced}"),
        None => key,
    }
}

/// The path under which the message form finds its error in the page's address.
#[cfg(feature = "ssr")]
pub fn message_form() -> &'static str {
    use leptos::server_fn::ServerFn;
    PostMessage::PATH
}
