//! Starting servers anew behind whoever calls: those whose container ended by itself, and those that
//! could not be started because the engine was away.

use std::time::Duration;

use domain::{McpServerId, WorkspaceId};
use mcp::ConnectError;
use store::panics::panics;

use super::pool::{Pool, Slot, lock};

/// Pause before an engine is tried again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// After so many, some ten minutes, the next call tries again.
const MAX_TRIES: usize = 40;

/// Why a server is started anew.
pub(super) enum Cause {
    /// Its container ended by itself, for this reason.
    Ended(String),
    /// The engine does not answer, or did not.
    EngineAway,
}

impl Pool {
    /// Starts a server anew, unless somebody is at it. Returns at once.
    pub(super) fn restart_behind(
        &self,
        (workspace_id, server_id): (WorkspaceId, McpServerId),
        revision: i32,
        cause: Cause,
    ) {
        let Some(slot) = self.lock().get(&server_id).cloned() else {
            return;
        };
        if std::mem::replace(&mut lock(&slot.health).is_recovering, true) {
            return;
        }
        let (this, restarted) = (self.clone(), slot.clone());
        // Owned by the slot: whoever disconnects the server ends it.
        let restarting = tokio::spawn(async move {
            panics(this.restart((workspace_id, server_id), revision, &restarted, cause)).await;
            lock(&restarted.health).is_recovering = false;
        });
        *lock(&slot.recovery) = Some(restarting.abort_handle());
    }

    async fn restart(
        &self,
        (workspace_id, id): (WorkspaceId, McpServerId),
        revision: i32,
        slot: &Slot,
        cause: Cause,
    ) {
        let containers = &self.connector.containers;
        let mut is_away = match cause {
            Cause::EngineAway => true,
            Cause::Ended(reason) => {
                let connector = &self.connector;
                let noted = connector.note_crash(workspace_id, id, revision, reason);
                noted.await;
                false
            }
        };
        let mut pause = FIRST_PAUSE;
        for _ in 0..MAX_TRIES {
            // After a crash the start itself waits, and with it whoever calls meanwhile.
            if is_away {
                tokio::time::sleep(pause + outbound::jitter(pause / 4)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            let mut state = slot.state.lock().await;
            if state.live.as_ref().is_some_and(|live| live.runs()) {
                return;
            }
            let before = containers.last_crash(id);
            let opened = self.open(&mut state, workspace_id, id, revision).await;
            is_away = match opened {
                Err(ConnectError::Unavailable(_)) => true,
                Err(_) if containers.last_crash(id) != before => false,
                Ok(_) | Err(_) => return,
            };
        }
    }
}
