//! Conversations and their messages.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::events::{FinishReason, ModelSwitched};
use crate::files::{AttachedFile, MAX_ATTACHMENTS};
use crate::runs::{RunError, RunStatus};
use crate::tools::ToolCall;
use crate::{
    AgentId, ConversationId, Cursor, Error, FieldErrors, FileId, MessageId, Page, Paged, RunId,
    Timestamp,
};

/// Longest text of one message, in characters.
pub const MAX_MESSAGE_CHARS: usize = 100_000;

/// Longest text that is searched for, in characters.
const MAX_QUERY_CHARS: usize = 200;

/// Messages that the conversation page shows at once.
pub const THREAD_MESSAGES: u8 = 30;

/// A conversation with one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// The id.
    pub id: ConversationId,
    /// The agent that answers.
    pub agent_id: AgentId,
    /// The agent's current name.
    pub agent_name: String,
    /// Given, or taken from the first message; empty before that.
    pub title: String,
    /// Whether it stands above the others in lists.
    pub is_pinned: bool,
    /// Whether it tries out the agent's draft, as long as there is one.
    #[serde(default)]
    pub uses_draft: bool,
    /// Last run of the branch that is shown; `None` before the first message.
    pub head_run_id: Option<RunId>,
    /// Status of the latest run; `None` before the first message.
    pub run_status: Option<RunStatus>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Last message or change of title.
    pub updated_at: Timestamp,
    /// Where a search found its words; `None` in other answers, and if only the title has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hit: Option<SearchHit>,
}

/// The newest message that has the words of a search, with what stands around the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchHit {
    /// The message.
    pub message_id: MessageId,
    /// The text before, at most some 40 characters.
    pub before: String,
    /// What was found.
    pub found: String,
    /// The text after, at most some 120 characters.
    pub after: String,
}

/// Input for a new conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateConversation {
    /// The agent that shall answer.
    pub agent_id: AgentId,
    /// At most 200 characters.
    #[serde(default)]
    pub title: Option<String>,
    /// Whether to try out the agent's draft, always the newest, or the live version if there is
    /// none; only for those who may change agents.
    #[serde(default)]
    pub uses_draft: bool,
}

/// Changes to a conversation; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateConversation {
    /// New title, at most 200 characters.
    #[serde(default)]
    pub title: Option<String>,
    /// Whether it shall stand above the others in lists.
    #[serde(default)]
    pub is_pinned: Option<bool>,
    /// A run whose branch shall be shown, to its newest end.
    #[serde(default)]
    pub head_run_id: Option<RunId>,
}

/// Which conversations to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConversationFilter {
    /// Words, or beginnings of words, that must all be in the title or in one message. At most
    /// 200 characters.
    #[serde(default)]
    pub query: Option<String>,
}

/// What a conversation is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// For people.
    Markdown,
    /// For programs: the conversation with the messages of all branches.
    Json,
}

/// An exported conversation, whole: for people the branch that is shown, for programs all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// A name for the file, plain ASCII.
    pub file_name: String,
    /// What it is.
    pub content_type: &'static str,
    /// The file.
    pub content: String,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    /// A person.
    User,
    /// The agent.
    Assistant,
}

/// One message, as far as it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// The id.
    pub id: MessageId,
    /// Who wrote it.
    pub role: MessageRole,
    /// The text; of an answer in progress, what is logged so far.
    pub text: String,
    /// What the model thought before it answered, if it says so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// How long that took, in milliseconds; `None` if it thought nothing aloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thought_ms: Option<u64>,
    /// Tools that it asked for, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Ids of its files.
    #[serde(default)]
    pub attachments: Vec<FileId>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<AttachedFile>,
    /// The fallback that wrote it in place of the agent's own model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched: Option<ModelSwitched>,
    /// The run it started (user) or came from (assistant).
    pub run_id: RunId,
    /// How an answer ended; `None` while it is in progress and for user messages.
    pub finish_reason: Option<FinishReason>,
    /// Why the answer failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// When it was written or begun.
    pub created_at: Timestamp,
}

/// Input for a new message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PostMessage {
    /// 1 to 100,000 characters.
    pub text: String,
    /// Ids of files that go with it, each once, at most 10.
    #[serde(default)]
    pub attachments: Vec<String>,
    /// A person's message that this one replaces on a branch of its own.
    #[serde(default)]
    pub replaces: Option<MessageId>,
    /// Last run of the branch that its author sees, as the conversation's `head_run_id` was: the
    /// message goes to the end of that branch, whichever is shown by now. Without it the message
    /// goes to the one that is shown.
    #[serde(default)]
    pub head_run_id: Option<RunId>,
}

/// A message was accepted; its run is under way or queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PostedMessage {
    /// The new message.
    pub message_id: MessageId,
    /// The run that answers it.
    pub run_id: RunId,
}

/// Everything the conversation page shows, read in one snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Thread {
    /// The conversation.
    pub conversation: Conversation,
    /// Whether the agent was deleted, so that nothing more can be asked.
    pub is_archived: bool,
    /// Messages of the branch that is shown, oldest first, at most [`THREAD_MESSAGES`].
    pub messages: Vec<ThreadMessage>,
    /// Where older messages than these are.
    pub older: Option<Cursor>,
    /// The oldest run that is queued, running or waiting.
    pub active_run: Option<RunId>,
    /// Where it stands.
    #[serde(default)]
    pub active_status: Option<RunStatus>,
    /// Number of the last event contained in this snapshot; streams go on after it.
    pub last_seq: u64,
}

/// A message as the conversation page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ThreadMessage {
    /// The message.
    pub message: Message,
    /// An answer as sanitised HTML, by blocks; empty for a person's message.
    pub html: String,
    /// Others in its place, if there are any.
    pub variants: Option<Variants>,
}

/// Which of several messages in one place is shown, and the way to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Variants {
    /// Which one this is, from 1.
    pub number: u32,
    /// How many there are.
    pub count: u32,
    /// A run on the branch of the one before.
    pub previous: Option<RunId>,
    /// A run on the branch of the one after.
    pub next: Option<RunId>,
}

/// Conversations of the workspace.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Lists conversations: pinned ones first, then those last touched.
    ///
    /// # Errors
    /// `Invalid` for a query that is too long.
    async fn list_conversations(
        &self,
        filter: ConversationFilter,
        page: Page,
    ) -> Result<Paged<Conversation>, Error>;

    /// One conversation.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get_conversation(&self, id: ConversationId) -> Result<Conversation, Error>;

    /// Begins a conversation.
    ///
    /// # Errors
    /// `Invalid` for an unknown agent or a wrong title; `Conflict` for a deleted agent; `Forbidden`
    /// for a draft that the actor may not change.
    async fn create_conversation(&self, input: CreateConversation) -> Result<Conversation, Error>;

    /// Changes the title, pins it, or shows another branch.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`, also for a run of another conversation.
    async fn update_conversation(
        &self,
        id: ConversationId,
        input: UpdateConversation,
    ) -> Result<Conversation, Error>;

    /// Deletes a conversation with its messages, runs and log. A running answer is stopped.
    ///
    /// # Errors
    /// `NotFound`.
    async fn delete_conversation(&self, id: ConversationId) -> Result<(), Error>;

    /// Lists the messages of the branch that is shown, newest first.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_messages(&self, id: ConversationId, page: Page) -> Result<Paged<Message>, Error>;

    /// The conversation as its page shows it: the latest messages, or those `before` a cursor.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for an unknown cursor.
    async fn open_thread(
        &self,
        id: ConversationId,
        before: Option<Cursor>,
    ) -> Result<Thread, Error>;

    /// The conversation as a file: for people the branch that is shown, for programs all.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it is too long.
    async fn export_conversation(
        &self,
        id: ConversationId,
        format: ExportFormat,
    ) -> Result<Export, Error>;

    /// Writes a message and starts the run that answers it, or queues it behind the active run.
    /// The same `idempotency_key` again gives the first answer and starts nothing.
    ///
    /// With `replaces` it begins a branch beside that message, whatever `head_run_id` says.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`, also for a run of another conversation; `Conflict` if the agent is
    /// deleted, or if a message shall be replaced while a run is under way.
    async fn post_message(
        &self,
        id: ConversationId,
        input: PostMessage,
        idempotency_key: Option<String>,
    ) -> Result<PostedMessage, Error>;

    /// Asks again what a message was asked, or what it asks, on a branch beside it. The same
    /// `idempotency_key` again gives the first answer and starts nothing.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the agent is deleted or a run is under way.
    async fn regenerate(
        &self,
        id: ConversationId,
        message_id: MessageId,
        idempotency_key: Option<String>,
    ) -> Result<PostedMessage, Error>;
}

impl PostMessage {
    /// Checks the text.
    ///
    /// # Errors
    /// `Invalid` if it is blank, too long or has a NUL character.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        if self.text.trim().is_empty() {
            errors.push("text", "is required");
        } else {
            errors.text("text", &self.text, MAX_MESSAGE_CHARS);
        }
        if self.attachments.len() > MAX_ATTACHMENTS {
            let text = format!("must be at most {MAX_ATTACHMENTS} files");
            errors.push("attachments", text);
        }
        let mut seen = std::collections::HashSet::new();
        if !self.attachments.iter().all(|id| seen.insert(id)) {
            errors.push("attachments", "must name each file once");
        }
        errors.finish()
    }
}

impl ConversationFilter {
    /// Leaves out a query of nothing but blanks, and checks the rest.
    ///
    /// # Errors
    /// `Invalid` if it is too long.
    pub fn checked(self) -> Result<Self, Error> {
        let query = self.query.filter(|query| !query.trim().is_empty());
        let mut errors = FieldErrors::default();
        if query
            .as_ref()
            .is_some_and(|query| query.chars().count() > MAX_QUERY_CHARS)
        {
            errors.push("query", "has at most 200 characters");
        }
        errors.finish()?;
        Ok(Self { query })
    }
}

/// Checks a title given by a person.
///
/// # Errors
/// `Invalid` if it is too long or no single line.
pub fn check_title(title: Option<&str>) -> Result<(), Error> {
    let mut errors = FieldErrors::default();
    if let Some(title) = title {
        errors.line("title", title, 200);
    }
    errors.finish()
}
