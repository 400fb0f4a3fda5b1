//! A container that was started and is attached to this process.

use std::sync::Arc;

use futures::future::{BoxFuture, Shared};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use crate::relay::Relay;
use crate::{Door, Error, LogBook, Refusals};

/// What the server reads: its standard input.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;
/// What the server writes: its standard output, byte for byte.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// As the engine tells it, 128 + n for signal n; `None` if the engine is gone.
    pub code: Option<i64>,
    /// It was killed for wanting too much memory.
    pub is_out_of_memory: bool,
}

impl Exit {
    /// The exit in words, as an error.
    pub fn to_error(&self, memory_limit_bytes: u64) -> Error {
        match self.code {
            _ if self.is_out_of_memory => Error::OutOfMemory {
                limit_bytes: memory_limit_bytes,
            },
            Some(code) => Error::Exited { code },
            None => Error::EngineGone {
                reason: "the connection to the container ended".to_owned(),
            },
        }
    }
}

/// A container that was just started.
pub struct Started {
    /// The container.
    pub running: Running,
    /// Its standard input.
    pub input: Writer,
    /// Its standard output.
    pub output: Reader,
}

/// A started container. Dropping it closes its input, upon which a well-behaved server ends;
/// the caller still stops or removes it by its id.
pub struct Running {
    /// What it writes to its error output.
    pub log: LogBook,
    /// Connections that were refused to it.
    pub refusals: Refusals,
    pub(crate) exit: watch::Receiver<Option<Exit>>,
    pub(crate) relay: Option<Arc<Relay>>,
    /// Puts somebody beside a server that may reach nobody, to note whom it tries to.
    pub(crate) lookout: Option<Shared<BoxFuture<'static, ()>>>,
    pub(crate) _tasks: DropGuard,
}

impl Running {
    /// Waits for the end of the container, however it comes.
    pub async fn ended(&self) -> Exit {
        let mut exit = self.exit.clone();
        let gone = Exit {
            code: None,
            is_out_of_memory: false,
        };
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone().unwrap_or(gone),
            Err(_) => gone,
        }
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits until tries to reach somebody are noted, where that is not so from the beginning. The
    /// first who waits begins it: it takes a quarter of a second, so the start does not wait for it.
    pub fn look_out(&self) -> impl Future<Output = ()> + Send + use<> {
        let lookout = self.lookout.clone();
        async move {
            if let Some(lookout) = lookout {
                lookout.await;
            }
        }
    }

    /// Opens a socket of this machine whose connections lead to a port of the container.
    ///
    /// # Errors
    /// `NoNetwork` if the container has no relay or the socket cannot be made.
    pub fn open_door(&self, port: u16) -> Result<Door, Error> {
        let failed = |reason: String| Error::NoNetwork { reason };
        let relay = self.relay.clone();
        let relay = relay.ok_or_else(|| failed("the server speaks on stdio only".to_owned()))?;
        Door::open(relay, port).map_err(|error| failed(error.to_string()))
    }

    /// Connects to a port of the container's own loopback.
    ///
    /// # Errors
    /// `NoNetwork` if nothing listens there or the container has no relay.
    pub async fn dial(&self, port: u16) -> Result<DuplexStream, Error> {
        match &self.relay {
            Some(relay) => relay.dial(port).await,
            None => Err(Error::NoNetwork {
                reason: "the server speaks on stdio only".to_owned(),
            }),
        }
    }
}
