//! From a server's settings to a connection whose tools are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::mcp_servers::{DesiredState, McpServerSource, McpServerState, RemoteSource};
use domain::{McpServerId, WorkspaceId};
use mcp::{ConnectError, Connection, HttpEndpoint};
use outbound::Outbound;
use provisioner::Veil;
use store::Store;
use store::mcp_servers::{Observation, Profile, StoredMcpServer};
use store::mcp_tools::HashedDefinition;
use store::vault::Vault;
use url::Url;
use uuid::Uuid;

use super::directory::Directory;
use super::grants::ServerGrant;
use super::noting::fault;
use super::peers::{Peers, Silence};
use crate::containers::{ContainerGuard, Containers, Order, Turn, Wanted};
use crate::mcp_servers::source::SIGN_IN_SECRET;
use crate::{mint, sealed_map};

/// Connects to servers and keeps what they say of themselves.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) store: Store,
    vault: Vault,
    outbound: Outbound,
    pub(super) directory: Directory,
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
        let words = |value: &str| value.rsplit(' ').next().unwrap_or_default().to_owned();
        let words: Vec<String> = secrets.values().map(|value| words(value)).collect();
        let veil = Veil::over(secrets.values().chain(&words).map(String::as_str));
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
                // A refusal may repeat what the server was given.
                let error = match error {
                    ConnectError::Protocol(told) => ConnectError::Protocol(veil.hide_in(&told)),
                    error => error,
                };
                if let ConnectError::MoreRightsNeeded { scope } = &error {
                    self.want_rights(workspace_id, id, revision, scope).await;
                    return Err(error);
                }
                let seen = Observation {
                    state: match &error {
                        ConnectError::SignInNeeded(_) => McpServerState::SignInNeeded,
                        // Whoever leads the fleet starts it once that is back.
                        ConnectError::Unavailable(_) => McpServerState::Requested,
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
        // In front of all that is shown of a start: until then it is seen why the last one ended.
        self.containers.rest(id, revision).await?;
        let kept = match &settings.pinned_image {
            Some(image) => self.containers.has_image(image).await?.then_some(image),
            None => None,
        };
        let image = match kept {
            Some(image) => image.clone(),
            None => {
                self.containers.reach_engine().await?;
                self.pass(workspace_id, id, revision, McpServerState::Building)
                    .await?;
                // One that the engine has lost is fetched as it was, if it is known which that is.
                let wanted = match (wanted, &settings.pinned_digest) {
                    (Wanted::Image(_), Some(digest)) => Wanted::Image(digest.clone()),
                    // Restarted or changed: its name may lead to a newer one by now.
                    (Wanted::Image(image), None) if revision > 1 => Wanted::NewestImage(image),
                    (wanted, _) => wanted,
                };
                let server = (workspace_id, id);
                let image = self.containers.find_image(server, wanted).await?;
                self.pin(workspace_id, id, revision, &image).await?;
                image.id
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
