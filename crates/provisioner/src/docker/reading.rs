//! What containers do and use.

use bollard::models::{ContainerState, ContainerStateStatusEnum, ContainerStatsResponse};
use bollard::query_parameters::{InspectContainerOptions, StatsOptions};
use futures::StreamExt;

use super::Docker;
use super::body::{FENCE, INSTALLATION, PART_SERVER, REVISION, SERVER, WORKSPACE};
use super::fault::{answer, fault};
use crate::{Error, Exit, Instance, State, Stats};

impl Docker {
    pub(super) async fn read_instance(&self, id: &str) -> Result<Option<Instance>, Error> {
        self.read_container(&self.name(id)).await
    }

    async fn read_container(&self, container: &str) -> Result<Option<Instance>, Error> {
        let client = self.client().await?;
        let found = client.inspect_container(container, None::<InspectContainerOptions>);
        let found = match found.await {
            Ok(found) => found,
            Err(error) if matches!(answer(&error), Some((404, _))) => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        let labels = found.config.and_then(|config| config.labels);
        let mut labels = labels.unwrap_or_default();
        if labels.get(INSTALLATION) != Some(&self.config.installation) {
            return Ok(None);
        }
        let mut label = |name| labels.remove(name).unwrap_or_default();
        let state = found.state.unwrap_or_default();
        Ok(Some(Instance {
            id: label(SERVER),
            workspace: label(WORKSPACE),
            revision: label(REVISION),
            fence: label(FENCE).parse().unwrap_or(0),
            state: match state.status {
                Some(ContainerStateStatusEnum::CREATED) => State::Created,
                _ if state.running == Some(true) => State::Running,
                _ => State::Ended(exit_of(&state)),
            },
        }))
    }

    pub(super) async fn list_instances(&self) -> Result<Vec<Instance>, Error> {
        let mut instances = Vec::new();
        for found in self.list_containers(Some(PART_SERVER)).await? {
            if let Some(id) = found.id {
                instances.extend(self.read_container(&id).await?);
            }
        }
        Ok(instances)
    }

    pub(super) async fn read_stats(&self, id: &str) -> Result<Option<Stats>, Error> {
        let options = StatsOptions {
            stream: false,
            one_shot: true,
        };
        let client = self.client().await?;
        let mut read = Box::pin(client.stats(&self.name(id), Some(options)));
        match read.next().await {
            Some(Ok(stats)) => Ok(stats_of(&stats)),
            Some(Err(error)) if matches!(answer(&error), Some((404 | 409, _))) => Ok(None),
            Some(Err(error)) => Err(fault(error)),
            None => Ok(None),
        }
    }
}

pub(super) fn exit_of(state: &ContainerState) -> Exit {
    Exit {
        code: state.exit_code,
        is_out_of_memory: state.oom_killed == Some(true),
    }
}

/// `None` for a container that does not run: the engine answers with zeros then.
fn stats_of(stats: &ContainerStatsResponse) -> Option<Stats> {
    let memory = stats.memory_stats.as_ref()?;
    let usage = memory.usage?;
    // What the kernel can drop at once does not count; its name differs by cgroup version.
    let kept = memory.stats.as_ref();
    let cache = kept.and_then(|kept| {
        let inactive = kept
            .get("total_inactive_file")
            .or(kept.get("inactive_file"));
        inactive.copied()
    });
    let cpu = stats.cpu_stats.as_ref()?.cpu_usage.as_ref()?;
    Some(Stats {
        cpu_nanos: cpu.total_usage.unwrap_or(0),
        memory_bytes: usage.saturating_sub(cache.unwrap_or(0)),
        memory_limit_bytes: memory.limit.unwrap_or(0),
        pids: stats
            .pids_stats
            .as_ref()
            .and_then(|pids| pids.current)
            .unwrap_or(0),
    })
}
