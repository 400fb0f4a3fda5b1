//! Posting a message: writes it with the run that answers it, and starts the run. Asking a message
//! again is the same without writing it.

use std::sync::Arc;

use domain::audit::Deed;
use domain::conversations::{MessageRole, PostedMessage};
use domain::events::{EventBody, QueuedRun, RunBegin};
use domain::{Action, AuditId, ConversationId, Error, MessageId, RunId, StepId, Timestamp};
use engine::Spent;
use futures::future::join;
use llm::ModelMessage;
use store::attachments::Attachment;
use store::audit::Author;
use store::events::NewEvent;
use store::runs::{AnsweringAgent, Lease, NewRun, NewStep, Unchanged};

use crate::attachments::{self, as_read, pictures};
use crate::branches::{find_end, find_question};
use crate::conversations::{agent_deleted, answer_created, created, new_event};
use crate::fault::OrFault;
use crate::history::{History, PRIOR_MESSAGES, history};
use crate::idempotency::find_posted;
use crate::worker::{Begun, Slot, StartedRun};
use crate::{Session, mint, watch};

/// Longest title taken from a message, in characters.
const TITLE_CHARS: usize = 60;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask<'a> {
    /// A new message, at the end of the branch that is shown.
    Next(&'a str),
    /// A new message, at the end of the branch that a run is on.
    Behind(RunId, &'a str),
    /// A new message, beside one that is there.
    Instead(MessageId, &'a str),
    /// What a message was asked, or asks, again.
    Again(MessageId),
}

/// A message on its way, with everything made for it.
struct Posting<'a> {
    conversation_id: ConversationId,
    parent_id: Option<RunId>,
    text: &'a str,
    /// The message, if it is there already.
    asked: Option<MessageId>,
    files: Vec<Attachment>,
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
    /// Posts a new message to a conversation that this process remembers, in one round trip.
    ///
    /// `None` if it does not, or something has changed, or the run has no turn.
    pub(crate) async fn post_known(
        &self,
        id: ConversationId,
        ask: Ask<'_>,
        idempotency_key: Option<&str>,
    ) -> Result<Option<PostedMessage>, Error> {
        let services = &self.services;
        let Some(recent) = services.recents.find(self.actor.workspace_id, id) else {
            return Ok(None);
        };
        let text = match ask {
            Ask::Next(text) => text,
            Ask::Behind(seen, text) if seen == recent.head => text,
            _ => return Ok(None),
        };
        let Some(connection_updated_at) = recent.agent.connection_updated_at else {
            return Ok(None);
        };
        let Some(slot) = services.worker.try_reserve() else {
            return Ok(None);
        };
        // Whatever comes of this, it is out of date: the next message would call a model in vain.
        services.recents.forget(id);
        let unchanged = Unchanged {
            connection_id: recent.agent.config.model.connection_id,
            connection_updated_at,
            runs_per_workspace: services.config.runs_per_workspace,
        };
        let mut posting = Posting::new(self.author(), id, text, recent.agent.clone());
        posting.parent_id = Some(recent.head);
        posting.idempotency_key = idempotency_key;
        let events = posting.events(true);
        let last_seq = recent.last_seq + events.len() as u64;
        let history = History {
            messages: recent.messages.clone(),
            pictures: Vec::new(),
        };
        let run = posting.run(self, true);
        let written = services.store.create_run_if_unchanged(
            self.actor.workspace_id,
            unchanged,
            &run,
            recent.last_seq,
            &events,
        );
        let begin = || self.begin_run(slot, &posting, history, last_seq);
        let written = match services.config.is_alone {
            true => {
                // The database begins first, the run meanwhile.
                let (written, begun) = join(written, async { begin() }).await;
                written.map(|logged| logged.map(|logged| (begun, logged)))
            }
            // Another process may have changed what is remembered here, which the database knows: no
            // model is to see a message that is not for it.
            false => written
                .await
                .map(|logged| logged.map(|logged| (begin(), logged))),
        };
        match written {
            Ok(Some((begun, logged))) => {
                begun.written(&logged);
                Ok(Some(posting.posted()))
            }
            Ok(None) => Ok(None),
            // The first answer is found on the other path.
            Err(store::Error::Constraint(name)) if name == "runs_idempotency_key" => Ok(None),
            Err(error) => Err(error).or_fault(),
        }
    }

    /// Asks in a conversation of which nothing is known yet. If this process has room and it is
    /// the run's turn, the run starts at once; otherwise it is queued.
    pub(crate) async fn post(
        &self,
        id: ConversationId,
        ask: Ask<'_>,
        files: &[String],
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
            && let Some(posted) = find_posted(&mut tx, id, key, ask).await?
        {
            return Ok(posted);
        }
        if context.is_archived {
            return Err(agent_deleted());
        }
        if context.agent.may_be_draft && !self.actor.can(Action::BuildAgents) {
            drop(tx);
            return self.refuse(Deed::MessageCreate).await;
        }
        let question = find_question(&mut tx, id, ask, context.has_active_run).await?;
        let limit = services.config.runs_per_workspace;
        let has_turn = !context.has_active_run && context.has_room(limit);
        let agent = Arc::new(context.agent);
        let mut posting = match (ask, &question) {
            (Ask::Again(_), Some(question)) => {
                let posting = Posting::new(self.author(), id, &question.text, agent);
                posting.asking_again(question.message_id)
            }
            (Ask::Again(_), None) => return Err(Error::NotFound),
            (Ask::Next(text) | Ask::Behind(_, text) | Ask::Instead(_, text), _) => {
                Posting::new(self.author(), id, text, agent)
            }
        };
        posting.files = match posting.asked {
            Some(message_id) => tx.list_attachments(message_id).await.or_fault()?,
            None => attachments::find(&mut tx, files).await?,
        };
        posting.idempotency_key = idempotency_key;
        posting.parent_id = match &question {
            Some(question) => question.parent_id,
            None => find_end(&mut tx, id, ask, context.head).await?,
        };
        let slot = has_turn.then(|| services.worker.try_reserve()).flatten();
        let prior = match &slot {
            Some(_) => tx
                .list_prior_messages(id, posting.parent_id, PRIOR_MESSAGES)
                .await
                .or_fault()?,
            None => Vec::new(),
        };
        let events = posting.events(slot.is_some());
        let run = posting.run(self, slot.is_some());
        let last_seq = context.last_seq + events.len() as u64;
        let begun = slot.map(|slot| self.begin_run(slot, &posting, history(prior), last_seq));
        let logged = tx
            .create_run(&run, context.last_seq, &events)
            .await
            .or_fault()?;
        if posting.asked.is_none() && !posting.files.is_empty() {
            tx.attach_files(id, posting.message_id, &posting.files)
                .await
                .or_fault()?;
        }
        tx.commit().await.or_fault()?;
        services.recents.forget(id);
        match begun {
            Some(begun) => begun.written(&logged),
            None => {
                watch::publish(&services.bus.publisher(id), &logged);
                services.worker.wake_all();
            }
        }
        Ok(posting.posted())
    }

    /// `last_seq` is the number of the last event that the run begins with.
    fn begin_run(
        &self,
        slot: Slot,
        posting: &Posting<'_>,
        history: History,
        last_seq: u64,
    ) -> Begun {
        let History {
            mut messages,
            pictures: mut shown,
        } = history;
        shown.extend(pictures(messages.len(), &posting.files));
        let text = as_read(posting.text, &posting.files);
        messages.push(ModelMessage::user(text));
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
            pictures: shown,
            pending: Vec::new(),
            spent: Spent::default(),
            attempt: 1,
            is_cancel_requested: false,
            whole_log_until: Some(last_seq),
        };
        self.services.worker.begin(slot, run)
    }
}

impl<'a> Posting<'a> {
    fn new(
        author: Author,
        conversation_id: ConversationId,
        text: &'a str,
        agent: Arc<AnsweringAgent>,
    ) -> Self {
        Self {
            conversation_id,
            parent_id: None,
            text,
            asked: None,
            files: Vec::new(),
            title: title_of(text),
            idempotency_key: None,
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

    /// The message is there already.
    fn asking_again(self, message_id: MessageId) -> Self {
        Self {
            asked: Some(message_id),
            message_id,
            ..self
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
            parent_id: self.parent_id,
            author: &self.author,
            audit_id: self.audit_id,
            agent_id: self.agent.id,
            agent_version: self.agent.version,
            message_id: self.message_id,
            answer_id: self.answer_id,
            text: self.asked.is_none().then_some(self.text),
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
        let mut events = Vec::with_capacity(4);
        if self.asked.is_none() {
            events.push(created(
                self.message_id,
                MessageRole::User,
                self.text,
                &self.files,
            ));
        }
        events.push(new_event(EventBody::RunQueued(QueuedRun {
            agent_id: begin.agent_id,
            agent_version: begin.agent_version,
            attempt: begin.attempt,
            message_id: Some(self.message_id),
            parent_id: self.parent_id,
        })));
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

/// The first line of a message that says something, without marks of Markdown, cut at a word.
fn title_of(text: &str) -> String {
    let is_mark = |c: char| matches!(c, '#' | '>' | '`') || c.is_whitespace();
    let mut lines = text.lines().map(|line| line.trim_start_matches(is_mark));
    let line = lines.find(|line| !line.is_empty());
    let line = line.unwrap_or(text).trim();
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
