//! From a server's settings to a connection whose tools are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::mcp_servers::{McpServerSource, McpServerState, RemoteSource};
use domain::{McpServerId, WorkspaceId};
use mcp::{ConnectError, Connection, HttpEndpoint};
use outbound::Outbound;
use secrecy::ExposeSecret;
use store::Store;
use store::mcp_servers::{Observation, Profile, StoredMcpServer};
use store::mcp_tools::HashedDefinition;
use store::vault::Vault;
use url::Url;

use super::directory::Directory;
use crate::mint;

/// Connects to servers and keeps what they say of themselves.
#[derive(Clone)]
pub(super) struct Connector {
    store: Store,
    vault: Vault,
    outbound: Outbound,
    directory: Directory,
}

/// A connection, and the settings that it was made with.
pub(super) struct Opened {
    pub(super) connection: Arc<Connection>,
    pub(super) revision: i32,
}

impl Connector {
    pub(super) fn new(
        store: Store,
        vault: Vault,
        outbound: Outbound,
        directory: Directory,
    ) -> Self {
        Self {
            store,
            vault,
            outbound,
            directory,
        }
    }

    /// Connects, asks for the tools and keeps what was said. What comes of it is written down.
    pub(super) async fn open(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
    ) -> Result<Opened, ConnectError> {
        let (stored, endpoint) = self.settings(workspace_id, id).await?;
        let revision = stored.revision;
        let opened = match endpoint {
            Ok(endpoint) => self.connect(endpoint).await,
            Err(error) => Err(error),
        };
        let result = match opened {
            Ok(connection) => self
                .keep_tools(workspace_id, id, revision, &connection)
                .await
                .map(|()| connection),
            Err(error) => Err(error),
        };
        match result {
            Ok(connection) => Ok(Opened {
                connection: Arc::new(connection),
                revision,
            }),
            Err(error) => {
                let seen = Observation {
                    state: McpServerState::Failed,
                    reason: Some(error.to_string()),
                    time: mint::now(),
                    profile: None,
                };
                self.observe(workspace_id, id, revision, seen, None).await?;
                Err(error)
            }
        }
    }

    /// Asks a server that is connected for its tools again.
    pub(super) async fn keep_tools(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        revision: i32,
        connection: &Connection,
    ) -> Result<(), ConnectError> {
        let tools: Vec<HashedDefinition> = connection
            .list_tools()
            .await?
            .into_iter()
            .map(|definition| HashedDefinition {
                hash: mcp::hash(&definition),
                definition,
            })
            .collect();
        let profile = connection.profile();
        let seen = Observation {
            state: McpServerState::Ready,
            reason: None,
            time: mint::now(),
            profile: Some(Profile {
                title: profile.title.clone(),
                protocol_version: Some(profile.protocol_version.clone()),
                offers: connection.list_offers().await,
            }),
        };
        self.observe(workspace_id, id, revision, seen, Some(&tools))
            .await
    }

    async fn connect(&self, endpoint: HttpEndpoint) -> Result<Connection, ConnectError> {
        Connection::open_http(&self.outbound, endpoint).await
    }

    /// The server, and where it is.
    async fn settings(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
    ) -> Result<(StoredMcpServer, Result<HttpEndpoint, ConnectError>), ConnectError> {
        let read = async {
            let mut tx = self.store.begin(workspace_id).await?;
            let Some(stored) = tx.find_mcp_server(id).await? else {
                return Ok(None);
            };
            let secret = match stored.secret_id {
                Some(secret_id) => tx.find_secret(&self.vault, secret_id).await?,
                None => None,
            };
            store::Result::Ok(Some((stored, secret)))
        };
        let found = read.await.map_err(|error| fault(&error))?;
        let Some((stored, secret)) = found else {
            return Err(ConnectError::Protocol("the server was deleted".to_owned()));
        };
        let headers: BTreeMap<String, String> = secret
            .and_then(|secret| serde_json::from_str(secret.expose_secret()).ok())
            .unwrap_or_default();
        let McpServerSource::Remote(remote) = &stored.server.source;
        let endpoint = endpoint(remote, headers);
        Ok((stored, endpoint))
    }

    async fn observe(
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

fn endpoint(
    remote: &RemoteSource,
    headers: BTreeMap<String, String>,
) -> Result<HttpEndpoint, ConnectError> {
    let broken = || ConnectError::Protocol("the stored settings cannot be used".to_owned());
    let headers = headers
        .into_iter()
        .map(|(name, value)| {
            Ok((
                name.parse().map_err(|_| broken())?,
                value.parse().map_err(|_| broken())?,
            ))
        })
        .collect::<Result<_, ConnectError>>()?;
    Ok(HttpEndpoint {
        url: Url::parse(&remote.url).map_err(|_| broken())?,
        headers,
    })
}

fn fault(error: &store::Error) -> ConnectError {
    tracing::warn!(error = %error, "a tool server's settings cannot be read or written");
    ConnectError::Unreachable("our database does not answer".to_owned())
}
