//! Redis: optional, never waited for longer than 250 ms, never the record of anything.
//!
//! A breaker stands before it: the first call that fails or takes too long opens it, and from then
//! on every call fails at once until Redis answers again. A keeper tries that in the background,
//! so no caller pays for the trying.

mod address;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::redis::aio::PubSub;
use ::redis::{Cmd, FromRedisValue, RedisError, cmd};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::address::{Address, Connection};
use crate::panics::panics;

/// Longest that anybody waits for Redis.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);
/// How often a quiet connection is tried.
const PING_EVERY: Duration = Duration::from_millis(500);
/// Time for a new connection, greeting included.
const OPENING_PATIENCE: Duration = Duration::from_secs(2);
/// Pause between tries to reach it again.
const PAUSE: Duration = Duration::from_millis(250);
/// What shows whether Redis takes writes.
const PROBE: &str = "agentarea:probe";

/// A Redis server, cluster or sentinel-watched master. Cheap to clone.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    address: Address,
    open: Mutex<Open>,
    lost: Notify,
    /// Whether the loss of Redis was logged already.
    is_away: AtomicBool,
}

#[derive(Default)]
struct Open {
    /// `None` while the breaker is open.
    connection: Option<Connection>,
    /// Tells an old connection from its successor.
    number: u64,
}

/// Why Redis did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It cannot be reached, or was too slow.
    #[error("Redis does not answer")]
    Away,
    /// It answered with an error, such as being full.
    #[error("Redis refused: {0}")]
    Refused(RedisError),
}

/// How Redis is.
#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// Answers and takes writes.
    Ok {
        /// How long a round trip took.
        latency: Duration,
    },
    /// Answers, but takes no writes: why.
    Degraded(String),
    /// Does not answer.
    Down,
}

impl Redis {
    /// Reads the URL; connects in the background after [`Redis::start`].
    ///
    /// # Errors
    /// If the URL is malformed.
    pub fn new(url: &SecretString) -> anyhow::Result<Self> {
        // Fails only if somebody else did so before, with the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inner = Inner {
            address: Address::parse(url.expose_secret())?,
            open: Mutex::default(),
            lost: Notify::new(),
            is_away: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Connects, and connects anew whenever the connection is lost, until `stopping`.
    pub fn start(&self, stopping: CancellationToken) {
        let redis = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = redis.keep() => {}
            }
        });
    }

    /// Asks for a sign of life, and whether writes are taken.
    pub async fn health(&self) -> Health {
        let started = Instant::now();
        if self.send::<String>(&cmd("PING")).await.is_err() {
            return Health::Down;
        }
        let latency = started.elapsed();
        let mut write = cmd("SET");
        write.arg(PROBE).arg("ok").arg("PX").arg(10_000);
        match self.send::<()>(&write).await {
            Ok(()) => Health::Ok { latency },
            Err(Failure::Refused(error)) => {
                let code = error.code().unwrap_or("an error").to_owned();
                Health::Degraded(format!("Redis answers but takes no writes: {code}"))
            }
            Err(Failure::Away) => Health::Down,
        }
    }

    /// Whether the breaker lets calls through.
    pub(crate) fn is_up(&self) -> bool {
        self.lock().connection.is_some()
    }

    /// Sends a command.
    pub(crate) async fn send<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, Failure> {
        self.guarded(|mut connection| async move { connection.send(cmd).await })
            .await
    }

    /// Sends commands side by side and gives their answers in order.
    pub(crate) async fn send_all<T: FromRedisValue>(
        &self,
        cmds: &[Cmd],
    ) -> Result<Vec<T>, Failure> {
        self.guarded(|connection| async move { connection.send_all(cmds).await })
            .await
    }

    /// Opens a connection that hears messages.
    pub(crate) async fn listen(&self) -> Result<PubSub, Failure> {
        match timeout(OPENING_PATIENCE, self.inner.address.listen()).await {
            Ok(Ok(listening)) => Ok(listening),
            Ok(Err(_)) | Err(_) => Err(Failure::Away),
        }
    }

    /// Whether the answer to `PUBLISH` counts everybody who heard it.
    pub(crate) fn counts_listeners(&self) -> bool {
        self.inner.address.counts_listeners()
    }

    async fn guarded<T, F>(&self, call: impl FnOnce(Connection) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let (connection, number) = {
            let open = self.lock();
            (open.connection.clone().ok_or(Failure::Away)?, open.number)
        };
        match timeout(PATIENCE, call(connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if is_refusal(&error) => Err(Failure::Refused(error)),
            // An answer that comes too late must not be taken for another's: the connection goes.
            Ok(Err(_)) | Err(_) => {
                self.lose(number);
                Err(Failure::Away)
            }
        }
    }

    /// Opens the breaker, unless the connection was replaced meanwhile.
    fn lose(&self, number: u64) {
        let mut open = self.lock();
        if open.number == number && open.connection.take().is_some() {
            drop(open);
            self.inner.lost.notify_one();
            self.say_away();
        }
    }

    async fn keep(&self) {
        loop {
            panics(self.connect()).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Connects; returns once the connection is lost, or if there is none.
    async fn connect(&self) {
        match self.open().await {
            Some(connection) => {
                self.hold(connection);
                self.watch().await;
            }
            None => self.say_away(),
        }
    }

    async fn open(&self) -> Option<Connection> {
        let opening = async {
            let mut connection = self.inner.address.connect().await?;
            connection.send::<String>(&cmd("PING")).await?;
            Ok::<_, RedisError>(connection)
        };
        timeout(OPENING_PATIENCE, opening).await.ok()?.ok()
    }

    fn hold(&self, connection: Connection) {
        let mut open = self.lock();
        open.number += 1;
        open.connection = Some(connection);
        drop(open);
        if self.inner.is_away.swap(false, Ordering::AcqRel) {
            tracing::info!("Redis answers again");
        }
    }

    /// Returns once the connection is lost.
    async fn watch(&self) {
        while self.is_up() {
            let quiet = timeout(PING_EVERY, self.inner.lost.notified()).await;
            if quiet.is_err() {
                // A failure opens the breaker.
                let _ = self.send::<String>(&cmd("PING")).await;
            }
        }
    }

    fn say_away(&self) {
        if !self.inner.is_away.swap(true, Ordering::AcqRel) {
            tracing::warn!("Redis does not answer; going on without it");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.inner.open.lock().expect("no holder panics")
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

/// Whether a server that is well said no. One that is not the master any more, or not yet ready,
/// is as good as away.
fn is_refusal(error: &RedisError) -> bool {
    let is_unready = matches!(
        error.code(),
        Some("READONLY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "NOAUTH")
    );
    error.code().is_some() && !is_unready
}
