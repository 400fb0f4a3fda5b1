//! A socket that gives up on clients who neither send nor read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Longest wait for a client to take anything of an answer, streams included.
const WRITE_PATIENCE: Duration = Duration::from_secs(12);
/// Wait for a connection's first request, and for the rest of any request's headers.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Wait for the rest of a body, before anything of it has come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that buy a second more.
const BODY_BYTES_PER_SECOND: u64 = 16 * 1024;
/// Longest wait for a whole body.
const BODY_PATIENCE_MAX: Duration = Duration::from_secs(600);
/// Most of a body that is handed on without a pause. Who takes all that is there before looking at it,
/// as the reader of forms does, would else hold as much in memory as a fast client sends.
const BODY_BYTES_AT_ONCE: usize = 256 * 1024;

/// How long a client is listened to that still sends a body nobody wants, so that it gets to read
/// why: closing at once would reset the connection and the answer with it.
const LINGER: Duration = Duration::from_secs(2);
/// Most of such a body that is read.
const LINGER_BYTES: u64 = 64 * 1024 * 1024;

/// What a connection's guard knows of its requests and their bodies.
#[derive(Debug, Default)]
struct Bodies {
    /// Requests whose headers have come so far, those without a body included.
    begun: AtomicU32,
    /// Begun and not ended: more than one only for a moment, when a handler lets go of a body while
    /// the next request comes in.
    open: AtomicU32,
    /// Whether a handler waits for more, and does not keep the client waiting itself.
    is_awaited: AtomicBool,
    /// Whether one was let go of before its end.
    is_abandoned: AtomicBool,
}

/// A TCP stream that fails with `TimedOut` when its client stalls.
///
/// Only time in which a read or write really waits for the client counts. The one timer of a
/// connection is made when something waits for the first time and is not touched when the wait
/// ends: it may fire late and in vain, but costs nothing per chunk.
pub struct StallGuard {
    stream: TcpStream,
    bodies: Arc<Bodies>,
    /// Requests whose headers had come when last looked at.
    requests: u32,
    /// Whether something of the next one's has come.
    has_part_of_head: bool,
    head_since: Option<Instant>,
    /// How long the client let us wait for the body so far.
    body_waited: Duration,
    body_bytes: u64,
    reading_since: Option<Instant>,
    writing_since: Option<Instant>,
    lingering_since: Option<Instant>,
    lingered_bytes: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The body of a request, which the guard of its connection knows to be awaited.
pub struct AwaitedBody {
    body: Incoming,
    /// `None` once all of it has come.
    bodies: Option<Arc<Bodies>>,
    /// Bytes handed on since the last pause.
    at_once: usize,
}

impl StallGuard {
    /// Guards an accepted stream.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            bodies: Arc::default(),
            requests: 0,
            has_part_of_head: false,
            head_since: None,
            body_waited: Duration::ZERO,
            body_bytes: 0,
            reading_since: None,
            writing_since: None,
            lingering_since: None,
            lingered_bytes: 0,
            timer: None,
        }
    }

    /// Watches the bodies of this connection's requests.
    pub fn bodies(&self) -> BodyWatch {
        BodyWatch {
            bodies: self.bodies.clone(),
        }
    }

    /// Notes that a read has to wait; an error if the client was given time enough.
    fn wait_to_read(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.bodies.open.load(Ordering::Acquire) == 0 {
            self.forget_body();
            return self.wait_for_head(cx);
        }
        let mut deadline = self.body_deadline();
        if deadline <= Instant::now() && !self.bodies.is_awaited.load(Ordering::Acquire) {
            self.forget_body();
            deadline = self.body_deadline();
        }
        self.wait_until(deadline, cx)
    }

    /// Waiting for a further request is limited by hyper, waiting for an answer by its handler.
    fn wait_for_head(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let requests = self.bodies.begun.load(Ordering::Acquire);
        if requests != self.requests {
            self.requests = requests;
            self.has_part_of_head = false;
            self.head_since = None;
        }
        if requests > 0 && !self.has_part_of_head {
            return Ok(());
        }
        let since = *self.head_since.get_or_insert_with(Instant::now);
        self.wait_until(since + HEAD_PATIENCE, cx)
    }

    fn body_deadline(&mut self) -> Instant {
        let since = *self.reading_since.get_or_insert_with(Instant::now);
        let earned = Duration::from_secs(self.body_bytes / BODY_BYTES_PER_SECOND);
        let patience = (BODY_PATIENCE + earned).min(BODY_PATIENCE_MAX);
        since + patience.saturating_sub(self.body_waited)
    }

    fn has_read(&mut self, bytes: usize) {
        if let Some(since) = self.reading_since.take() {
            self.body_waited += since.elapsed();
        }
        self.body_bytes += bytes as u64;
        if bytes > 0 && self.bodies.open.load(Ordering::Acquire) == 0 {
            self.has_part_of_head = true;
        }
    }

    fn forget_body(&mut self) {
        self.reading_since = None;
        self.body_waited = Duration::ZERO;
        self.body_bytes = 0;
    }

    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.writing_since = None;
            return poll;
        }
        let since = *self.writing_since.get_or_insert_with(Instant::now);
        match self.wait_until(since + WRITE_PATIENCE, cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Reads on, so that the answer arrives; ends well in any case.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let since = *self.lingering_since.get_or_insert_with(Instant::now);
        let mut scratch = [0; 8 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Pending if self.wait_until(since + LINGER, cx).is_ok() => {
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.lingered_bytes += buf.filled().len() as u64;
                    if self.lingered_bytes <= LINGER_BYTES && since.elapsed() < LINGER {
                        continue;
                    }
                }
                _ => {}
            }
            return Poll::Ready(Ok(()));
        }
    }

    /// Wakes the task at `deadline` or earlier.
    fn wait_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if deadline <= Instant::now() {
                // A reset: the kernel must not keep on offering what the client does not take.
                let _ = self.stream.set_zero_linger();
                return Err(io::ErrorKind::TimedOut.into());
            }
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

impl AsyncRead for StallGuard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                this.has_read(buf.filled().len() - before);
                Poll::Ready(result)
            }
            Poll::Pending => match this.wait_to_read(cx) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering_since.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.bodies.is_abandoned.load(Ordering::Acquire) {
                return Poll::Ready(Ok(()));
            }
        }
        this.linger(cx)
    }
}

/// Tells the guard of a connection which bodies it awaits. Cheap to clone.
#[derive(Clone)]
pub struct BodyWatch {
    bodies: Arc<Bodies>,
}

impl BodyWatch {
    /// Watches the body of a request whose headers have come, until it ends or is dropped.
    pub fn watch(&self, body: Incoming) -> AwaitedBody {
        self.bodies.begun.fetch_add(1, Ordering::AcqRel);
        let bodies = (!body.is_end_stream()).then(|| {
            self.bodies.open.fetch_add(1, Ordering::AcqRel);
            self.bodies.clone()
        });
        AwaitedBody {
            body,
            bodies,
            at_once: 0,
        }
    }
}

impl AwaitedBody {
    fn end(&mut self) {
        if let Some(bodies) = self.bodies.take() {
            bodies.is_awaited.store(false, Ordering::Release);
            bodies.open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for AwaitedBody {
    fn drop(&mut self) {
        if let Some(bodies) = &self.bodies {
            bodies.is_abandoned.store(true, Ordering::Release);
        }
        self.end();
    }
}

impl Body for AwaitedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.at_once >= BODY_BYTES_AT_ONCE {
            self.at_once = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let poll = Pin::new(&mut self.body).poll_frame(cx);
        self.at_once = match &poll {
            Poll::Ready(Some(Ok(frame))) => self.at_once + frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        let has_ended = match &poll {
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
            Poll::Ready(_) => true,
            Poll::Pending => false,
        };
        if has_ended {
            self.end();
        } else if let Some(bodies) = &self.bodies {
            bodies
                .is_awaited
                .store(poll.is_pending(), Ordering::Release);
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
