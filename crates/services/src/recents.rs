//! What this process remembers of the conversations it answered last, so that the next message
//! of one need not look anything up before it is written.
//!
//! A memory is only a guess: the write itself checks it and refuses if anything has changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{AgentId, ConnectionId, ConversationId, RunId, WorkspaceId};
use llm::ModelMessage;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use store::runs::AnsweringAgent;
use uuid::Uuid;

use crate::history::PRIOR_MESSAGES;

/// Bytes of text remembered in all.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// What a memory weighs besides its texts, roughly.
const OVERHEAD_BYTES: usize = 1024;
/// How long a conversation is remembered.
const LIFETIME: Duration = Duration::from_secs(3600);
/// Agents and connections that are remembered as edited.
const MAX_EDITED: u64 = 10_000;

/// The memories, the least used ones forgotten first. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Recents {
    cache: Cache<ConversationId, Arc<Recent>>,
    /// When agents and model connections were edited: no model is asked as one was before.
    edited: Cache<Uuid, Instant>,
}

/// A conversation as it was when its last run ended.
#[derive(Debug)]
pub(crate) struct Recent {
    pub(crate) workspace_id: WorkspaceId,
    /// Events in its log.
    pub(crate) last_seq: u64,
    /// When that run began.
    pub(crate) begun: Instant,
    /// The run that ended: the end of the branch.
    pub(crate) head: RunId,
    /// The agent that answered.
    pub(crate) agent: Arc<AnsweringAgent>,
    /// What a model would be shown, oldest first.
    pub(crate) messages: Vec<ModelMessage>,
}

impl Recents {
    pub(crate) fn new() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_BYTES)
            // By default a new conversation is refused while it is asked for less often than old ones.
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_, recent: &Arc<Recent>| recent.weight())
            .time_to_live(LIFETIME)
            .build();
        let edited = Cache::builder()
            .max_capacity(MAX_EDITED)
            .time_to_live(LIFETIME * 2)
            .build();
        Self { cache, edited }
    }

    pub(crate) fn find(
        &self,
        workspace_id: WorkspaceId,
        id: ConversationId,
    ) -> Option<Arc<Recent>> {
        let recent = self.cache.get(&id)?;
        let agent = &recent.agent;
        let is_edited = |id: Uuid| {
            let edited = self.edited.get(&id);
            edited.is_some_and(|edited| edited >= recent.begun)
        };
        let is_known = recent.workspace_id == workspace_id
            && !is_edited(agent.id.uuid())
            && !is_edited(agent.config.model.connection_id.uuid());
        is_known.then_some(recent)
    }

    /// Remembers a conversation whose last message is `answer`.
    pub(crate) fn keep(&self, id: ConversationId, mut recent: Recent, answer: String) {
        if !answer.is_empty() {
            recent.messages.push(ModelMessage::assistant(answer));
        }
        let too_many = recent
            .messages
            .len()
            .saturating_sub(PRIOR_MESSAGES as usize);
        recent.messages.drain(..too_many);
        // What came of a tool call says nothing without the message that asked.
        let first = recent
            .messages
            .iter()
            .position(|message| !matches!(message, ModelMessage::Tool { .. }));
        recent.messages.drain(..first.unwrap_or_default());
        self.cache.insert(id, Arc::new(recent));
    }

    pub(crate) fn forget(&self, id: ConversationId) {
        self.cache.invalidate(&id);
    }

    /// Nothing known of an agent holds from now on.
    pub(crate) fn agent_changed(&self, id: AgentId) {
        self.edited.insert(id.uuid(), Instant::now());
    }

    /// Nothing known of a model connection holds from now on.
    pub(crate) fn connection_changed(&self, id: ConnectionId) {
        self.edited.insert(id.uuid(), Instant::now());
    }
}

impl Recent {
    fn weight(&self) -> u32 {
        let texts: usize = self
            .messages
            .iter()
            .map(|message| {
                message.size_bytes() + message.picture_bytes() + size_of::<ModelMessage>()
            })
            .sum();
        let bytes = texts + self.agent.config.instructions.len() + OVERHEAD_BYTES;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}
