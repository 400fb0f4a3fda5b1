//! Live fan-out: from the worker that writes to the clients that watch, in this process and in
//! others.
//!
//! The log is the truth. The bus only makes it quick, so it may drop frames: a watcher that falls
//! behind reads the log. Between processes frames go through Redis; without it they are told by
//! PostgreSQL that a log has grown, and read it.

mod interests;
mod link;
mod memory;
mod postgres;
mod redis;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use domain::{ConversationId, RunId, UserId};
use tokio_util::sync::CancellationToken;

use self::link::Link;
use self::memory::{Cursor, Topic, Topics};
use crate::Store;
use crate::redis::Redis;

/// Something to send to every watcher of a conversation, already in wire form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event of the log.
    Logged {
        /// Its number.
        seq: u64,
        /// Whether a run ended with it.
        is_run_end: bool,
        /// The frame.
        bytes: Bytes,
    },
    /// Text that is not in the log yet.
    Live(Bytes),
    /// The log has grown; read it.
    Grown,
}

/// What processes tell each other besides frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A run waits in the queue.
    QueueGrown,
    /// Somebody asked a run to stop.
    CancelRun(RunId),
    /// Somebody's access has changed; `None` is perhaps anybody.
    AccessChanged(Option<UserId>),
    /// Changes of access cannot be heard for a while.
    Deaf,
    /// The shared cache answers again, perhaps with what it had forgotten on demand.
    CacheBack,
    /// An object has changed: what is remembered of it no longer holds.
    Changed(Changed),
}

/// The message of the channel `cache:invalidate`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Changed {
    /// What kind of object, such as `agent`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which one.
    pub id: String,
}

/// How far a bus reaches.
#[derive(Clone, Debug)]
pub enum Reach {
    /// This process is alone on its database.
    Process,
    /// To other processes, through the database.
    Database,
    /// To other processes, through Redis.
    Redis(Redis),
}

/// Connects publishers and watchers of conversations. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus {
    topics: Topics,
    link: Option<Arc<Link>>,
}

/// Sends to the watchers of one conversation.
#[derive(Debug)]
pub struct Publisher {
    conversation_id: ConversationId,
    topic: Arc<Topic>,
    bus: Bus,
    /// Whether other processes watch, as far as is known.
    is_watched_elsewhere: Arc<AtomicBool>,
}

/// Receives what is published for one conversation from now on.
#[derive(Debug)]
pub struct Subscription {
    conversation_id: ConversationId,
    /// `None` only while it is dropped.
    cursor: Option<Cursor>,
    bus: Bus,
}

impl Bus {
    /// A bus; nothing leaves or enters the process before [`Bus::start`].
    pub fn new(reach: Reach) -> Self {
        let link = match reach {
            Reach::Process => None,
            Reach::Database => Some(Arc::new(Link::new(None))),
            Reach::Redis(redis) => Some(Arc::new(Link::new(Some(redis)))),
        };
        Self {
            topics: Topics::default(),
            link,
        }
    }

    /// Speaks with other processes until `stopping`; hands what they signal to `heed`, which must
    /// not block.
    pub fn start(
        &self,
        store: &Store,
        stopping: &CancellationToken,
        heed: impl Fn(Signal) + Send + Sync + 'static,
    ) {
        let heed: Arc<dyn Fn(Signal) + Send + Sync> = Arc::new(heed);
        let mut tasks: Vec<futures::future::BoxFuture<'static, ()>> = Vec::new();
        let origin = self.link.as_ref().map(|link| link.origin());
        tasks.push(Box::pin(postgres::listen(
            store.clone(),
            origin,
            self.topics.clone(),
            heed.clone(),
        )));
        if let Some(link) = &self.link {
            tasks.push(Box::pin(link.clone().send(store.clone())));
            if let Some(redis) = link.redis() {
                redis.start(stopping.clone());
                let (link, topics) = (link.clone(), self.topics.clone());
                tasks.push(Box::pin(redis::listen(redis.clone(), link, topics, heed)));
            }
        }
        for task in tasks {
            let stopping = stopping.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = stopping.cancelled() => {}
                    () = task => {}
                }
            });
        }
    }

    /// Tells the other processes something, soon. Does not block.
    pub fn signal(&self, signal: Signal) {
        if let Some(link) = &self.link {
            link.signal(signal);
        }
    }

    /// A sender for one conversation; cheap to keep for the length of a run.
    pub fn publisher(&self, conversation_id: ConversationId) -> Publisher {
        Publisher {
            conversation_id,
            topic: self.topics.enter(conversation_id),
            bus: self.clone(),
            // Unknown, so that the first words are not kept from anybody.
            is_watched_elsewhere: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Watches one conversation.
    pub fn subscribe(&self, conversation_id: ConversationId) -> Subscription {
        let topic = self.topics.enter(conversation_id);
        let is_first = !topic.has_watchers();
        let cursor = Some(topic.watch());
        if is_first && let Some(link) = &self.link {
            link.interests().note(conversation_id);
        }
        Subscription {
            conversation_id,
            cursor,
            bus: self.clone(),
        }
    }
}

impl Publisher {
    /// Whether anybody wants frames; if not there is nothing to render.
    pub fn has_watchers(&self) -> bool {
        self.topic.has_watchers() || self.frames_elsewhere().is_some()
    }

    /// Sends a frame to everybody who watches now.
    pub fn publish(&self, frame: Frame) {
        if let Some(link) = self.frames_elsewhere() {
            link.publish(self.conversation_id, &frame, &self.is_watched_elsewhere);
        }
        self.topic.push(frame);
    }

    /// Tells other processes that the log has grown, if the frames of that did not go there.
    pub fn grown(&self) {
        if let Some(link) = &self.bus.link
            && self.frames_elsewhere().is_none()
        {
            link.grown(self.conversation_id, &self.is_watched_elsewhere);
        }
    }

    fn frames_elsewhere(&self) -> Option<&Link> {
        let link = self.bus.link.as_deref()?;
        let wants_frames =
            link.carries_frames() && self.is_watched_elsewhere.load(Ordering::Relaxed);
        wants_frames.then_some(link)
    }
}

impl Subscription {
    /// The next frame; `None` if some were missed and the log must be read.
    ///
    /// Waits for ever if nothing is published. Safe to cancel.
    pub async fn next(&mut self) -> Option<Frame> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        match &mut self.cursor {
            Some(cursor) => cursor.poll_next(cx),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.bus.topics.leave(self.conversation_id, &self.topic);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(cursor) = self.cursor.take() else {
            return;
        };
        let topic = cursor.topic().clone();
        drop(cursor);
        if !topic.has_watchers()
            && let Some(link) = &self.bus.link
        {
            link.interests().note(self.conversation_id);
        }
        self.bus.topics.leave(self.conversation_id, &topic);
    }
}

impl Frame {
    /// Bytes of the frame.
    pub(self) fn len(&self) -> usize {
        match self {
            Self::Logged { bytes, .. } | Self::Live(bytes) => bytes.len(),
            Self::Grown => 0,
        }
    }
}
