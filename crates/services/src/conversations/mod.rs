//! Conversations and their messages; posting one is in `posting`.

mod export;
mod markdown_export;
mod thread;

use async_trait::async_trait;
use domain::audit::Deed;
use domain::conversations::{
    Conversation, ConversationFilter, Conversations, CreateConversation, Export, ExportFormat,
    Message, MessageRole, PostMessage, PostedMessage, Thread, UpdateConversation, check_title,
};
use domain::events::{CreatedMessage, EventBody, FinishReason};
use domain::{Action, ConversationId, Cursor, Error, MessageId, Page, Paged, RunId, WorkspaceId};
use store::attachments::Attachment;
use store::conversations::{ConversationChange, ConversationState};
use store::events::NewEvent;
use store::{Store, TenantTx};

use crate::branches::find_branch;
use crate::fault::OrFault;
use crate::posting::Ask;
use crate::{Session, mint};

#[async_trait]
impl Conversations for Session {
    async fn list_conversations(
        &self,
        filter: ConversationFilter,
        page: Page,
    ) -> Result<Paged<Conversation>, Error> {
        let mut tx = self.begin_reading(Action::Read).await?;
        let filter = filter.checked()?;
        tx.list_conversations(&filter, &page).await.or_fault()
    }

    async fn get_conversation(&self, id: ConversationId) -> Result<Conversation, Error> {
        let mut tx = self.begin(Action::Read).await?;
        Ok(get(&mut tx, id).await?.conversation)
    }

    async fn create_conversation(&self, input: CreateConversation) -> Result<Conversation, Error> {
        let mut tx = self
            .change(Action::Converse, Deed::ConversationCreate)
            .await?;
        if input.uses_draft && !self.actor.can(Action::BuildAgents) {
            return self.refuse(Deed::ConversationCreate).await;
        }
        check_title(input.title.as_deref())?;
        let agent = tx.find_agent(input.agent_id).await.or_fault()?;
        let agent = agent.ok_or_else(|| {
            Error::invalid("agent_id", "there is no such agent in this workspace")
        })?;
        if agent.archived_at.is_some() {
            return Err(agent_deleted());
        }
        let now = mint::now();
        let conversation = Conversation {
            id: mint::id(),
            agent_id: agent.id,
            agent_name: agent.config.name,
            title: input.title.unwrap_or_default().trim().to_owned(),
            is_pinned: false,
            uses_draft: input.uses_draft,
            head_run_id: None,
            run_status: None,
            created_at: now,
            updated_at: now,
            hit: None,
        };
        tx.create_conversation(&conversation).await.or_fault()?;
        tx.commit(conversation.id.uuid(), &conversation.title)
            .await?;
        Ok(conversation)
    }

    async fn update_conversation(
        &self,
        id: ConversationId,
        input: UpdateConversation,
    ) -> Result<Conversation, Error> {
        let mut tx = self
            .change(Action::Converse, Deed::ConversationUpdate)
            .await?;
        check_title(input.title.as_deref())?;
        get(&mut tx, id).await?;
        let head = match input.head_run_id {
            Some(run_id) => Some(find_branch(&mut tx, id, run_id).await?),
            None => None,
        };
        let change = ConversationChange {
            title: input.title.as_deref().map(str::trim),
            is_pinned: input.is_pinned,
            head,
        };
        tx.update_conversation(id, change, mint::now())
            .await
            .or_fault()?;
        let conversation = get(&mut tx, id).await?.conversation;
        tx.commit(id.uuid(), &conversation.title).await?;
        if head.is_some() {
            self.services.recents.forget(id);
        }
        Ok(conversation)
    }

    async fn delete_conversation(&self, id: ConversationId) -> Result<(), Error> {
        let mut tx = self
            .change(Action::Converse, Deed::ConversationDelete)
            .await?;
        let conversation = get(&mut tx, id).await?.conversation;
        let used = self.services.worker.used_so_far(&mut tx, id).await?;
        let deleted = tx.delete_conversation(id, used, mint::now());
        if !deleted.await.or_fault()? {
            return Err(Error::NotFound);
        }
        tx.commit(id.uuid(), &conversation.title).await?;
        self.services.worker.abandon_conversation(id);
        self.services.recents.forget(id);
        Ok(())
    }

    async fn list_messages(&self, id: ConversationId, page: Page) -> Result<Paged<Message>, Error> {
        self.actor.require(Action::Read)?;
        let mut tx = self.snapshot().await?;
        let state = get(&mut tx, id).await?;
        let head = state.conversation.head_run_id;
        let page = tx.list_messages(id, head, &page).await.or_fault()?;
        let mut messages: Vec<Message> = page.items.into_iter().map(|it| it.message).collect();
        fill(
            &mut tx,
            (id, state.has_switched),
            messages.iter_mut().collect(),
        )
        .await?;
        Ok(Paged {
            items: messages,
            next: page.next,
        })
    }

    async fn open_thread(
        &self,
        id: ConversationId,
        before: Option<Cursor>,
    ) -> Result<Thread, Error> {
        self.actor.require(Action::Read)?;
        self.read_thread(id, before).await
    }

    async fn export_conversation(
        &self,
        id: ConversationId,
        format: ExportFormat,
    ) -> Result<Export, Error> {
        self.actor.require(Action::Read)?;
        self.export(id, format).await
    }

    async fn post_message(
        &self,
        id: ConversationId,
        input: PostMessage,
        idempotency_key: Option<String>,
    ) -> Result<PostedMessage, Error> {
        self.allow(Action::Converse, Deed::MessageCreate).await?;
        input.validate()?;
        let text = input.text;
        let key = idempotency_key.map(|key| self.own_key_for("message", &key));
        let (key, files) = (key.as_deref(), input.attachments.as_slice());
        let ask = match (input.replaces, input.head_run_id) {
            (Some(message_id), _) => Ask::Instead(message_id, &text),
            (None, Some(seen)) => Ask::Behind(seen, &text),
            (None, None) => Ask::Next(&text),
        };
        if files.is_empty()
            && let Some(posted) = self.post_known(id, ask, key).await?
        {
            return Ok(posted);
        }
        self.post(id, ask, files, key).await
    }

    async fn regenerate(
        &self,
        id: ConversationId,
        message_id: MessageId,
        idempotency_key: Option<String>,
    ) -> Result<PostedMessage, Error> {
        self.allow(Action::Converse, Deed::RunCreate).await?;
        let key = idempotency_key.map(|key| {
            let deed = format!("regeneration/{message_id}");
            self.own_key_for(deed, &key)
        });
        self.post(id, Ask::Again(message_id), &[], key.as_deref())
            .await
    }
}

impl Session {
    async fn snapshot(&self) -> Result<TenantTx, Error> {
        let store = &self.services.store;
        store
            .begin_snapshot(self.actor.workspace_id)
            .await
            .or_fault()
    }
}

/// Ids and texts, as far as they are logged, of a conversation's answers that have not ended.
pub(crate) async fn unfinished_answers(
    store: &Store,
    workspace_id: WorkspaceId,
    id: ConversationId,
) -> Result<Vec<(MessageId, String)>, Error> {
    let mut tx = store.begin(workspace_id).await.or_fault()?;
    let mut answers = Vec::new();
    for (message_id, run_id) in tx.list_unfinished_answers(id).await.or_fault()? {
        let text = logged_text(&mut tx, id, run_id, message_id).await?;
        answers.push((message_id, text));
    }
    Ok(answers)
}

pub(crate) fn new_event(body: EventBody) -> NewEvent {
    NewEvent {
        id: mint::id(),
        body,
    }
}

pub(crate) fn answer_created(id: MessageId) -> NewEvent {
    created(id, MessageRole::Assistant, "", &[])
}

pub(crate) fn created(
    id: MessageId,
    role: MessageRole,
    text: &str,
    files: &[Attachment],
) -> NewEvent {
    new_event(EventBody::MessageCreated {
        message: CreatedMessage {
            id,
            role,
            text: text.to_owned(),
            attachments: files.iter().map(|it| it.file.id).collect(),
            files: files.iter().map(|it| it.file.clone()).collect(),
        },
    })
}

async fn get(tx: &mut TenantTx, id: ConversationId) -> Result<ConversationState, Error> {
    tx.find_conversation(id)
        .await
        .or_fault()?
        .ok_or(Error::NotFound)
}

/// Puts what is logged into answers that have not ended, how long it took into those that thought,
/// and tool calls into the messages that asked for them. Where only the agent's own model ever
/// answered nobody looks for others.
async fn fill(
    tx: &mut TenantTx,
    (id, has_switched): (ConversationId, bool),
    mut messages: Vec<&mut Message>,
) -> Result<(), Error> {
    for message in &mut messages {
        let is_in_progress =
            message.role == MessageRole::Assistant && message.finish_reason.is_none();
        if is_in_progress {
            let said = logged(tx, id, message.run_id, message.id).await?;
            message.text = said.text;
            message.reasoning = said.reasoning;
        }
    }
    fill_thoughts(tx, &mut messages).await?;
    let switches = match has_switched {
        true => tx.list_switches(id).await.or_fault()?,
        false => Vec::new(),
    };
    for switched in switches {
        let of = messages
            .iter_mut()
            .find(|message| message.id == switched.message_id);
        if let Some(message) = of {
            message.switched = Some(switched);
        }
    }
    let asking: Vec<MessageId> = messages
        .iter()
        .filter(|message| message.finish_reason == Some(FinishReason::ToolCalls))
        .map(|message| message.id)
        .collect();
    if asking.is_empty() {
        return Ok(());
    }
    let calls = tx.list_calls_of_messages(&asking).await.or_fault()?;
    for call in calls {
        let of = messages
            .iter_mut()
            .find(|message| message.id == call.message_id);
        if let Some(message) = of {
            message.tool_calls.push(call.into_tool_call());
        }
    }
    Ok(())
}

/// How long it took, for messages that thought before they answered.
async fn fill_thoughts(tx: &mut TenantTx, messages: &mut [&mut Message]) -> Result<(), Error> {
    let thinking = messages.iter().filter(|it| !it.reasoning.is_empty());
    let mut runs: Vec<RunId> = thinking.map(|message| message.run_id).collect();
    runs.dedup();
    if runs.is_empty() {
        return Ok(());
    }
    let ends = tx.list_reasoning_ends(&runs).await.or_fault()?;
    for message in messages.iter_mut().filter(|it| !it.reasoning.is_empty()) {
        let end = ends.iter().find(|(id, _)| *id == message.id);
        message.thought_ms = end.map(|(_, end)| end.millis_since(message.created_at));
    }
    Ok(())
}

/// What a run has said in a message that it has not ended.
#[derive(Default)]
pub(crate) struct Logged {
    pub(crate) text: String,
    pub(crate) reasoning: String,
}

/// The text that the log has of a message that a run has not ended.
pub(crate) async fn logged_text(
    tx: &mut TenantTx,
    conversation_id: ConversationId,
    run_id: RunId,
    message_id: MessageId,
) -> Result<String, Error> {
    Ok(logged(tx, conversation_id, run_id, message_id).await?.text)
}

/// What the log says of a message that a run has not ended.
pub(crate) async fn logged(
    tx: &mut TenantTx,
    conversation_id: ConversationId,
    run_id: RunId,
    message_id: MessageId,
) -> Result<Logged, Error> {
    let events = tx
        .list_text_events(conversation_id, run_id)
        .await
        .or_fault()?;
    let mut said = Logged::default();
    for event in events {
        match event.parse().or_fault()?.body {
            EventBody::TextDelta(delta) if delta.message_id == message_id => {
                said.text.push_str(&delta.text);
            }
            // Another attempt thinks anew.
            EventBody::ReasoningDelta(delta) if delta.message_id == message_id => {
                said.reasoning.truncate(delta.offset as usize);
                said.reasoning.push_str(&delta.text);
            }
            EventBody::TextTruncated {
                message_id: of,
                offset,
            } if of == message_id => said.text.truncate(offset as usize),
            _ => {}
        }
    }
    Ok(said)
}

pub(crate) fn agent_deleted() -> Error {
    Error::conflict("this agent was deleted; its conversations can only be read")
}
