//! Starting servers anew behind whoever calls, whose container ended by itself.

use domain::{McpServerId, WorkspaceId};

use super::pool::{Pool, Slot};

impl Pool {
    /// Starts a server anew, unless somebody is at it. Returns at once.
    pub(super) fn restart_behind(
        &self,
        server: (WorkspaceId, McpServerId),
        revision: i32,
        reason: String,
    ) {
        let Some(slot) = self.lock().get(&server.1).cloned() else {
            return;
        };
        let (this, restarted) = (self.clone(), slot.clone());
        slot.recover_by(async move {
            let connector = &this.connector;
            let noted = connector.note_crash(server.0, server.1, revision, reason);
            noted.await;
            this.restart(server, revision, &restarted).await;
        });
    }

    /// Tries for as long as it ends by itself at once; the start waits between two of them, and with it
    /// whoever calls meanwhile, until they are a loop.
    async fn restart(
        &self,
        (workspace_id, id): (WorkspaceId, McpServerId),
        revision: i32,
        slot: &Slot,
    ) {
        let containers = &self.connector.containers;
        loop {
            let mut state = slot.state.lock().await;
            if state.live.as_ref().is_some_and(|live| live.runs()) {
                return;
            }
            let before = containers.last_crash(id);
            let opened = self.open(&mut state, workspace_id, id, revision).await;
            if opened.is_ok() || containers.last_crash(id) == before {
                return;
            }
        }
    }
}
