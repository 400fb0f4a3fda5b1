//! What is shown of a container.

use std::time::SystemTime;

use domain::containers::{ContainerReport, EgressRefusal, ServerLogLine};
use domain::{McpServerId, Timestamp};

use super::Containers;

impl Containers {
    /// How a server's container is right now.
    pub(crate) async fn report(&self, id: McpServerId) -> ContainerReport {
        let Some(place) = self.find_place(id) else {
            return ContainerReport::default();
        };
        let (is_running, started_at, refusals) = {
            let state = place.state();
            let running = state.running.as_ref();
            let is_running = running.is_some_and(|running| running.exit().is_none());
            let refusals = state.refusals.as_ref().map(|refusals| refusals.list());
            (is_running, state.started_at, refusals.unwrap_or_default())
        };
        let stats = match (is_running, self.provisioner().await) {
            (true, Ok(provisioner)) => {
                let name = self.name(&id.to_string());
                provisioner.stats(&name).await.ok().flatten()
            }
            _ => None,
        };
        ContainerReport {
            is_running,
            started_at: started_at.filter(|_| is_running),
            cpu_ms: stats.map(|stats| stats.cpu_nanos / 1_000_000),
            memory_bytes: stats.map(|stats| stats.memory_bytes),
            pids: stats.map(|stats| stats.pids),
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

    /// The newest lines of the last start's log before line `before`, newest first.
    pub(crate) fn log(&self, id: McpServerId, before: u64, count: usize) -> Vec<ServerLogLine> {
        let log = self
            .find_place(id)
            .and_then(|place| place.state().log.clone());
        let lines = log.map(|log| log.tail(usize::MAX)).unwrap_or_default();
        lines
            .into_iter()
            .rev()
            .filter(|line| line.number < before)
            .take(count)
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
