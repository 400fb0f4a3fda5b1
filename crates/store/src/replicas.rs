//! Read-only copies of the database, for lists and reports.
//!
//! A copy lags behind. What this process wrote it reads back all the same: a copy is asked about a
//! workspace only when it has everything that had been written when this process last wrote there.
//! What others wrote may be missing for as long as a copy lags, at most [`MAX_LAG`]. Without a copy
//! that is good enough the primary answers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::WorkspaceId;
use moka::sync::Cache;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;

use crate::database::{Store, TenantTx, begin, enter_statement, pool};
use crate::panics::panics;

/// A copy further behind is not asked.
pub const MAX_LAG: Duration = Duration::from_secs(5);
/// How often the copies are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Longest wait for a copy's answer to that.
const PATIENCE: Duration = Duration::from_secs(2);
/// Ends of the primary's log that are remembered: somewhat more than [`MAX_LAG`].
const REMEMBERED: usize = 32;

/// All copies.
#[derive(Debug)]
pub(crate) struct Replicas {
    all: Vec<Replica>,
    next: AtomicUsize,
    /// When this process last wrote into a workspace.
    written: Cache<WorkspaceId, Instant>,
}

#[derive(Debug)]
struct Replica {
    /// Host and port.
    name: String,
    pool: PgPool,
    /// It has everything that was written before this moment.
    has_until: Mutex<Option<Instant>>,
}

/// How a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// Host and port.
    pub name: String,
    /// How old what it shows may be; `None` if it is not asked.
    pub lag: Option<Duration>,
}

/// A position in the log of PostgreSQL.
type Position = u64;

impl Replicas {
    /// `None` if there are no copies.
    pub(crate) fn new(options: Vec<PgConnectOptions>, connections: u32) -> Option<Arc<Self>> {
        let all: Vec<Replica> = options
            .into_iter()
            .map(|options| Replica {
                name: format!("{}:{}", options.get_host(), options.get_port()),
                pool: pool(options, connections),
                has_until: Mutex::new(None),
            })
            .collect();
        let written = Cache::builder()
            .max_capacity(100_000)
            .time_to_live(2 * MAX_LAG)
            .build();
        let next = AtomicUsize::new(0);
        (!all.is_empty()).then(|| Arc::new(Self { all, next, written }))
    }

    /// Takes notice that this process has written.
    pub(crate) fn note_write(&self, workspace_id: WorkspaceId) {
        self.written.insert(workspace_id, Instant::now());
    }

    /// A transaction on a copy that shows everything this process has written there.
    async fn begin(&self, workspace_id: WorkspaceId) -> Option<TenantTx> {
        let written = self.written.get(&workspace_id);
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for number in 0..self.all.len() {
            let replica = &self.all[(first + number) % self.all.len()];
            if !replica.has_all(written) {
                continue;
            }
            let statement = enter_statement("begin read only", workspace_id);
            match begin(&replica.pool, statement).await {
                Ok(tx) => return Some(TenantTx::inside(tx, workspace_id, None)),
                Err(error) => replica.let_go(&error),
            }
        }
        None
    }

    async fn look(&self, primary: &Store, ends: &mut VecDeque<(Instant, Position)>) {
        let asked = Instant::now();
        let end = "select pg_current_wal_lsn()::text";
        let known = tokio::time::timeout(PATIENCE, position(primary.pool(), end)).await;
        if let Ok(Ok(Some(end))) = known {
            ends.push_back((asked, end));
            if ends.len() > REMEMBERED {
                ends.pop_front();
            }
        }
        let looks = self.all.iter().map(|replica| replica.look(ends));
        futures::future::join_all(looks).await;
    }
}

impl Replica {
    fn has_all(&self, written: Option<Instant>) -> bool {
        let has_until = *self.has_until.lock().expect("no holder panics");
        has_until.is_some_and(|until| {
            until.elapsed() < MAX_LAG && written.is_none_or(|written| written < until)
        })
    }

    async fn look(&self, ends: &VecDeque<(Instant, Position)>) {
        // Nothing from a server that is no copy: it would never catch up.
        let replayed = "select pg_last_wal_replay_lsn()::text where pg_is_in_recovery()";
        let replayed = match tokio::time::timeout(PATIENCE, position(&self.pool, replayed)).await {
            Ok(Ok(Some(replayed))) => replayed,
            Ok(Ok(None)) => return self.let_go(&"it is no copy: it is not in recovery"),
            Ok(Err(error)) => return self.let_go(&error),
            Err(_) => return self.let_go(&"no answer"),
        };
        let reached = ends.iter().rev().find(|(_, end)| *end <= replayed);
        let Some((moment, _)) = reached else { return };
        let before = self
            .has_until
            .lock()
            .expect("no holder panics")
            .replace(*moment);
        if before.is_none() {
            tracing::info!(
                replica = self.name,
                "lists and reports are read from here too"
            );
        }
    }

    fn let_go(&self, reason: &dyn std::fmt::Display) {
        let before = self.has_until.lock().expect("no holder panics").take();
        if before.is_some() {
            tracing::warn!(replica = self.name, %reason, "a copy of the database is not asked any more");
        }
    }
}

impl Store {
    /// Begins a transaction that only reads, on a copy of the database if one is good enough.
    /// For lists and reports, not for what decides something.
    ///
    /// # Errors
    /// `Unavailable` if there is no connection within 5 s.
    pub async fn begin_reading(&self, workspace_id: WorkspaceId) -> crate::Result<TenantTx> {
        if let Some(replicas) = self.replicas()
            && let Some(tx) = replicas.begin(workspace_id).await
        {
            return Ok(tx);
        }
        self.begin(workspace_id).await
    }

    /// Keeps an eye on the copies until `stopping`.
    pub async fn watch_replicas(&self, stopping: &CancellationToken) {
        let Some(replicas) = self.replicas() else {
            return;
        };
        let mut ends = VecDeque::new();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                // Reads go to the copies for as long as somebody looks at them.
                _ = ticks.tick() => drop(panics(replicas.look(self, &mut ends)).await),
            }
        }
    }

    /// How the copies are, in the order of the setting.
    pub fn replica_states(&self) -> Vec<ReplicaState> {
        let all = self.replicas().map(|replicas| &replicas.all);
        let states = all.into_iter().flatten().map(|replica| {
            let has_until = *replica.has_until.lock().expect("no holder panics");
            let lag = has_until.map(|until| until.elapsed());
            ReplicaState {
                name: replica.name.clone(),
                lag: lag.filter(|lag| *lag < MAX_LAG),
            }
        });
        states.collect()
    }
}

/// A position that a query gives as text, such as `16/B374D848`.
async fn position(pool: &PgPool, query: &'static str) -> sqlx::Result<Option<Position>> {
    let text: Option<String> = sqlx::query_scalar(query)
        .fetch_optional(pool)
        .await?
        .flatten();
    Ok(text.as_deref().and_then(parse))
}

/// Two halves of 32 bits, in hexadecimal.
fn parse(text: &str) -> Option<Position> {
    let (high, low) = text.split_once('/')?;
    let half = |digits| u64::from_str_radix(digits, 16).ok();
    Some(half(high)? << 32 | half(low)?)
}
