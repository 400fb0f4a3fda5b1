//! Our end of the relay: streams in and out of a container's network namespace.

mod stream;
#[path = "../../relay/wire.rs"]
mod wire;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{Error, Reader, Writer};
use stream::Stream;
use wire::{HEADER, Kind};

/// The static program, or nothing where it could not be linked.
pub(crate) const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relay"));

const READY_TIMEOUT: Duration = Duration::from_secs(10);
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
const FRAMES: usize = 64;

/// What to do with a connection from inside: the stream, and the address it was made to.
pub(crate) type Accept = Arc<dyn Fn(DuplexStream, String) + Send + Sync>;

/// One relay; ends when its container does or its token is cancelled.
pub(crate) struct Relay {
    output: mpsc::Sender<Bytes>,
    streams: Mutex<HashMap<u32, Arc<Stream>>>,
    dialling: Mutex<HashMap<u32, oneshot::Sender<DuplexStream>>>,
    last: AtomicU32,
    accept: Accept,
    token: CancellationToken,
}

impl Relay {
    /// Takes over the relay's input and output and waits until it listens.
    ///
    /// # Errors
    /// `NoNetwork` if it ends or says nothing within 10 s.
    pub(crate) async fn open(
        (input, output): (Writer, Reader),
        accept: Accept,
        token: CancellationToken,
    ) -> Result<Arc<Self>, Error> {
        let (sender, frames) = mpsc::channel(FRAMES);
        let (ready, is_ready) = oneshot::channel();
        let relay = Arc::new(Self {
            output: sender,
            streams: Mutex::default(),
            dialling: Mutex::default(),
            last: AtomicU32::new(0),
            accept,
            token: token.clone(),
        });
        tokio::spawn(
            token
                .clone()
                .run_until_cancelled_owned(write_frames(input, frames)),
        );
        let reading = Arc::clone(&relay);
        tokio::spawn(async move {
            let token = reading.token.clone();
            let read = reading.read_frames(output, ready);
            if let Some(Err(error)) = token.run_until_cancelled(read).await {
                tracing::debug!(%error, "relay ended");
            }
            reading.close();
        });
        let failed = |reason: &str| Error::NoNetwork {
            reason: reason.to_owned(),
        };
        match tokio::time::timeout(READY_TIMEOUT, is_ready).await {
            Ok(Ok(())) => Ok(relay),
            Ok(Err(_)) => Err(failed("the relay ended")),
            Err(_) => Err(failed("the relay does not answer")),
        }
    }

    /// Connects to a port inside.
    pub(crate) async fn dial(self: &Arc<Self>, port: u16) -> Result<DuplexStream, Error> {
        let failed = || Error::NoNetwork {
            reason: format!("nothing listens on port {port} of the container"),
        };
        let id = self.last.fetch_add(2, Ordering::Relaxed) + 2;
        let (sender, opened) = oneshot::channel();
        lock(&self.dialling).insert(id, sender);
        self.send(Kind::Open, id, port.to_string().as_bytes()).await;
        let opened = tokio::time::timeout(DIAL_TIMEOUT, opened).await;
        lock(&self.dialling).remove(&id);
        match opened {
            Ok(Ok(stream)) => Ok(stream),
            _ => Err(failed()),
        }
    }

    async fn read_frames(
        self: &Arc<Self>,
        mut output: Reader,
        ready: oneshot::Sender<()>,
    ) -> io::Result<()> {
        let mut ready = Some(ready);
        let mut header = [0; HEADER];
        loop {
            output.read_exact(&mut header).await?;
            let (kind, id, length) = wire::parse(header)?;
            let mut payload = vec![0; length];
            output.read_exact(&mut payload).await?;
            match kind {
                Kind::Ready => {
                    if let Some(ready) = ready.take() {
                        let _ = ready.send(());
                    }
                }
                Kind::Open => self.opened(id, &payload),
                _ => self.take(id, kind, payload)?,
            }
        }
    }

    fn opened(self: &Arc<Self>, id: u32, payload: &[u8]) {
        let is_ours = id.is_multiple_of(2);
        let dialled = lock(&self.dialling).remove(&id);
        if is_ours && dialled.is_none() {
            // Whoever dialled has given up.
            let relay = Arc::clone(self);
            tokio::spawn(async move { relay.send(Kind::Reset, id, &[]).await });
            return;
        }
        let (stream, near) = Stream::open(self, id);
        lock(&self.streams).insert(id, stream);
        match dialled {
            Some(dialled) => drop(dialled.send(near)),
            None => (self.accept)(near, String::from_utf8_lossy(payload).into_owned()),
        }
    }

    fn take(&self, id: u32, kind: Kind, payload: Vec<u8>) -> io::Result<()> {
        if kind == Kind::Reset && lock(&self.dialling).remove(&id).is_some() {
            return Ok(());
        }
        let Some(stream) = lock(&self.streams).get(&id).cloned() else {
            return Ok(());
        };
        stream.take(kind, payload)
    }

    async fn send(&self, kind: Kind, id: u32, payload: &[u8]) {
        let frame = [&wire::header(kind, id, payload.len()), payload].concat();
        // A relay that is gone has closed its streams already.
        let _ = self.output.send(frame.into()).await;
    }

    fn forget(&self, id: u32) {
        lock(&self.streams).remove(&id);
    }

    fn close(&self) {
        self.token.cancel();
        lock(&self.streams).clear();
        lock(&self.dialling).clear();
    }
}

async fn write_frames(mut input: Writer, mut frames: mpsc::Receiver<Bytes>) {
    while let Some(frame) = frames.recv().await {
        if input.write_all(&frame).await.is_err() || input.flush().await.is_err() {
            break;
        }
    }
    let _ = input.shutdown().await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
