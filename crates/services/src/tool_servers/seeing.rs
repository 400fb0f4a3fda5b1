//! What is shown of a server's container, wherever in the fleet that is known.

use domain::containers::ServerLogLine;
use domain::{McpServerId, WorkspaceId};

use super::{Seen, ToolServers};

impl ToolServers {
    /// What is known of a server's container by the process that runs it, or was the last to.
    pub(crate) async fn seen(&self, workspace_id: WorkspaceId, id: McpServerId) -> Seen {
        match self.seen_elsewhere(workspace_id, id).await {
            Some(seen) => seen,
            None => self.seen_here(id).await,
        }
    }

    /// Its log, newest line first.
    pub(crate) async fn log(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
    ) -> Vec<ServerLogLine> {
        match self.seen_elsewhere(workspace_id, id).await {
            Some(seen) => seen.log,
            None => self.containers.log(id),
        }
    }

    async fn seen_elsewhere(&self, workspace_id: WorkspaceId, id: McpServerId) -> Option<Seen> {
        if self.containers.holds(id) {
            return None;
        }
        let server = (workspace_id, id);
        let owner = self.containers.last_owner(server).await.ok()??;
        if owner.process == self.containers.process() {
            return None;
        }
        self.peers.read(&owner, server).await
    }

    pub(super) async fn seen_here(&self, id: McpServerId) -> Seen {
        Seen {
            report: self.containers.report(id).await,
            log: self.containers.log(id),
        }
    }
}
