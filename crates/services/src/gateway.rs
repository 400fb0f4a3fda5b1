//! What the gateway shows and calls for one caller.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::mcp_servers::{McpToolState, ToolDefinition};
use domain::tools::NAME_SEPARATOR;
use domain::{Action, Error, McpServerId};
use mcp::gateway::{GatewayCaller, Listing};
use mcp::{CallError, Progress, ToolOutput};
use serde_json::Value;
use store::mcp_tools::ServerWithTools;
use tokio_util::sync::CancellationToken;

use crate::Session;
use crate::fault::OrFault;
use crate::tool_servers::{Snapshot, ToolCallOptions};

/// Longest time for one call, connecting included.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

struct SessionCaller {
    session: Session,
    /// The only server that is shown.
    only: Option<McpServerId>,
}

impl Session {
    /// The gateway for this actor: to all tool servers of the workspace, or to the one of a name.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` if no server has, or had, that name.
    pub async fn gateway(&self, server: Option<&str>) -> Result<Arc<dyn GatewayCaller>, Error> {
        self.actor.require(Action::Read)?;
        let only = match server {
            Some(name) => {
                let snapshot = self.tools().await?;
                let found = snapshot.server_named(name).ok_or(Error::NotFound)?;
                Some(found.stored.server.id)
            }
            None => None,
        };
        Ok(Arc::new(SessionCaller {
            session: self.clone(),
            only,
        }))
    }

    async fn tools(&self) -> Result<Arc<Snapshot>, Error> {
        let servers = &self.services.tool_servers;
        servers.snapshot(self.actor.workspace_id).await.or_fault()
    }
}

impl SessionCaller {
    fn may_call(&self) -> bool {
        self.session.actor.can(Action::Converse)
    }

    /// The server and bare name of a tool, by the name that callers see.
    async fn find(&self, name: &str) -> Result<(McpServerId, String), CallError> {
        if !self.may_call() {
            return Err(CallError::NoSuchTool);
        }
        let snapshot = self.session.tools().await;
        let snapshot = snapshot.map_err(|_| CallError::Unavailable)?;
        if let Some(server) = self.only.and_then(|id| snapshot.server(id)) {
            if server.find(name).is_some() {
                return Ok((server.stored.server.id, name.to_owned()));
            }
        }
        let (server, tool) = name
            .split_once(NAME_SEPARATOR)
            .ok_or(CallError::NoSuchTool)?;
        let server = snapshot.server_named(server).ok_or(CallError::NoSuchTool)?;
        let id = server.stored.server.id;
        match self.only.is_none_or(|only| only == id) && server.find(tool).is_some() {
            true => Ok((id, tool.to_owned())),
            false => Err(CallError::NoSuchTool),
        }
    }
}

#[async_trait]
impl GatewayCaller for SessionCaller {
    async fn list(&self) -> Result<Listing, String> {
        if !self.may_call() {
            return Ok(Listing::new(std::iter::empty()));
        }
        let snapshot = self
            .session
            .tools()
            .await
            .map_err(|error| error.to_string())?;
        Ok(match self.only {
            Some(id) => Listing::new(
                snapshot
                    .server(id)
                    .into_iter()
                    .flat_map(active)
                    .map(|tool| (tool.name.clone(), tool)),
            ),
            None => snapshot.listing(),
        })
    }

    async fn call(
        &self,
        name: &str,
        arguments: Value,
        cancel: &CancellationToken,
        on_progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<ToolOutput, CallError> {
        let (server_id, tool) = self.find(name).await?;
        let options = ToolCallOptions {
            timeout: CALL_TIMEOUT,
            cancel,
            on_progress: Some(on_progress),
        };
        let session = &self.session;
        let servers = &session.services.tool_servers;
        let workspace_id = session.actor.workspace_id;
        servers
            .call(workspace_id, server_id, &tool, arguments, options)
            .await
    }
}

/// The tools of a server that may be called.
pub(crate) fn active(server: &ServerWithTools) -> impl Iterator<Item = &ToolDefinition> {
    let tools = server.tools.iter();
    tools
        .filter(|tool| tool.state == McpToolState::Active)
        .map(|tool| &tool.definition)
}
