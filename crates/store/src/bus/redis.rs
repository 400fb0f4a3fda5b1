//! What other processes publish in Redis.

use std::sync::Arc;
use std::time::Duration;

use ::redis::Msg;
use ::redis::aio::PubSubSink;
use bytes::Bytes;
use domain::ConversationId;
use futures::{FutureExt, StreamExt};
use tokio::time::timeout;

use super::link::Link;
use super::memory::Topics;
use super::{Changed, Frame, Signal, wire};
use crate::panics::panics;
use crate::redis::{Failure, PATIENCE, Redis};

/// How often a silent connection is tried.
const PING_EVERY: Duration = Duration::from_secs(1);
/// Pause between tries to listen again.
const PAUSE: Duration = Duration::from_millis(500);
/// Channels told to Redis at once.
const BATCH: usize = 500;

type Heed = Arc<dyn Fn(Signal) + Send + Sync>;

/// Listens for ever, anew whenever the connection is lost.
pub(super) async fn listen(redis: Redis, link: Arc<Link>, topics: Topics, heed: Heed) {
    let listener = Listener {
        redis,
        link,
        topics,
        heed,
    };
    loop {
        // Why Redis is away was logged where it was noticed first.
        panics(listener.follow().map(drop)).await;
        listener.link.interests().end();
        tokio::time::sleep(PAUSE).await;
    }
}

struct Listener {
    redis: Redis,
    link: Arc<Link>,
    topics: Topics,
    heed: Heed,
}

impl Listener {
    async fn follow(&self) -> Result<(), Failure> {
        let (mut sink, mut messages) = self.redis.listen().await?.split();
        within(sink.subscribe(&[wire::RUNS, wire::INVALIDATE])).await?;
        // One that was restored from a copy of itself believes what is long over.
        (self.heed)(Signal::CacheBack);
        let interests = self.link.interests();
        interests.begin();
        for id in self.topics.watched() {
            interests.note(id);
        }
        self.catch_up(&mut sink).await?;
        let mut ping = tokio::time::interval(PING_EVERY);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.hear(message),
                    None => return Err(Failure::Away),
                },
                () = interests.changed() => self.catch_up(&mut sink).await?,
                _ = ping.tick() => {
                    within(sink.ping::<::redis::Value>()).await?;
                }
            }
        }
    }

    /// Enters and leaves channels as watchers have come and gone.
    async fn catch_up(&self, sink: &mut PubSubSink) -> Result<(), Failure> {
        let is_watched = |id| {
            self.topics
                .find(id)
                .is_some_and(|topic| topic.has_watchers())
        };
        let changes = self.link.interests().take(is_watched);
        for ids in changes.leave.chunks(BATCH) {
            within(sink.unsubscribe(channels(ids))).await?;
        }
        for ids in changes.enter.chunks(BATCH) {
            within(sink.subscribe(channels(ids))).await?;
            // What was published between the watcher's look at the log and now was not heard.
            for id in ids {
                self.push(*id, Frame::Grown);
            }
        }
        Ok(())
    }

    fn hear(&self, message: Msg) {
        let channel = message.get_channel_name().to_owned();
        let payload = Bytes::from(message.get_payload_bytes().to_vec());
        let signal = match channel.as_str() {
            wire::RUNS => str::from_utf8(&payload)
                .ok()
                .and_then(wire::read_signal)
                .and_then(|(origin, signal)| (origin != self.link.origin()).then_some(signal)),
            wire::INVALIDATE => serde_json::from_slice::<Changed>(&payload)
                .ok()
                .map(Signal::Changed),
            channel => {
                if let Some(id) = wire::conversation(channel)
                    && let Some((origin, frame)) = wire::unpack(payload)
                    && origin != self.link.origin()
                {
                    self.push(id, frame);
                }
                None
            }
        };
        if let Some(signal) = signal {
            (self.heed)(signal);
        }
    }

    fn push(&self, id: ConversationId, frame: Frame) {
        if let Some(topic) = self.topics.find(id) {
            topic.push(frame);
        }
    }
}

fn channels(ids: &[ConversationId]) -> Vec<String> {
    ids.iter().map(|id| wire::channel(*id)).collect()
}

async fn within<T>(call: impl Future<Output = ::redis::RedisResult<T>>) -> Result<T, Failure> {
    match timeout(PATIENCE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Failure::Away),
    }
}
