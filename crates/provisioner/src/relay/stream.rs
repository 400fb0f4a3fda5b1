//! One stream through the relay, with credit in both directions.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::Relay;
use super::wire::{self, Kind, MAX_PAYLOAD, WINDOW};

/// The far half of a stream; the near half is an ordinary byte stream.
pub(super) struct Stream {
    /// Bytes for the near half; empty ones end them. At most a window of bytes is in it.
    incoming: mpsc::UnboundedSender<Vec<u8>>,
    waiting: AtomicUsize,
    /// One permit for each byte that the relay still takes.
    credit: Semaphore,
    /// Cancelled when either side broke the stream off.
    broken: CancellationToken,
}

impl Stream {
    /// Makes a stream and starts carrying its bytes; ends with both halves or with the relay.
    pub(super) fn open(relay: &Arc<Relay>, id: u32) -> (Arc<Self>, DuplexStream) {
        let (near, far) = tokio::io::duplex(WINDOW);
        let (incoming, received) = mpsc::unbounded_channel();
        let stream = Arc::new(Self {
            incoming,
            waiting: AtomicUsize::new(0),
            credit: Semaphore::new(WINDOW),
            broken: CancellationToken::new(),
        });
        let (reader, writer) = tokio::io::split(far);
        let (relay, carried) = (Arc::clone(relay), Arc::clone(&stream));
        tokio::spawn(async move {
            let token = relay.token.clone();
            let inward = carried.write_near(&relay, id, received, writer);
            let outward = carried.read_near(&relay, id, reader);
            let both = async { tokio::join!(inward, outward) };
            token.run_until_cancelled(both).await;
            relay.forget(id);
        });
        (stream, near)
    }

    /// Takes a frame; an error breaks the whole relay, which does not keep to the rules.
    pub(super) fn take(&self, kind: Kind, payload: Vec<u8>) -> io::Result<()> {
        match kind {
            Kind::Data => {
                let length = payload.len();
                if self.waiting.fetch_add(length, Ordering::Relaxed) + length > WINDOW {
                    return Err(io::Error::other("more data than agreed"));
                }
                if length > 0 {
                    let _ = self.incoming.send(payload);
                }
            }
            Kind::Consumed => {
                let count = wire::count(&payload);
                if self.credit.available_permits() + count > WINDOW {
                    return Err(io::Error::other("more credit than used"));
                }
                self.credit.add_permits(count);
            }
            Kind::End => drop(self.incoming.send(Vec::new())),
            Kind::Reset => {
                self.break_off();
                let _ = self.incoming.send(Vec::new());
            }
            Kind::Ready | Kind::Open => {}
        }
        Ok(())
    }

    async fn write_near(
        &self,
        relay: &Relay,
        id: u32,
        mut received: mpsc::UnboundedReceiver<Vec<u8>>,
        mut writer: WriteHalf<DuplexStream>,
    ) {
        while let Some(bytes) = received.recv().await {
            if bytes.is_empty() {
                break;
            }
            if writer.write_all(&bytes).await.is_err() {
                relay.send(Kind::Reset, id, &[]).await;
                return self.break_off();
            }
            self.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
            let consumed = (bytes.len() as u32).to_be_bytes();
            relay.send(Kind::Consumed, id, &consumed).await;
        }
        let _ = writer.shutdown().await;
    }

    async fn read_near(&self, relay: &Relay, id: u32, mut reader: ReadHalf<DuplexStream>) {
        let mut buffer = vec![0; MAX_PAYLOAD];
        loop {
            let Ok(first) = self.credit.acquire().await else {
                return;
            };
            first.forget();
            let more = self.credit.available_permits().min(MAX_PAYLOAD - 1) as u32;
            let room = match self.credit.try_acquire_many(more) {
                Ok(permits) => {
                    permits.forget();
                    more as usize + 1
                }
                Err(_) => 1,
            };
            let length = tokio::select! {
                read = reader.read(&mut buffer[..room]) => read.unwrap_or(0),
                () = self.broken.cancelled() => return,
            };
            self.credit.add_permits(room - length);
            if length == 0 {
                return relay.send(Kind::End, id, &[]).await;
            }
            relay.send(Kind::Data, id, &buffer[..length]).await;
        }
    }

    fn break_off(&self) {
        self.credit.close();
        self.broken.cancel();
    }
}
