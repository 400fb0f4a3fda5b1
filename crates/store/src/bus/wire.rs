//! How frames and signals look between processes.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use domain::{ConversationId, RunId};
use uuid::Uuid;

use super::{Frame, Signal};

/// Redis channel of the messages that have caches forget something: a public name.
pub(super) const INVALIDATE: &str = "cache:invalidate";
/// Channel of wake-ups, in Redis and in PostgreSQL.
pub(super) const RUNS: &str = "agentarea_runs";
/// PostgreSQL channel of logs that have grown.
pub(super) const LOGS: &str = "agentarea_logs";
/// What the Redis channel of a conversation begins with.
const CONVERSATION: &str = "agentarea_conversation:";

const LIVE: u8 = 1;
const LOGGED: u8 = 2;
const RUN_END: u8 = 3;
const GROWN: u8 = 4;

/// Redis channel of a conversation's frames.
pub(super) fn channel(id: ConversationId) -> String {
    format!("{CONVERSATION}{id}")
}

/// The conversation of a channel; `None` if it is another channel.
pub(super) fn conversation(channel: &str) -> Option<ConversationId> {
    channel.strip_prefix(CONVERSATION)?.parse().ok()
}

/// A frame with who sent it.
pub(super) fn pack(origin: Uuid, frame: &Frame) -> Bytes {
    let mut message = BytesMut::with_capacity(frame.len() + 25);
    message.put_slice(origin.as_bytes());
    match frame {
        Frame::Live(bytes) => {
            message.put_u8(LIVE);
            message.put_slice(bytes);
        }
        Frame::Logged {
            seq,
            is_run_end,
            bytes,
        } => {
            message.put_u8(if *is_run_end { RUN_END } else { LOGGED });
            message.put_u64(*seq);
            message.put_slice(bytes);
        }
        Frame::Grown => message.put_u8(GROWN),
    }
    message.freeze()
}

/// The frame and who sent it; `None` for what this program does not know.
pub(super) fn unpack(mut message: Bytes) -> Option<(Uuid, Frame)> {
    let origin = Uuid::from_slice(&message.try_split_to(16)?).ok()?;
    let kind = message.try_get_u8().ok()?;
    let frame = match kind {
        LIVE => Frame::Live(message),
        LOGGED | RUN_END => Frame::Logged {
            seq: message.try_get_u64().ok()?,
            is_run_end: kind == RUN_END,
            bytes: message,
        },
        GROWN => Frame::Grown,
        _ => return None,
    };
    Some((origin, frame))
}

/// A wake-up as text, with who sent it; `None` for signals that go another way.
pub(super) fn write_signal(origin: Uuid, signal: &Signal) -> Option<String> {
    match signal {
        Signal::QueueGrown => Some(format!("{origin} queued")),
        Signal::CancelRun(id) => Some(format!("{origin} cancel {id}")),
        Signal::AccessChanged(_) | Signal::Deaf | Signal::CacheBack | Signal::Changed(_) => None,
    }
}

/// A wake-up and who sent it.
pub(super) fn read_signal(text: &str) -> Option<(Uuid, Signal)> {
    let mut words = text.split(' ');
    let origin = words.next()?.parse().ok()?;
    let signal = match (words.next()?, words.next()) {
        ("queued", None) => Signal::QueueGrown,
        ("cancel", Some(id)) => Signal::CancelRun(id.parse::<RunId>().ok()?),
        _ => return None,
    };
    Some((origin, signal))
}

trait TrySplit: Sized {
    fn try_split_to(&mut self, at: usize) -> Option<Self>;
}

impl TrySplit for Bytes {
    fn try_split_to(&mut self, at: usize) -> Option<Self> {
        (self.len() >= at).then(|| self.split_to(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_as_they_were_sent() {
        let origin = Uuid::from_u128(7);
        let bytes = Bytes::from_static(b"data: {}\n\n");
        for frame in [
            Frame::Live(bytes.clone()),
            Frame::Logged {
                seq: u64::MAX,
                is_run_end: true,
                bytes: bytes.clone(),
            },
            Frame::Logged {
                seq: 1,
                is_run_end: false,
                bytes: bytes.clone(),
            },
            Frame::Grown,
        ] {
            assert_eq!(unpack(pack(origin, &frame)), Some((origin, frame)));
        }
    }

    #[test]
    fn nonsense_is_passed_over() {
        for length in 0..30 {
            let message = Bytes::from(vec![9; length]);
            assert_eq!(unpack(message), None);
        }
        for text in [
            "",
            "x",
            "x queued",
            "00000000-0000-0000-0000-000000000007 sing",
        ] {
            assert_eq!(read_signal(text), None);
        }
    }
}
