//! The right to use a server's connection for one call.

use std::sync::Arc;

use domain::{McpServerId, WorkspaceId};
use mcp::{CallError, ConnectError, Connection};
use provisioner::Refusals;
use tokio::sync::OwnedSemaphorePermit;

use super::pool::{Live, Pool, REST, lock};

/// The right to use a connection for one call.
pub(super) struct Lease {
    held: Arc<()>,
    pub(super) live: Arc<Live>,
    pub(super) server_id: McpServerId,
    _permit: OwnedSemaphorePermit,
    /// Whether it was made for this call.
    pub(super) is_new: bool,
}

/// Keeps a connection although nothing is called.
pub(crate) struct Hold {
    _held: Arc<()>,
}

impl Pool {
    /// The connection to a server, if it is there and free and leads straight to it.
    pub(super) fn at_hand(&self, server_id: McpServerId, revision: i32) -> Option<Lease> {
        let slot = self.slot(server_id);
        let permit = slot.calls.clone().try_acquire_owned().ok()?;
        if lock(&slot.health).halted_for(revision).is_some() {
            return None;
        }
        let live = slot.state.try_lock().ok()?.live.clone()?;
        let is_usable =
            live.revision == revision && live.through.is_none() && !live.connection.is_closed();
        is_usable.then(|| Lease {
            held: slot.held.clone(),
            live,
            server_id,
            _permit: permit,
            is_new: false,
        })
    }

    /// A connection to a server, by its settings of that revision; connects if there is none.
    pub(super) async fn connection(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
        revision: i32,
    ) -> Result<Lease, CallError> {
        let slot = self.slot(server_id);
        let permit = slot.calls.clone().try_acquire_owned();
        let permit = permit.map_err(|_| CallError::Busy)?;
        if let Some(reason) = lock(&slot.health).halted_for(revision) {
            return Err(ConnectError::Protocol(reason).into());
        }
        let mut state = slot.state.lock().await;
        let is_usable =
            |live: &&Arc<Live>| live.revision == revision && !live.connection.is_closed();
        if let Some(live) = state.live.as_ref().filter(is_usable)
            && self.still_leads_there(server_id, live).await
        {
            return Ok(Lease {
                held: slot.held.clone(),
                live: live.clone(),
                server_id,
                _permit: permit,
                is_new: false,
            });
        }
        if let Some((at, failed, error)) = &state.failed
            && *failed == revision
            && at.elapsed() < REST
        {
            return Err(error.clone().into());
        }
        let live = self
            .open(&mut state, workspace_id, server_id, revision)
            .await?;
        Ok(Lease {
            held: slot.held.clone(),
            live,
            server_id,
            _permit: permit,
            is_new: true,
        })
    }

    /// Whether the process that a connection goes through still runs the server.
    async fn still_leads_there(&self, server_id: McpServerId, live: &Live) -> bool {
        let Some(process) = live.through else {
            return true;
        };
        let server = (live.workspace_id, server_id);
        let owner = self.connector.containers.owner(server).await;
        owner.is_ok_and(|owner| owner.is_some_and(|owner| owner.process == process))
    }
}

impl Lease {
    /// Whether it goes through another process of the fleet.
    pub(super) fn is_through(&self) -> bool {
        self.live.through.is_some()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.live.connection
    }

    /// Waits until it is noted what is refused to the server's container.
    pub(super) async fn look_out(&self) {
        if let Some(container) = &self.live.container {
            container.look_out().await;
        }
    }

    /// Connections that are refused to the server's container.
    pub(super) fn refusals(&self) -> Option<&Refusals> {
        Some(self.live.container.as_ref()?.refusals())
    }

    /// Ends the call and goes on to keep the connection.
    pub(super) fn into_hold(self) -> Hold {
        Hold { _held: self.held }
    }
}
