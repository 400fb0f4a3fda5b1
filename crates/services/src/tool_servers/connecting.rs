//! From a server's settings to a connection whose tools are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::mcp_servers::{DesiredState, McpServerSource, McpServerState, RemoteSource};
use domain::{McpServerId, WorkspaceId};
use mcp::{ConnectError, Connection, HttpEndpoint};
use outbound::Outbound;
use store::Store;
use store::mcp_servers::{Observation, Profile, StoredMcpServer};
use store::mcp_tools::HashedDefinition;
use store::vault::Vault;
use url::Url;
use uuid::Uuid;

use super::directory::Directory;
use super::grants::ServerGrant;
use super::peers::{Peers, Silence};
use crate::containers::{ContainerGuard, Containers, Order, Turn, Wanted};
use crate::mcp_servers::source::SIGN_IN_SECRET;
use crate::{mint, sealed_map};

/// Connects to servers and keeps what they say of themselves.
#[derive(Clone)]
pub(super) struct Connector {
    store: Store,
    vault: Vault,
    outbound: Outbound,
    directory: Directory,
    pub(super) containers: Containers,
    peers: Peers,
}

/// A connection, and the settings that it was made with.
pub(super) struct Opened {
    pub(super) connection: Arc<Connection>,
    pub(super) revision: i32,
    /// What it runs in, if that is ours.
    pub(super) container: Option<ContainerGuard>,
    /// The process of the fleet that it goes through.
    pub(super) through: Option<Uuid>,
}

/// A connection, and what it stands on.
enum Made {
    Direct(Connection, Option<ContainerGuard>),
    Through(Connection, Uuid),
}

/// A server, its secrets and what signing in left.
type Settings = (
    StoredMcpServer,
    BTreeMap<String, String>,
    Option<ServerGrant>,
);

impl Connector {
    pub(super) fn new(
        store: Store,
        vault: Vault,
        outbound: Outbound,
        directory: Directory,
        containers: Containers,
        peers: Peers,
    ) -> Self {
        Self {
            store,
            vault,
            outbound,
            directory,
            containers,
            peers,
        }
    }

    /// Connects, asks for the tools and keeps what was said. What comes of it is written down.
    pub(super) async fn open(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
    ) -> Result<Opened, ConnectError> {
        let (stored, secrets, grant) = self.settings(workspace_id, id).await?;
        let revision = stored.revision;
        if stored.server.desired_state == DesiredState::Stopped {
            let stopped = "a person stopped the server; restart it to use its tools";
            return Err(ConnectError::Protocol(stopped.to_owned()));
        }
        let opened = self.connect(workspace_id, &stored, secrets, grant).await;
        let result = match opened {
            // The process that runs it keeps what it says.
            Ok(Made::Through(connection, process)) => {
                return Ok(Opened {
                    connection: Arc::new(connection),
                    revision,
                    container: None,
                    through: Some(process),
                });
            }
            Ok(Made::Direct(connection, container)) => self
                .keep_tools(workspace_id, id, revision, &connection)
                .await
                .map(|()| (connection, container)),
            Err(error) => Err(error),
        };
        match result {
            Ok((connection, container)) => Ok(Opened {
                connection: Arc::new(connection),
                revision,
                container,
                through: None,
            }),
            Err(error) => {
                let seen = Observation {
                    state: match &error {
                        ConnectError::SignInNeeded(_) => McpServerState::SignInNeeded,
                        _ => McpServerState::Failed,
                    },
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

    async fn connect(
        &self,
        workspace_id: WorkspaceId,
        stored: &StoredMcpServer,
        secrets: BTreeMap<String, String>,
        grant: Option<ServerGrant>,
    ) -> Result<Made, ConnectError> {
        let (id, revision) = (stored.server.id, stored.revision);
        let (wanted, settings) = match &stored.server.source {
            McpServerSource::Remote(remote) => {
                let has_key = secrets.contains_key("authorization");
                // A key that a person has given goes first.
                let grant = grant.filter(|_| !has_key);
                let endpoint = endpoint(remote, secrets, grant)?;
                return match Connection::open_http(&self.outbound, endpoint).await {
                    // Signing in would not help: the key is what is wrong.
                    Err(ConnectError::SignInNeeded(_)) if has_key => {
                        Err(ConnectError::Unauthorized { status: 401 })
                    }
                    opened => Ok(Made::Direct(opened?, None)),
                };
            }
            McpServerSource::Container(source) => {
                (Wanted::Image(source.image.clone()), &source.settings)
            }
            McpServerSource::Package(source) => (Wanted::of_package(source), &source.settings),
        };
        let silence = Silence::begin();
        let lease = loop {
            match self
                .containers
                .take_turn((workspace_id, id), revision)
                .await?
            {
                Turn::Ours(lease) => break lease,
                Turn::Theirs(owner) => {
                    let opened = self
                        .peers
                        .open(&self.containers, &owner, (workspace_id, id));
                    if let Some(connection) = opened.await? {
                        return Ok(Made::Through(connection, owner.process));
                    }
                    silence.wait().await?;
                }
            }
        };
        let image = match &settings.pinned_image {
            Some(image) => image.clone(),
            None => {
                self.pass(workspace_id, id, revision, McpServerState::Building)
                    .await?;
                let image = self.containers.find_image(wanted).await?;
                self.pin(workspace_id, id, revision, &image).await?;
                image
            }
        };
        self.pass(workspace_id, id, revision, McpServerState::Starting)
            .await?;
        let order = Order {
            lease,
            revision,
            image,
            settings,
            secrets,
        };
        let begun = self.containers.begin(order).await?;
        Ok(Made::Direct(begun.connection, Some(begun.guard)))
    }

    /// Notes a state on the way.
    async fn pass(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        revision: i32,
        state: McpServerState,
    ) -> Result<(), ConnectError> {
        let seen = Observation {
            state,
            reason: None,
            time: mint::now(),
            profile: None,
        };
        self.observe(workspace_id, id, revision, seen, None).await
    }

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

    async fn pin(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        revision: i32,
        image: &str,
    ) -> Result<(), ConnectError> {
        let write = async {
            let mut tx = self.store.begin(workspace_id).await?;
            tx.pin_mcp_server(id, revision, image).await?;
            tx.commit().await
        };
        write.await.map_err(|error| fault(&error))
    }

    /// The server, its secrets (headers or variables) and what signing in left.
    async fn settings(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
    ) -> Result<Settings, ConnectError> {
        let read = async {
            let mut tx = self.store.begin(workspace_id).await?;
            let Some(stored) = tx.find_mcp_server(id).await? else {
                return Ok(None);
            };
            let secret = match stored.secret_id {
                Some(secret_id) => tx.find_secret(&self.vault, secret_id).await?,
                None => None,
            };
            let grant_id = tx.find_sign_in_secrets(id).await?.grant_id;
            store::Result::Ok(Some((stored, secret, grant_id)))
        };
        let found = read.await.map_err(|error| fault(&error))?;
        let Some((stored, secret, grant_id)) = found else {
            return Err(ConnectError::Protocol("the server was deleted".to_owned()));
        };
        let mut secrets = secret
            .map(|secret| sealed_map::open(&secret))
            .unwrap_or_default();
        // It is for the sign-in alone.
        secrets.remove(SIGN_IN_SECRET);
        let grant = grant_id.map(|grant_id| ServerGrant {
            store: self.store.clone(),
            vault: self.vault.clone(),
            workspace_id,
            server_id: id,
            grant_id,
        });
        Ok((stored, secrets, grant))
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
    grant: Option<ServerGrant>,
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
        grant: grant.map(|grant| Arc::new(grant) as _),
    })
}

fn fault(error: &store::Error) -> ConnectError {
    tracing::warn!(error = %error, "a tool server's settings cannot be read or written");
    ConnectError::Unreachable("our database does not answer".to_owned())
}
