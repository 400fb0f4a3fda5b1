//! Conversations and their messages; posting one is in `posting`.

use async_trait::async_trait;
use domain::audit::Deed;
use domain::conversations::{
    Conversation, Conversations, CreateConversation, Message, MessageRole, PostMessage,
    PostedMessage, Thread, UpdateConversation, check_title,
};
use domain::events::{CreatedMessage, EventBody, FinishReason};
use domain::{Action, ConversationId, Error, MessageId, Page, Paged, RunId};
use store::TenantTx;
use store::conversations::ConversationState;
use store::events::NewEvent;

use crate::fault::OrFault;
use crate::{Session, mint};

/// Messages on the conversation page.
const THREAD_MESSAGES: i64 = 200;

#[async_trait]
impl Conversations for Session {
    async fn list_conversations(&self, page: Page) -> Result<Paged<Conversation>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        tx.list_conversations(&page).await.or_fault()
    }

    async fn get_conversation(&self, id: ConversationId) -> Result<Conversation, Error> {
        let mut tx = self.begin(Action::Read).await?;
        Ok(get(&mut tx, id).await?.conversation)
    }

    async fn create_conversation(&self, input: CreateConversation) -> Result<Conversation, Error> {
        let mut tx = self
            .change(Action::Converse, Deed::ConversationCreate)
            .await?;
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
            run_status: None,
            created_at: now,
            updated_at: now,
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
        if let Some(title) = input.title {
            tx.rename_conversation(id, title.trim(), mint::now())
                .await
                .or_fault()?;
        }
        let conversation = get(&mut tx, id).await?.conversation;
        tx.commit(id.uuid(), &conversation.title).await?;
        Ok(conversation)
    }

    async fn delete_conversation(&self, id: ConversationId) -> Result<(), Error> {
        let mut tx = self
            .change(Action::Converse, Deed::ConversationDelete)
            .await?;
        let conversation = get(&mut tx, id).await?.conversation;
        if !tx.delete_conversation(id).await.or_fault()? {
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
        let mut messages = tx.list_messages(id, &page).await.or_fault()?;
        fill_in_progress(&mut tx, &state, &mut messages.items).await?;
        fill_tool_calls(&mut tx, &mut messages.items).await?;
        Ok(messages)
    }

    async fn open_thread(&self, id: ConversationId) -> Result<Thread, Error> {
        self.actor.require(Action::Read)?;
        let mut tx = self.snapshot().await?;
        let state = get(&mut tx, id).await?;
        let mut messages = tx
            .list_messages_before(id, None, THREAD_MESSAGES)
            .await
            .or_fault()?;
        fill_in_progress(&mut tx, &state, &mut messages.items).await?;
        fill_tool_calls(&mut tx, &mut messages.items).await?;
        messages.items.reverse();
        Ok(Thread {
            conversation: state.conversation,
            is_archived: state.is_archived,
            messages: messages.items,
            has_older: messages.next.is_some(),
            active_run: state.active_run,
            last_seq: state.last_seq,
        })
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
        match self
            .post_known(id, &text, idempotency_key.as_deref())
            .await?
        {
            Some(posted) => Ok(posted),
            None => self.post(id, &text, idempotency_key.as_deref()).await,
        }
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

pub(crate) fn new_event(body: EventBody) -> NewEvent {
    NewEvent {
        id: mint::id(),
        body,
    }
}

pub(crate) fn answer_created(id: MessageId) -> NewEvent {
    created(id, MessageRole::Assistant, "")
}

pub(crate) fn created(id: MessageId, role: MessageRole, text: &str) -> NewEvent {
    new_event(EventBody::MessageCreated {
        message: CreatedMessage {
            id,
            role,
            text: text.to_owned(),
            attachments: Vec::new(),
        },
    })
}

async fn get(tx: &mut TenantTx, id: ConversationId) -> Result<ConversationState, Error> {
    tx.find_conversation(id)
        .await
        .or_fault()?
        .ok_or(Error::NotFound)
}

/// Puts the logged text into answers that have not ended.
async fn fill_in_progress(
    tx: &mut TenantTx,
    state: &ConversationState,
    messages: &mut [Message],
) -> Result<(), Error> {
    for message in messages {
        let is_in_progress =
            message.role == MessageRole::Assistant && message.finish_reason.is_none();
        if is_in_progress {
            message.text =
                logged_text(tx, state.conversation.id, message.run_id, message.id).await?;
        }
    }
    Ok(())
}

/// Puts the tool calls into the messages that asked for them.
async fn fill_tool_calls(tx: &mut TenantTx, messages: &mut [Message]) -> Result<(), Error> {
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

/// What the log says of a message that a run has not ended.
pub(crate) async fn logged_text(
    tx: &mut TenantTx,
    conversation_id: ConversationId,
    run_id: RunId,
    message_id: MessageId,
) -> Result<String, Error> {
    let events = tx
        .list_text_events(conversation_id, run_id)
        .await
        .or_fault()?;
    let mut text = String::new();
    for event in events {
        match event.parse().or_fault()?.body {
            EventBody::TextDelta(delta) if delta.message_id == message_id => {
                text.push_str(&delta.text);
            }
            EventBody::TextTruncated {
                message_id: of,
                offset,
            } if of == message_id => text.truncate(offset as usize),
            _ => {}
        }
    }
    Ok(text)
}

pub(crate) fn agent_deleted() -> Error {
    Error::conflict("this agent was deleted; its conversations can only be read")
}
