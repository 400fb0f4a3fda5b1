//! The other processes of the fleet: what one of them runs, the others reach through it.

use std::time::{Duration, Instant};

use domain::containers::{ContainerReport, ServerLogLine};
use domain::{McpServerId, WorkspaceId};
use mcp::forwarding::{self, NotReady};
use mcp::{ConnectError, Connection, HttpEndpoint};
use outbound::Outbound;
use serde::{Deserialize, Serialize};
use store::mcp_instances::Owner;
use store::vault::Vault;
use url::Url;
use uuid::Uuid;

use crate::containers::Containers;

/// Longest time for a server to be ready elsewhere: an image may have to be built.
const READY_TIMEOUT: Duration = Duration::from_secs(16 * 60);
/// How often it is asked meanwhile whether the other process still has the server.
const LOOK: Duration = Duration::from_secs(2);
/// How long a process that does not answer is tried again: until its lease has run out.
const PATIENCE: Duration = Duration::from_secs(25);
const PAUSE: Duration = Duration::from_millis(250);
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How this process speaks to the others. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Peers {
    outbound: Outbound,
    vault: Vault,
}

/// What the process that runs a server knows of its container.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// How it is.
    pub report: ContainerReport,
    /// Its log, newest line first.
    pub log: Vec<ServerLogLine>,
}

/// A process that does not answer, for as long as it may come back.
pub(super) struct Silence {
    since: Instant,
}

impl Peers {
    pub(crate) fn new(outbound: Outbound, vault: Vault) -> Self {
        Self { outbound, vault }
    }

    /// Has another process make a server ready and connects to it there. `None` if that process does
    /// not answer or does not have the server any more.
    ///
    /// # Errors
    /// What that process could not do.
    pub(super) async fn open(
        &self,
        containers: &Containers,
        owner: &Owner,
        server: (WorkspaceId, McpServerId),
    ) -> Result<Option<Connection>, ConnectError> {
        let (Some(ready), Some(tools)) = (
            url(owner, server, "connection"),
            url(owner, server, "tools"),
        ) else {
            return Ok(None);
        };
        let ticket = self.ticket(owner.process, server);
        let readying = forwarding::make_ready(&self.outbound, ready, &ticket, READY_TIMEOUT);
        let losing = async {
            loop {
                tokio::time::sleep(LOOK).await;
                let found = containers.owner(server).await;
                // It takes the server first of all; while the database is away nothing is known.
                if found.is_ok_and(|found| found.is_none_or(|it| it.process != owner.process)) {
                    return;
                }
            }
        };
        tokio::select! {
            ready = readying => match ready {
                Ok(()) => {}
                Err(NotReady::Failed(reason)) => return Err(ConnectError::Protocol(reason)),
                Err(NotReady::Later(reason)) => return Err(ConnectError::Unavailable(reason)),
                Err(NotReady::Away) => return Ok(None),
            },
            () = losing => return Ok(None),
        }
        let bearer = format!("Bearer {ticket}").parse();
        let endpoint = HttpEndpoint {
            url: tools,
            headers: bearer
                .map(|bearer| vec![(mcp::forwarding::AUTHORIZATION, bearer)])
                .unwrap_or_default(),
            grant: None,
        };
        match Connection::open_http(&self.outbound, endpoint).await {
            Ok(connection) => Ok(Some(connection)),
            Err(error) => {
                tracing::info!(%error, "a process of the fleet cannot be spoken to");
                Ok(None)
            }
        }
    }

    /// What another process knows of a server's container.
    pub(super) async fn read(
        &self,
        owner: &Owner,
        server: (WorkspaceId, McpServerId),
    ) -> Option<Seen> {
        let url = url(owner, server, "container")?;
        let ticket = self.ticket(owner.process, server);
        let read = forwarding::read(&self.outbound, url, &ticket, REPORT_TIMEOUT);
        serde_json::from_value(read.await?).ok()
    }

    /// Whether whoever asks `process` for a server belongs to this installation.
    pub(super) fn admits(
        &self,
        process: Uuid,
        (workspace_id, id): (WorkspaceId, McpServerId),
        ticket: &str,
    ) -> bool {
        let server = format!("{workspace_id}/{id}");
        self.vault.admits(&place(process), &server, ticket)
    }

    fn ticket(&self, process: Uuid, (workspace_id, id): (WorkspaceId, McpServerId)) -> String {
        let server = format!("{workspace_id}/{id}");
        self.vault.ticket(&place(process), &server)
    }
}

impl Silence {
    pub(super) fn begin() -> Self {
        Self {
            since: Instant::now(),
        }
    }

    /// Waits a moment; an error once it has lasted too long.
    pub(super) async fn wait(&self) -> Result<(), ConnectError> {
        if self.since.elapsed() > PATIENCE {
            let silent = "the process that runs it does not answer";
            return Err(ConnectError::Unavailable(silent.to_owned()));
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// A ticket is for one process: another one at the same address takes it for nothing.
fn place(process: Uuid) -> String {
    format!("tool servers of process {process}")
}

fn url(owner: &Owner, (workspace_id, id): (WorkspaceId, McpServerId), what: &str) -> Option<Url> {
    let path = format!("/internal/tool-servers/{workspace_id}/{id}/{what}");
    Url::parse(&owner.address).ok()?.join(&path).ok()
}
