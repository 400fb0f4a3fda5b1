//! Server-sent events from bytes, with a bound and a limit on silence.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use sse_stream::{Error as SseError, SseByteStream};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::ModelError;
use crate::http::timed_out;

const EVENT_MIB: u32 = 8;
const EVENT_BYTES: usize = EVENT_MIB as usize * 1024 * 1024;

type Body = Pin<Box<dyn Stream<Item = Result<Bytes, reqwest::Error>> + Send>>;

/// The data of each event.
pub(crate) struct Events {
    inner: SseByteStream<Guarded>,
    limits: Arc<Limits>,
}

/// What the reader of events tells the reader of bytes, through the SSE crate between them.
struct Limits {
    unfinished_bytes: AtomicUsize,
    patience_ms: AtomicU64,
}

/// The body's bytes, ended by silence or by too many of them without an event's end.
struct Guarded {
    body: Body,
    limits: Arc<Limits>,
    deadline: Instant,
    alarm: Pin<Box<Sleep>>,
}

/// Why the bytes end early; crosses the SSE crate as an opaque error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Stopped(ModelError);

impl Events {
    /// Events of a body that must say something before `deadline`, then every `patience`.
    pub(crate) fn new(
        body: impl Stream<Item = Result<Bytes, reqwest::Error>> + Send + 'static,
        patience: Duration,
        deadline: Instant,
    ) -> Self {
        let limits = Arc::new(Limits {
            unfinished_bytes: AtomicUsize::new(0),
            patience_ms: AtomicU64::new(as_ms(patience)),
        });
        let guarded = Guarded {
            body: Box::pin(body),
            limits: limits.clone(),
            deadline,
            alarm: Box::pin(sleep_until(deadline)),
        };
        Self {
            inner: SseByteStream::new(guarded),
            limits,
        }
    }

    /// Changes how long the server may be silent, from the next byte on.
    pub(crate) fn set_patience(&self, patience: Duration) {
        let patience_ms = as_ms(patience);
        self.limits
            .patience_ms
            .store(patience_ms, Ordering::Relaxed);
    }

    /// The next event's data; `None` at the end of the body.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<String, ModelError>>> {
        loop {
            let event = ready!(Pin::new(&mut self.inner).poll_next(cx));
            self.limits.unfinished_bytes.store(0, Ordering::Relaxed);
            match event {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(model_error(error)))),
                Some(Ok(event)) => {
                    if let Some(data) = event.data.filter(|data| !data.is_empty()) {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

impl Stream for Guarded {
    type Item = Result<Bytes, Stopped>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match this.body.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                this.deadline = Instant::now() + this.limits.patience();
                let before = this
                    .limits
                    .unfinished_bytes
                    .fetch_add(bytes.len(), Ordering::Relaxed);
                if before + bytes.len() > EVENT_BYTES {
                    let error = ModelError::TooLarge {
                        limit_mib: EVENT_MIB,
                    };
                    return Poll::Ready(Some(Err(Stopped(error))));
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(Stopped(ModelError::Interrupted)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                // The timer is moved when it rings too early, not at every chunk.
                if this.alarm.deadline() > this.deadline {
                    this.alarm.as_mut().reset(this.deadline);
                }
                while this.alarm.deadline() < this.deadline {
                    ready!(this.alarm.as_mut().poll(cx));
                    this.alarm.as_mut().reset(this.deadline);
                }
                ready!(this.alarm.as_mut().poll(cx));
                Poll::Ready(Some(Err(Stopped(timed_out(this.limits.patience())))))
            }
        }
    }
}

impl Limits {
    fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.load(Ordering::Relaxed))
    }
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn model_error(error: SseError) -> ModelError {
    match error {
        SseError::Body(stopped) => match stopped.downcast::<Stopped>() {
            Ok(stopped) => stopped.0,
            Err(_) => ModelError::Interrupted,
        },
        SseError::Utf8Parse(_) => ModelError::Malformed {
            what: "it is not UTF-8",
        },
        _ => ModelError::Malformed {
            what: "it is not a stream of events",
        },
    }
}
