//! Whether connected servers still answer, and starting anew those that do not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::McpServerId;
use domain::mcp_servers::McpServerState;
use futures::{StreamExt, stream};
use mcp::{ConnectError, Patience};
use store::panics::panics;
use tokio_util::sync::CancellationToken;

use super::pool::{Live, Pool, Slot, lock};

/// How connected servers are looked after.
#[derive(Clone, Copy, Debug)]
pub struct HealthConfig {
    /// A server that was not used for so long is asked whether it is there.
    pub every: Duration,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// A connection that was not used for so long is closed, and its container ended.
    pub idle: Duration,
    /// How long one call of a tool may take; the longest time counts connecting in.
    pub call: Patience,
}

/// Questions in a row without an answer that make a server unhealthy.
const MAX_MISSES: u32 = 3;
/// So many new starts within so long are a loop: the server is left alone until a person restarts it.
const MAX_STARTS: usize = 5;
const START_WINDOW: Duration = Duration::from_secs(600);
/// Part of the time between two checks that is the pause before the second start; doubled by each
/// further one.
const FIRST_PAUSE: u32 = 30;
/// Servers that are asked at once.
const MAX_AT_ONCE: usize = 32;

/// What is known of one server's health in this process.
#[derive(Debug, Default)]
pub(super) struct Health {
    asked_at: Option<Instant>,
    misses: u32,
    starts: VecDeque<Instant>,
    /// Whether somebody is starting it anew.
    pub(super) is_recovering: bool,
    /// Why it is left alone, as long as its settings are of this revision.
    pub(super) halted: Option<(i32, String)>,
}

impl Health {
    /// Why it is left alone with the settings of a revision.
    pub(super) fn halted_for(&self, revision: i32) -> Option<String> {
        let (halted, reason) = self.halted.as_ref()?;
        (*halted == revision).then(|| reason.clone())
    }

    /// Counts a new start; tells how long to wait before it, or `None` if there were too many.
    fn next_start(&mut self, config: HealthConfig) -> Option<Duration> {
        while self
            .starts
            .front()
            .is_some_and(|at| at.elapsed() > START_WINDOW)
        {
            self.starts.pop_front();
        }
        let count = self.starts.len();
        if count >= MAX_STARTS {
            return None;
        }
        self.starts.push_back(Instant::now());
        Some(match count {
            0 => Duration::ZERO,
            count => config.every / FIRST_PAUSE * 2u32.pow(count as u32 - 1),
        })
    }
}

impl Pool {
    /// Asks servers that were not used lately whether they are there, until `stopping`.
    pub(super) async fn look_after(&self, stopping: &CancellationToken) {
        let pause = self.health.every / 6;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let checks = async {
                stream::iter(self.due())
                    .for_each_concurrent(MAX_AT_ONCE, |(id, slot, live)| self.check(id, slot, live))
                    .await;
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = panics(checks) => {}
            }
        }
    }

    fn due(&self) -> Vec<(McpServerId, Arc<Slot>, Arc<Live>)> {
        let slots: Vec<_> = self
            .lock()
            .iter()
            .map(|(id, slot)| (*id, slot.clone()))
            .collect();
        let is_due = |(id, slot): (McpServerId, Arc<Slot>)| {
            let live = slot.state.try_lock().ok()?.live.clone()?;
            let health = lock(&slot.health);
            let asked = health
                .asked_at
                .is_none_or(|at| at.elapsed() >= self.health.every);
            let idle = lock(&slot.used_at).elapsed() >= self.health.every;
            // One that goes through another process is looked after there.
            let is_free = !slot.is_busy() && !live.connection.is_closed() && live.through.is_none();
            let is_due = asked && idle && is_free && !health.is_recovering;
            drop(health);
            is_due.then_some((id, slot, live))
        };
        slots.into_iter().filter_map(is_due).collect()
    }

    async fn check(&self, id: McpServerId, slot: Arc<Slot>, live: Arc<Live>) {
        lock(&slot.health).asked_at = Some(Instant::now());
        let answer = live.connection.ping(self.health.timeout).await;
        let silence = match answer {
            Err(error @ (ConnectError::Timeout { .. } | ConnectError::Unreachable(_))) => error,
            // Whatever it says, it is there.
            _ => {
                let misses = std::mem::take(&mut lock(&slot.health).misses);
                if misses >= MAX_MISSES {
                    self.note(id, &live, McpServerState::Ready, None).await;
                }
                return;
            }
        };
        let misses = {
            let mut health = lock(&slot.health);
            health.misses += 1;
            health.misses
        };
        tracing::info!(mcp_server.id = %id, misses, error = %silence, "a tool server is silent");
        if misses < MAX_MISSES {
            return;
        }
        let reason = format!("it did not answer {MAX_MISSES} checks in a row: {silence}");
        let state = McpServerState::Unhealthy;
        self.note(id, &live, state, Some(reason.clone())).await;
        let (this, recovered) = (self.clone(), slot.clone());
        slot.recover_by(async move { this.recover(id, &recovered, live, reason).await });
    }

    /// Starts a server anew, again and again with growing pauses, unless somebody else has.
    async fn recover(&self, id: McpServerId, slot: &Slot, silent: Arc<Live>, reason: String) {
        let workspace_id = silent.workspace_id;
        let mut reason = reason;
        loop {
            let Some(pause) = lock(&slot.health).next_start(self.health) else {
                let told = format!(
                    "it had to be started anew {MAX_STARTS} times within 10 minutes and is left \
                     alone now; the last time: {reason}. Correct it, then restart the server"
                );
                lock(&slot.health).halted = Some((silent.revision, told.clone()));
                let mut state = slot.state.lock().await;
                state.live = None;
                drop(state);
                let state = McpServerState::Failed;
                self.note(id, &silent, state, Some(told)).await;
                return;
            };
            tokio::time::sleep(pause + outbound::jitter(pause / 4)).await;
            let mut state = slot.state.lock().await;
            let is_other = |live: &Arc<Live>| !Arc::ptr_eq(live, &silent);
            if state.live.as_ref().is_some_and(is_other) {
                return;
            }
            let revision = silent.revision;
            match self.open(&mut state, workspace_id, id, revision).await {
                Ok(_) => {
                    lock(&slot.health).misses = 0;
                    return;
                }
                // Whoever leads the fleet starts it once its engine is back.
                Err(ConnectError::Unavailable(_)) => return,
                Err(error) => reason = error.to_string(),
            }
        }
    }

    async fn note(
        &self,
        id: McpServerId,
        live: &Live,
        state: McpServerState,
        reason: Option<String>,
    ) {
        self.connector
            .note(live.workspace_id, id, live.revision, state, reason)
            .await;
    }
}
