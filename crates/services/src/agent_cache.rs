//! Agents' configurations, remembered for the runs that are taken from the queue.
//!
//! A version of an agent never changes, so what is remembered is right or missing.

use std::time::Duration;

use domain::agents::AgentConfig;
use domain::{AgentId, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::cache::Cache;

/// How long a configuration is remembered.
const LIFETIME: Duration = Duration::from_secs(1800);

/// The last used version of each agent. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct AgentCache {
    cache: Cache,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    /// Checked against who asks: a cache is not trusted to keep tenants apart.
    workspace_id: WorkspaceId,
    version: u32,
    config: AgentConfig,
}

impl AgentCache {
    pub(crate) fn new(cache: Cache) -> Self {
        Self { cache }
    }

    pub(crate) async fn find(
        &self,
        workspace_id: WorkspaceId,
        id: AgentId,
        version: u32,
    ) -> Option<AgentConfig> {
        let kept = self.cache.get(&key(id)).await?;
        let kept: Kept = serde_json::from_slice(&kept).ok()?;
        (kept.workspace_id == workspace_id && kept.version == version).then_some(kept.config)
    }

    pub(crate) async fn keep(
        &self,
        workspace_id: WorkspaceId,
        id: AgentId,
        version: u32,
        config: AgentConfig,
    ) {
        let kept = Kept {
            workspace_id,
            version,
            config,
        };
        let json = serde_json::to_vec(&kept).expect("plain data");
        self.cache.put(&key(id), json.into(), LIFETIME).await;
    }

    pub(crate) async fn forget(&self, id: AgentId) {
        self.cache.delete(&key(id)).await;
    }
}

fn key(id: AgentId) -> String {
    format!("agentarea:agent:{id}:config")
}
