//! What is shown of a container.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use domain::containers::{ContainerReport, ContainerSample, EgressRefusal, ServerLogLine};
use domain::{McpServerId, Timestamp};

use futures::{StreamExt, stream};
use provisioner::Stats;

use super::Containers;
use super::place::Place;
use crate::mint;

/// Looks that are kept of one container.
const MAX_SAMPLES: usize = 120;
/// Containers that are looked at at once.
const LOOKS: usize = 8;
/// Longest time for what a container uses: whoever asks wants to see the rest.
const STATS_TIMEOUT: Duration = Duration::from_secs(2);

impl Containers {
    /// How a server's container is right now.
    pub(crate) async fn report(&self, id: McpServerId) -> ContainerReport {
        let Some(place) = self.find_place(id) else {
            return ContainerReport::default();
        };
        let (is_running, started_at, refusals, samples) = {
            let state = place.state();
            let running = state.running.as_ref();
            let is_running = running.is_some_and(|running| running.exit().is_none());
            let refusals = state.refusals.as_ref().map(|refusals| refusals.list());
            let samples = state.samples.iter().copied().collect();
            let refusals = refusals.unwrap_or_default();
            (is_running, state.started_at, refusals, samples)
        };
        let stats = match is_running {
            true => self.stats(id).await,
            false => None,
        };
        ContainerReport {
            is_running,
            started_at: started_at.filter(|_| is_running),
            cpu_ms: stats.map(|stats| stats.cpu_nanos / 1_000_000),
            memory_bytes: stats.map(|stats| stats.memory_bytes),
            pids: stats.map(|stats| stats.pids),
            samples,
            refusals: refusals
                .into_iter()
                .map(|refusal| EgressRefusal {
                    time: timestamp(refusal.time),
                    target: refusal.target,
                    reason: refusal.reason,
                    count: refusal.count,
                })
                .collect(),
        }
    }

    /// Looks at what each container of this process uses.
    pub(crate) async fn look_at_all(&self) {
        let places: Vec<(McpServerId, Arc<Place>)> = {
            let places = self.inner.places.lock();
            let places = places.unwrap_or_else(PoisonError::into_inner);
            places
                .iter()
                .map(|(id, place)| (*id, place.clone()))
                .collect()
        };
        let running = places.into_iter().filter(|(_, place)| {
            let state = place.state();
            let running = state.running.as_ref();
            running.is_some_and(|running| running.exit().is_none())
        });
        stream::iter(running)
            .for_each_concurrent(LOOKS, |(id, place)| self.look_at(id, place))
            .await;
    }

    async fn look_at(&self, id: McpServerId, place: Arc<Place>) {
        let fence = place.state().fence;
        let looked_at = Instant::now();
        let Some(stats) = self.stats(id).await else {
            return;
        };
        let mut state = place.state();
        if state.fence != fence {
            return;
        }
        let last = state.last_look.replace((looked_at, stats.cpu_nanos));
        let Some((last_at, last_nanos)) = last else {
            return;
        };
        let used = stats.cpu_nanos.saturating_sub(last_nanos) as f64;
        let passed = looked_at.duration_since(last_at).as_nanos().max(1) as f64;
        state.samples.push_back(ContainerSample {
            time: mint::now(),
            cpu_millis: (used / passed * 1000.0).round() as u32,
            memory_bytes: stats.memory_bytes,
        });
        if state.samples.len() > MAX_SAMPLES {
            state.samples.pop_front();
        }
    }

    /// What a container uses; nothing of an engine that hangs.
    async fn stats(&self, id: McpServerId) -> Option<Stats> {
        let provisioner = self.provisioner().await.ok()?;
        let name = id.to_string();
        let read = tokio::time::timeout(STATS_TIMEOUT, provisioner.stats(&name));
        read.await.ok()?.ok()?
    }

    /// The last start's log, newest line first.
    pub(crate) fn log(&self, id: McpServerId) -> Vec<ServerLogLine> {
        let log = self
            .find_place(id)
            .and_then(|place| place.state().log.clone());
        let lines = log.map(|log| log.tail(usize::MAX)).unwrap_or_default();
        lines
            .into_iter()
            .rev()
            .map(|line| ServerLogLine {
                number: line.number,
                time: timestamp(line.time),
                text: line.text,
            })
            .collect()
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    time::OffsetDateTime::from(time).into()
}
