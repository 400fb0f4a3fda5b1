//! Conversations, their messages, and posting.

use async_trait::async_trait;
use domain::conversations::{
    Conversation, Conversations, CreateConversation, Message, MessageRole, PostMessage,
    PostedMessage, Thread, UpdateConversation, check_title,
};
use domain::events::{CreatedMessage, EventBody, RunBegin, TextDelta};
use domain::{Action, ConversationId, Error, MessageId, Page, Paged, RunId};
use llm::ModelMessage;
use store::TenantTx;
use store::conversations::ConversationState;
use store::events::{LoggedEvent, NewEvent};
use store::runs::{Lease, NewRun, NewStep, PostingContext};

use crate::fault::OrFault;
use crate::worker::StartedRun;
use crate::{Session, mint, watch};

/// Messages on the conversation page.
const THREAD_MESSAGES: i64 = 200;
/// Earlier messages that a model is shown at most.
pub(crate) const PRIOR_MESSAGES: u32 = 200;
/// Longest title taken from a message, in characters.
const TITLE_CHARS: usize = 60;

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
        let mut tx = self.begin(Action::Converse).await?;
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
        tx.commit().await.or_fault()?;
        Ok(conversation)
    }

    async fn update_conversation(
        &self,
        id: ConversationId,
        input: UpdateConversation,
    ) -> Result<Conversation, Error> {
        let mut tx = self.begin(Action::Converse).await?;
        check_title(input.title.as_deref())?;
        if let Some(title) = input.title {
            tx.rename_conversation(id, title.trim(), mint::now())
                .await
                .or_fault()?;
        }
        let conversation = get(&mut tx, id).await?.conversation;
        tx.commit().await.or_fault()?;
        Ok(conversation)
    }

    async fn delete_conversation(&self, id: ConversationId) -> Result<(), Error> {
        let mut tx = self.begin(Action::Converse).await?;
        if !tx.delete_conversation(id).await.or_fault()? {
            return Err(Error::NotFound);
        }
        tx.commit().await.or_fault()?;
        self.services.worker.abandon_conversation(id);
        Ok(())
    }

    async fn list_messages(&self, id: ConversationId, page: Page) -> Result<Paged<Message>, Error> {
        self.actor.require(Action::Read)?;
        let mut tx = self.snapshot().await?;
        let state = get(&mut tx, id).await?;
        let mut messages = tx.list_messages(id, &page).await.or_fault()?;
        fill_in_progress(&mut tx, &state, &mut messages.items).await?;
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
        self.actor.require(Action::Converse)?;
        input.validate()?;
        let mut tx = self.begin(Action::Converse).await?;
        let context = tx
            .lock_for_posting(id)
            .await
            .or_fault()?
            .ok_or(Error::NotFound)?;
        if let Some(key) = &idempotency_key
            && let Some((message_id, run_id)) = tx.find_posted(id, key).await.or_fault()?
        {
            return Ok(PostedMessage { message_id, run_id });
        }
        if context.is_archived {
            return Err(agent_deleted());
        }
        let posting = Posting {
            conversation_id: id,
            text: input.text,
            idempotency_key,
            context,
        };
        self.post(tx, posting).await
    }
}

/// A message that has passed every check.
struct Posting {
    conversation_id: ConversationId,
    text: String,
    idempotency_key: Option<String>,
    context: PostingContext,
}

impl Session {
    async fn snapshot(&self) -> Result<TenantTx, Error> {
        let store = &self.services.store;
        store
            .begin_snapshot(self.actor.workspace_id)
            .await
            .or_fault()
    }

    /// Writes the message and its run. If this process has room and it is the run's turn, the run
    /// starts in the same transaction, which saves the queue's round trips before the first token.
    async fn post(&self, mut tx: TenantTx, posting: Posting) -> Result<PostedMessage, Error> {
        let Posting {
            conversation_id,
            text,
            idempotency_key,
            context,
        } = posting;
        let limit = u64::from(self.services.config.runs_per_workspace);
        let has_turn = !context.has_active_run && context.running_in_workspace < limit;
        let slot = has_turn
            .then(|| self.services.worker.try_reserve())
            .flatten();
        let prior = match &slot {
            Some(_) if context.last_seq > 0 => tx
                .list_prior_messages(conversation_id, None, PRIOR_MESSAGES)
                .await
                .or_fault()?,
            _ => Vec::new(),
        };
        let (message_id, answer_id, run_id) = (mint::id(), mint::id(), mint::id());
        let now = mint::now();
        let target = context.config.model.name.clone();
        let step = NewStep {
            id: mint::id(),
            target: &target,
        };
        let title = match context.title.is_empty() {
            true => title_of(&text),
            false => context.title.clone(),
        };
        let run = NewRun {
            id: run_id,
            conversation_id,
            author_id: self.actor.user_id,
            agent_id: context.agent_id,
            agent_version: context.agent_version,
            message_id,
            answer_id,
            text: &text,
            title: &title,
            idempotency_key: idempotency_key.as_deref(),
            started_by: slot.as_ref().map(|_| (self.services.worker.id(), step)),
            now,
        };
        let mut events = vec![
            question_created(message_id, &text),
            new_event(EventBody::RunQueued(begin(&context))),
        ];
        if slot.is_some() {
            events.push(new_event(EventBody::RunStarted(begin(&context))));
            events.push(answer_created(answer_id));
        }
        let logged = tx
            .create_run(&run, context.last_seq, &events)
            .await
            .or_fault()?;
        tx.commit().await.or_fault()?;
        let Some(slot) = slot else {
            self.publish(conversation_id, &logged);
            self.services.worker.wake();
            return Ok(PostedMessage { message_id, run_id });
        };
        let mut messages: Vec<ModelMessage> = prior
            .into_iter()
            .map(|message| ModelMessage {
                role: message.role,
                text: message.text,
            })
            .collect();
        messages.push(ModelMessage {
            role: MessageRole::User,
            text,
        });
        let started = StartedRun {
            lease: Lease {
                run_id,
                workspace_id: self.actor.workspace_id,
                conversation_id,
                fence: 1,
            },
            answer_id,
            config: context.config,
            connection_updated_at: context.connection_updated_at,
            messages,
            is_cancel_requested: false,
        };
        self.services.worker.execute(slot, started, &logged);
        Ok(PostedMessage { message_id, run_id })
    }

    fn publish(&self, conversation_id: ConversationId, logged: &[LoggedEvent]) {
        watch::publish(&self.services.bus.publisher(conversation_id), logged);
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

fn question_created(id: MessageId, text: &str) -> NewEvent {
    created(id, MessageRole::User, text)
}

fn created(id: MessageId, role: MessageRole, text: &str) -> NewEvent {
    new_event(EventBody::MessageCreated {
        message: CreatedMessage {
            id,
            role,
            text: text.to_owned(),
            attachments: Vec::new(),
        },
    })
}

fn begin(context: &PostingContext) -> RunBegin {
    RunBegin {
        agent_id: context.agent_id,
        agent_version: context.agent_version,
        attempt: 1,
    }
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
            message.text = logged_text(tx, state.conversation.id, message.run_id).await?;
        }
    }
    Ok(())
}

/// What the log says of a run's answer.
pub(crate) async fn logged_text(
    tx: &mut TenantTx,
    conversation_id: ConversationId,
    run_id: RunId,
) -> Result<String, Error> {
    let events = tx
        .list_text_events(conversation_id, run_id)
        .await
        .or_fault()?;
    let mut text = String::new();
    for event in events {
        match event.parse().or_fault()?.body {
            EventBody::TextDelta(TextDelta { text: added, .. }) => text.push_str(&added),
            EventBody::TextTruncated { offset, .. } => text.truncate(offset as usize),
            _ => {}
        }
    }
    Ok(text)
}

fn agent_deleted() -> Error {
    Error::conflict("this agent was deleted; its conversations can only be read")
}

/// The first line of a message, cut at a word.
fn title_of(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default().trim();
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    if line.chars().count() <= TITLE_CHARS {
        return line;
    }
    let cut: String = line.chars().take(TITLE_CHARS).collect();
    let words = cut
        .rsplit_once(' ')
        .map_or(cut.as_str(), |(words, _)| words);
    format!("{words}…")
}
