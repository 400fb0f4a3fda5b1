//! What is found out about servers, in the database.

use domain::mcp_servers::McpServerState;
use domain::{McpServerId, WorkspaceId};
use mcp::ConnectError;
use provisioner::Image;
use store::mcp_servers::Observation;
use store::mcp_tools::HashedDefinition;

use super::connecting::Connector;
use crate::mint;

impl Connector {
    /// Notes that a container ended while it was in use.
    pub(super) async fn note_crash(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        revision: i32,
        reason: String,
    ) {
        tracing::info!(mcp_server.id = %id, reason, "a tool server's container ended");
        let state = McpServerState::Failed;
        self.note(workspace_id, id, revision, state, Some(reason))
            .await;
    }

    /// Notes how a server is, unless it has been changed since.
    pub(super) async fn note(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        revision: i32,
        state: McpServerState,
        reason: Option<String>,
    ) {
        let seen = Observation {
            state,
            reason,
            time: mint::now(),
            profile: None,
        };
        // Whatever happened since is newer.
        let _ = self.observe(workspace_id, id, revision, seen, None).await;
    }

    /// Notes that a server wants more rights than its tokens give.
    pub(super) async fn want_rights(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        revision: i32,
        scope: &str,
    ) {
        let scopes: Vec<String> = scope.split_whitespace().map(str::to_owned).collect();
        let wanted = async {
            let mut tx = self.store.begin(workspace_id).await?;
            tx.want_scopes(id, &scopes).await?;
            tx.commit().await
        };
        let wanted: store::Result<()> = wanted.await;
        if let Err(error) = wanted {
            tracing::warn!(%error, "rights that a tool server wants cannot be noted");
        }
        let error = ConnectError::MoreRightsNeeded {
            scope: scope.to_owned(),
        };
        let state = McpServerState::SignInNeeded;
        let reason = Some(error.to_string());
        self.note(workspace_id, id, revision, state, reason).await;
    }

    pub(super) async fn pin(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        revision: i32,
        image: &Image,
    ) -> Result<(), ConnectError> {
        let write = async {
            let mut tx = self.store.begin(workspace_id).await?;
            let digest = image.digest.as_deref();
            tx.pin_mcp_server(id, revision, &image.id, digest).await?;
            tx.commit().await
        };
        write.await.map_err(|error| fault(&error))
    }

    pub(super) async fn observe(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        revision: i32,
        seen: Observation,
        tools: Option<&[HashedDefinition]>,
    ) -> Result<(), ConnectError> {
        let write = async {
            let mut tx = self.store.begin(workspace_id).await?;
            let is_current = tx.observe_mcp_server(id, revision, &seen).await?;
            if let (true, Some(tools)) = (is_current, tools) {
                tx.put_mcp_tools(id, tools).await?;
            }
            tx.commit().await?;
            store::Result::Ok(is_current)
        };
        let is_current = write.await.map_err(|error| fault(&error))?;
        self.directory.forget(Some(workspace_id));
        match is_current {
            true => Ok(()),
            false => Err(ConnectError::Protocol(
                "the server's settings were changed just now; try again".to_owned(),
            )),
        }
    }
}

pub(super) fn fault(error: &store::Error) -> ConnectError {
    tracing::warn!(error = %error, "a tool server's settings cannot be read or written");
    ConnectError::Unreachable("our database does not answer".to_owned())
}
