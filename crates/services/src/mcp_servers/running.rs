//! Connecting to servers and ending them, as people wish it.

use std::time::{Duration, Instant};

use domain::mcp_servers::{DesiredState, McpServer, McpServerSource, McpServerState};
use domain::{Error, McpServerId, Timestamp};
use mcp::ConnectError;
use store::mcp_servers::StoredMcpServer;

use super::get;
use crate::fault::OrFault;
use crate::{Session, mint};

/// Whoever was connecting for longer than this has died.
const CONNECTING_AT_MOST: time::Duration = time::Duration::seconds(90);
const BUILDING_AT_MOST: time::Duration = time::Duration::minutes(16);
/// How long a container that is to stop is waited for: longer than its grace period.
const STOP_WAIT: Duration = Duration::from_secs(10);
const STOP_POLL: Duration = Duration::from_millis(100);

impl Session {
    /// Waits until nobody runs a server any more; gives it as it is after some time at most.
    pub(super) async fn wait_until_stopped(&self, id: McpServerId) -> Result<McpServer, Error> {
        let begun = Instant::now();
        let workspace_id = self.actor.workspace_id;
        loop {
            let noted = self.services.tool_servers.note_stopped(workspace_id, id);
            noted.await.or_fault()?;
            let mut tx = self.services.store.begin(workspace_id).await.or_fault()?;
            let stored = get(&mut tx, id).await?;
            let is_stopped = stored.server.state == McpServerState::Stopped;
            if is_stopped || begun.elapsed() > STOP_WAIT {
                return Ok(shown(stored));
            }
            drop(tx);
            tokio::time::sleep(STOP_POLL).await;
        }
    }

    /// Connects behind, for up to `wait` in front; gives the server as it is then.
    pub(super) async fn connect(
        &self,
        id: McpServerId,
        wait: Duration,
    ) -> Result<McpServer, Error> {
        // What went wrong is told by the server's state.
        let _ = self.try_to_connect(id, wait).await;
        self.server_now(id).await
    }

    /// The same for somebody who wants it to run now, and may try again.
    ///
    /// # Errors
    /// `Unavailable` if what it runs on does not answer; it starts by itself once that is back, too.
    pub(super) async fn start_anew(
        &self,
        id: McpServerId,
        wait: Duration,
    ) -> Result<McpServer, Error> {
        match self.try_to_connect(id, wait).await {
            Err(ConnectError::Unavailable(reason)) => Err(Error::unavailable(reason)),
            _ => self.server_now(id).await,
        }
    }

    async fn try_to_connect(&self, id: McpServerId, wait: Duration) -> Result<(), ConnectError> {
        let servers = self.services.tool_servers.clone();
        let workspace_id = self.actor.workspace_id;
        servers.forget(workspace_id);
        // It ends by itself: connecting and listing have their own limits.
        let connecting = tokio::spawn(async move { servers.reconnect(workspace_id, id).await });
        match tokio::time::timeout(wait, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    async fn server_now(&self, id: McpServerId) -> Result<McpServer, Error> {
        let store = &self.services.store;
        let mut tx = store.begin(self.actor.workspace_id).await.or_fault()?;
        Ok(shown(get(&mut tx, id).await?))
    }
}

pub(super) fn set_connecting(stored: &mut StoredMcpServer) {
    stored.server.desired_state = DesiredState::Running;
    stored.server.state = match stored.server.source {
        McpServerSource::Remote(_) => McpServerState::Connecting,
        _ => McpServerState::Requested,
    };
    stored.server.reason = None;
    stored.server.state_since = mint::now();
}

/// A server as people see it: one whose connecting was cut short says so.
pub(super) fn shown(stored: StoredMcpServer) -> McpServer {
    let mut server = stored.server;
    let now: Timestamp = mint::now();
    let waited = now.date_time() - server.state_since.date_time();
    let at_most = match server.state {
        McpServerState::Building => BUILDING_AT_MOST,
        _ => CONNECTING_AT_MOST,
    };
    // One that waits for something says for what.
    if server.state.is_passing() && server.reason.is_none() && waited > at_most {
        server.state = McpServerState::Failed;
        server.reason =
            Some("connecting was cut short; restart the server to try again".to_owned());
    }
    server
}
