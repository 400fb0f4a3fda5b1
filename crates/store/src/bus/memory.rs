//! The bus of one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use domain::ConversationId;
use tokio::sync::broadcast;

/// Frames a watcher may be behind before it must read the log.
const CAPACITY: usize = 512;

/// Something to send to every watcher of a conversation, already in wire form.
#[derive(Clone, Debug)]
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
}

type Channels = Arc<Mutex<HashMap<ConversationId, broadcast::Sender<Frame>>>>;

/// Connects publishers and watchers of conversations.
#[derive(Clone, Debug, Default)]
pub struct Bus {
    channels: Channels,
}

/// Sends to the watchers of one conversation.
#[derive(Debug)]
pub struct Publisher {
    conversation_id: ConversationId,
    sender: broadcast::Sender<Frame>,
    channels: Channels,
}

/// Receives what is published for one conversation from now on.
#[derive(Debug)]
pub struct Subscription {
    conversation_id: ConversationId,
    receiver: Option<broadcast::Receiver<Frame>>,
    channels: Channels,
}

impl Bus {
    /// A sender for one conversation; cheap to keep for the length of a run.
    pub fn publisher(&self, conversation_id: ConversationId) -> Publisher {
        Publisher {
            conversation_id,
            sender: self.sender(conversation_id),
            channels: self.channels.clone(),
        }
    }

    /// Watches one conversation.
    pub fn subscribe(&self, conversation_id: ConversationId) -> Subscription {
        let mut channels = self.lock();
        let sender = channels
            .entry(conversation_id)
            .or_insert_with(|| broadcast::channel(CAPACITY).0);
        let receiver = Some(sender.subscribe());
        drop(channels);
        Subscription {
            conversation_id,
            receiver,
            channels: self.channels.clone(),
        }
    }

    fn sender(&self, conversation_id: ConversationId) -> broadcast::Sender<Frame> {
        self.lock()
            .entry(conversation_id)
            .or_insert_with(|| broadcast::channel(CAPACITY).0)
            .clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ConversationId, broadcast::Sender<Frame>>> {
        self.channels.lock().expect("no holder panics")
    }
}

impl Publisher {
    /// Whether anybody watches; without watchers there is nothing to render.
    pub fn has_watchers(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Sends a frame to everybody who watches now.
    pub fn publish(&self, frame: Frame) {
        // Fails only without watchers, and they will read the log.
        let _ = self.sender.send(frame);
    }
}

impl Subscription {
    /// The next frame; `None` if some were missed and the log must be read.
    ///
    /// Waits for ever if nothing is published. Safe to cancel.
    pub async fn next(&mut self) -> Option<Frame> {
        match self.receiver.as_mut() {
            Some(receiver) => receiver.recv().await.ok(),
            None => None,
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // One more sender than the map's own: this one.
        forget_if_unused(&self.channels, self.conversation_id, 2);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.receiver = None;
        forget_if_unused(&self.channels, self.conversation_id, 1);
    }
}

fn forget_if_unused(channels: &Channels, conversation_id: ConversationId, senders: usize) {
    let mut channels = channels.lock().expect("no holder panics");
    if let Some(sender) = channels.get(&conversation_id)
        && sender.receiver_count() == 0
        && sender.strong_count() <= senders
    {
        channels.remove(&conversation_id);
    }
}
