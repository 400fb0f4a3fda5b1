//! What other processes of the fleet ask this one for: the servers that it runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{McpServerId, WorkspaceId};
use mcp::gateway::{Followed, GatewayCaller, Hearing, Listing};
use mcp::{Answer, Ask, CallError, ConnectError, Patience};
use tokio::sync::watch;

use super::{Seen, ToolCallOptions, ToolServers};

/// Longest time for a request: whoever asks has a shorter one of its own.
const CALL_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// A server that another process of the fleet asks this one for.
#[derive(Clone)]
pub struct HeldServer {
    pub(crate) servers: ToolServers,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) id: McpServerId,
}

/// Why this process does not make a server ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotHere {
    /// Another process has it, or this one runs no containers.
    Elsewhere,
    /// It could not, for this reason.
    Failed(String),
    /// The same, until what it runs servers on is back.
    NotNow(String),
}

impl HeldServer {
    /// Starts the server here if no process has it.
    ///
    /// # Errors
    /// See [`NotHere`].
    pub async fn make_ready(&self) -> Result<(), NotHere> {
        let this = self.clone();
        // Goes on when whoever asked is gone: an image that is being built is of use to the next.
        let readying = tokio::spawn(async move { this.ready().await });
        readying.await.unwrap_or(Err(NotHere::Elsewhere))
    }

    async fn ready(&self) -> Result<(), NotHere> {
        let containers = &self.servers.containers;
        let owner = containers.owner((self.workspace_id, self.id)).await;
        let is_free = owner
            .is_ok_and(|owner| owner.is_none_or(|owner| owner.process == containers.process()));
        if !is_free || !containers.runs_here() {
            return Err(NotHere::Elsewhere);
        }
        let connected = self.servers.wake(self.workspace_id, self.id).await;
        connected.map_err(|error| match error {
            CallError::Connect(ConnectError::Unavailable(reason)) => NotHere::NotNow(reason),
            error => NotHere::Failed(error.to_string()),
        })?;
        match containers.holds(self.id) {
            true => Ok(()),
            false => Err(NotHere::Elsewhere),
        }
    }

    /// What this process knows of its container.
    pub async fn seen(&self) -> Seen {
        self.servers.seen_here(self.id).await
    }

    /// The server, for the gateway.
    pub fn caller(&self) -> Arc<dyn GatewayCaller> {
        Arc::new(self.clone())
    }
}

/// Whoever asks has checked what its caller may.
#[async_trait]
impl GatewayCaller for HeldServer {
    async fn list(&self) -> Result<Listing, String> {
        let snapshot = self.servers.snapshot(self.workspace_id).await;
        let snapshot = snapshot.map_err(|_| CallError::Unavailable.to_string())?;
        Ok(snapshot.listing_of(self.id))
    }

    async fn ask(&self, ask: Ask, hearing: Hearing<'_>) -> Result<Answer, CallError> {
        let options = ToolCallOptions {
            patience: Patience {
                silence: CALL_TIMEOUT,
                longest: CALL_TIMEOUT,
            },
            cancel: hearing.cancel,
            on_progress: hearing.on_progress,
            on_log: hearing.on_log,
            on_question: hearing.on_question,
        };
        let asked = self.servers.ask(self.workspace_id, self.id, ask, options);
        asked.await
    }

    async fn follow(&self, uri: &str) -> Result<Followed, CallError> {
        let followed = self.servers.follow(self.workspace_id, self.id, uri).await?;
        let (following, held) = followed;
        Ok(Followed {
            following,
            held: Box::new(held),
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.servers.changes()
    }

    async fn access_ends(&self) {
        std::future::pending().await
    }

    fn identity(&self) -> String {
        format!("{} of {}", self.id, self.workspace_id)
    }
}
