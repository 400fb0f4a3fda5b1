//! The messages of a stream of events that comes by a wire.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use sse_stream::{Error as SseError, SseByteStream};

use crate::connection::MAX_MESSAGE_BYTES;
use crate::error::{CallError, ConnectError};

use super::wires::Exchange;

/// Reads the messages out of the body of an answer.
pub(super) struct Events {
    events: SseByteStream<Pieces>,
    source: Arc<Mutex<Source>>,
}

/// Where the bytes come from; whoever reads the events can take it back.
struct Source {
    exchange: Option<Exchange>,
    /// Bytes that have come of an event that has not.
    unfinished: usize,
}

/// The body's bytes, ended by too many of them without an event's end.
struct Pieces(Arc<Mutex<Source>>);

impl Events {
    pub(super) fn new(exchange: Exchange) -> Self {
        let source = Arc::new(Mutex::new(Source {
            exchange: Some(exchange),
            unfinished: 0,
        }));
        Self {
            events: SseByteStream::new(Pieces(source.clone())),
            source,
        }
    }

    /// The next message; `None` at the end. Events of other kinds are passed over.
    pub(super) async fn next(&mut self) -> Option<Result<String, CallError>> {
        loop {
            let event = match self.events.next().await? {
                Ok(event) => event,
                Err(error) => return Some(Err(call_error(error))),
            };
            lock(&self.source).unfinished = 0;
            let is_message = matches!(event.event.as_deref(), None | Some("" | "message"));
            if let Some(data) = event.data.filter(|_| is_message) {
                return Some(Ok(data));
            }
        }
    }

    /// Nothing more is wanted of it.
    pub(super) fn give_back(self) {
        if let Some(exchange) = lock(&self.source).exchange.take() {
            exchange.give_back();
        }
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut source = lock(&self.0);
        let Some(exchange) = &mut source.exchange else {
            return Poll::Ready(None);
        };
        let polled = exchange.poll_next(cx);
        if let Poll::Ready(Some(Ok(piece))) = &polled {
            source.unfinished += piece.len();
            if source.unfinished > MAX_MESSAGE_BYTES {
                let what = "sends a message that is too large: more than 4 MiB".to_owned();
                return Poll::Ready(Some(Err(ConnectError::TooMuch(what).into())));
            }
        }
        polled
    }
}

fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

fn call_error(error: SseError) -> CallError {
    let nonsense = || {
        let what = "the server's answer is not a stream of events".to_owned();
        CallError::Connect(ConnectError::Protocol(what))
    };
    match error {
        SseError::Body(error) => error.downcast().map_or_else(|_| nonsense(), |error| *error),
        _ => nonsense(),
    }
}
