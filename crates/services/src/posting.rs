//! Posting a message: writes it with the run that answers it, and starts the run.

use std::sync::Arc;

use domain::conversations::{MessageRole, PostedMessage};
use domain::events::{EventBody, RunBegin};
use domain::{AuditId, ConversationId, Error, MessageId, RunId, StepId, Timestamp};
use engine::{AskedCall, Spent};
use llm::ModelMessage;
use store::audit::Author;
use store::events::NewEvent;
use store::runs::{AnsweringAgent, Lease, NewRun, NewStep, Unchanged};

use crate::conversations::{agent_deleted, answer_created, created, new_event};
use crate::fault::OrFault;
use crate::worker::{Begun, Slot, StartedRun, asked_call};
use crate::{Session, mint, watch};

/// Earlier messages that a model is shown at most.
pub(crate) const PRIOR_MESSAGES: u32 = 200;
/// Events that a run begins with when it starts at once; see [`Posting::events`].
const STARTED_EVENTS: u64 = 4;
/// Longest title taken from a message, in characters.
const TITLE_CHARS: usize = 60;

/// A message on its way, with everything made for it.
struct Posting<'a> {
    conversation_id: ConversationId,
    text: &'a str,
    title: String,
    idempotency_key: Option<&'a str>,
    agent: Arc<AnsweringAgent>,
    message_id: MessageId,
    answer_id: MessageId,
    run_id: RunId,
    step_id: StepId,
    author: Author,
    audit_id: AuditId,
    now: Timestamp,
}

impl Session {
    /// Posts to a conversation that this process remembers, in one round trip.
    ///
    /// `None` if it does not, or something has changed, or the run has no turn.
    pub(crate) async fn post_known(
        &self,
        id: ConversationId,
        text: &str,
        idempotency_key: Option<&str>,
    ) -> Result<Option<PostedMessage>, Error> {
        let services = &self.services;
        let Some(recent) = services.recents.find(self.actor.workspace_id, id) else {
            return Ok(None);
        };
        let Some(connection_updated_at) = recent.agent.connection_updated_at else {
            return Ok(None);
        };
        let Some(slot) = services.worker.try_reserve() else {
            return Ok(None);
        };
        let unchanged = Unchanged {
            connection_id: recent.agent.config.model.connection_id,
            connection_updated_at,
            runs_per_workspace: services.config.runs_per_workspace,
        };
        let posting = Posting::new(
            self.author(),
            id,
            text,
            idempotency_key,
            recent.agent.clone(),
        );
        let events = posting.events(true);
        let begun = self.begin_run(slot, &posting, recent.messages.clone(), recent.last_seq);
        let run = posting.run(self, true);
        let written = services.store.create_run_if_unchanged(
            self.actor.workspace_id,
            unchanged,
            &run,
            recent.last_seq,
            &events,
        );
        match written.await {
            Ok(Some(logged)) => {
                begun.written(&logged);
                Ok(Some(posting.posted()))
            }
            Ok(None) => Ok(None),
            // The first answer is found on the other path.
            Err(store::Error::Constraint(name)) if name == "runs_idempotency_key" => Ok(None),
            Err(error) => Err(error).or_fault(),
        }
    }

    /// Posts to a conversation of which nothing is known yet. If this process has room and it is
    /// the run's turn, the run starts at once; otherwise it is queued.
    pub(crate) async fn post(
        &self,
        id: ConversationId,
        text: &str,
        idempotency_key: Option<&str>,
    ) -> Result<PostedMessage, Error> {
        let services = &self.services;
        let mut tx = services
            .store
            .begin(self.actor.workspace_id)
            .await
            .or_fault()?;
        let context = tx.lock_for_posting(id).await.or_fault()?;
        let context = context.ok_or(Error::NotFound)?;
        if let Some(key) = idempotency_key
            && let Some((message_id, run_id)) = tx.find_posted(id, key).await.or_fault()?
        {
            return Ok(PostedMessage { message_id, run_id });
        }
        if context.is_archived {
            return Err(agent_deleted());
        }
        let limit = u64::from(services.config.runs_per_workspace);
        let has_turn = !context.has_active_run && context.running_in_workspace < limit;
        let slot = has_turn.then(|| services.worker.try_reserve()).flatten();
        let prior = match &slot {
            Some(_) if context.last_seq > 0 => tx
                .list_prior_messages(id, None, PRIOR_MESSAGES)
                .await
                .or_fault()?,
            _ => Vec::new(),
        };
        let posting = Posting::new(
            self.author(),
            id,
            text,
            idempotency_key,
            Arc::new(context.agent),
        );
        let events = posting.events(slot.is_some());
        let run = posting.run(self, slot.is_some());
        let begun = slot.map(|slot| {
            let messages = prior.into_iter().flat_map(model_messages).collect();
            self.begin_run(slot, &posting, messages, context.last_seq)
        });
        let logged = tx
            .create_run(&run, context.last_seq, &events)
            .await
            .or_fault()?;
        tx.commit().await.or_fault()?;
        match begun {
            Some(begun) => begun.written(&logged),
            None => {
                watch::publish(&services.bus.publisher(id), &logged);
                services.worker.wake();
            }
        }
        Ok(posting.posted())
    }

    fn begin_run(
        &self,
        slot: Slot,
        posting: &Posting<'_>,
        mut messages: Vec<ModelMessage>,
        last_seq: u64,
    ) -> Begun {
        messages.push(ModelMessage::user(posting.text));
        let run = StartedRun {
            lease: Lease {
                run_id: posting.run_id,
                workspace_id: self.actor.workspace_id,
                conversation_id: posting.conversation_id,
                fence: 1,
            },
            answer_id: posting.answer_id,
            agent: posting.agent.clone(),
            messages,
            pending: Vec::new(),
            spent: Spent::default(),
            attempt: 1,
            is_cancel_requested: false,
            whole_log_until: Some(last_seq + STARTED_EVENTS),
        };
        self.services.worker.begin(slot, run)
    }
}

impl<'a> Posting<'a> {
    fn new(
        author: Author,
        conversation_id: ConversationId,
        text: &'a str,
        idempotency_key: Option<&'a str>,
        agent: Arc<AnsweringAgent>,
    ) -> Self {
        Self {
            conversation_id,
            text,
            title: title_of(text),
            idempotency_key,
            agent,
            message_id: mint::id(),
            answer_id: mint::id(),
            run_id: mint::id(),
            step_id: mint::id(),
            author,
            audit_id: mint::id(),
            now: mint::now(),
        }
    }

    fn run(&self, session: &Session, starts: bool) -> NewRun<'_> {
        let step = NewStep {
            id: self.step_id,
            target: &self.agent.config.model.name,
        };
        NewRun {
            id: self.run_id,
            conversation_id: self.conversation_id,
            author: &self.author,
            audit_id: self.audit_id,
            agent_id: self.agent.id,
            agent_version: self.agent.version,
            message_id: self.message_id,
            answer_id: self.answer_id,
            text: self.text,
            title: &self.title,
            idempotency_key: self.idempotency_key,
            started_by: starts.then(|| (session.services.worker.id(), step)),
            now: self.now,
        }
    }

    fn events(&self, starts: bool) -> Vec<NewEvent> {
        let begin = RunBegin {
            agent_id: self.agent.id,
            agent_version: self.agent.version,
            attempt: 1,
        };
        let mut events = vec![
            created(self.message_id, MessageRole::User, self.text),
            new_event(EventBody::RunQueued(begin)),
        ];
        if starts {
            events.push(new_event(EventBody::RunStarted(begin)));
            events.push(answer_created(self.answer_id));
        }
        events
    }

    fn posted(&self) -> PostedMessage {
        PostedMessage {
            message_id: self.message_id,
            run_id: self.run_id,
        }
    }
}

/// A message of the past as the model reads it, with what came of the tools that it asked for.
pub(crate) fn model_messages(message: store::runs::PriorMessage) -> Vec<ModelMessage> {
    match message.role {
        MessageRole::User => vec![ModelMessage::user(message.text)],
        MessageRole::Assistant => {
            let calls: Vec<AskedCall> = message.calls.into_iter().map(asked_call).collect();
            asking_messages(message.text.into(), None, &calls)
        }
    }
}

/// A message of an agent, followed by what came of its tool calls.
pub(crate) fn asking_messages(
    text: Arc<str>,
    carry: Option<Arc<str>>,
    calls: &[AskedCall],
) -> Vec<ModelMessage> {
    let message = ModelMessage::Assistant {
        text,
        tool_calls: calls.iter().map(|call| call.asked.clone()).collect(),
        carry,
    };
    let results = calls.iter().map(AskedCall::message);
    std::iter::once(message).chain(results).collect()
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
