//! Tool servers: programs that speak the Model Context Protocol.

mod input;
mod offers;
mod state;
mod tools;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::input::{
    CreateMcpServer, McpServerSourceInput, RemoteSourceInput, SignInAddress, SignInClientInput,
    SignInReturn, UpdateMcpServer,
};
pub use self::offers::{McpOffer, McpOfferArgument, McpOffers};
pub use self::state::{DesiredState, McpServerState};
pub use self::tools::{McpTool, McpToolState, ToolDefinition, ToolTrial};
use crate::containers::{
    CatalogEntry, ContainerReport, ContainerSettings, ContainerSource, PackageSource, ServerLogLine,
};
use crate::{Error, McpServerId, Page, Paged, Timestamp};

/// Longest name of a server.
pub const MAX_NAME: usize = 32;
/// Largest price of a call: a thousand dollars.
pub const MAX_CALL_PRICE_USD_MICROS: u64 = 1_000_000_000;
/// Headers that one remote server can have.
pub const MAX_HEADERS: usize = 20;

/// A tool server of the workspace. Its secrets are write-only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpServer {
    /// The id; stable when the server is renamed.
    pub id: McpServerId,
    /// Unique name, also the prefix of its tools in the gateway.
    pub name: String,
    /// Where it is.
    pub source: McpServerSource,
    /// How it is.
    pub state: McpServerState,
    /// What a person wants of it.
    #[serde(default)]
    pub desired_state: DesiredState,
    /// Why it is not ready, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub state_since: Timestamp,
    /// What it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Revision of the protocol that was agreed upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// Tools that it offers.
    pub tool_count: u32,
    /// Those whose changed definition waits to be accepted.
    pub quarantined_count: u32,
    /// What it offers besides tools.
    #[serde(default)]
    pub offers: McpOffers,
    /// What each call of its tools costs; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_price_usd_micros: Option<u64>,
    /// Whether a person has signed in there for the workspace.
    #[serde(default)]
    pub is_signed_in: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// Last change of its settings.
    pub updated_at: Timestamp,
}

/// Where a tool server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum McpServerSource {
    /// Somewhere else, by URL.
    Remote(RemoteSource),
    /// In a container of ours, from an image.
    Container(ContainerSource),
    /// In a container of ours, from a package.
    Package(PackageSource),
}

/// A server that somebody else runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RemoteSource {
    /// Address of its Streamable HTTP endpoint.
    pub url: String,
    /// Names of the headers sent with every request, in lower case; the values are secret.
    #[serde(default)]
    pub header_names: Vec<String>,
    /// Id of the client that was registered by hand for signing in; its secret is write-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_client_id: Option<String>,
    /// Key of the catalog entry that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
}

impl McpServerSource {
    /// Key of the catalog entry that it was made from.
    pub fn catalog(&self) -> Option<&str> {
        match self {
            Self::Remote(source) => source.catalog.as_deref(),
            Self::Container(_) => None,
            Self::Package(source) => source.catalog.as_deref(),
        }
    }
}

/// The workspace's tool servers.
#[async_trait]
pub trait McpServers: Send + Sync {
    /// Lists servers, newest first.
    async fn list_mcp_servers(&self, page: Page) -> Result<Paged<McpServer>, Error>;

    /// One server.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get_mcp_server(&self, id: McpServerId) -> Result<McpServer, Error>;

    /// Adds a server and asks it for its tools, for up to 10 s; goes on behind if that takes longer.
    ///
    /// # Errors
    /// `Invalid` for wrong fields; `Conflict` if the name is taken. A server that cannot be reached
    /// is added nevertheless, `failed` and with the reason.
    async fn create_mcp_server(&self, input: CreateMcpServer) -> Result<McpServer, Error>;

    /// Changes a server; a changed source is connected to as in [`McpServers::create_mcp_server`].
    ///
    /// # Errors
    /// `NotFound`; `Invalid`; `Conflict` if the name is taken.
    async fn update_mcp_server(
        &self,
        id: McpServerId,
        input: UpdateMcpServer,
    ) -> Result<McpServer, Error>;

    /// Deletes a server with its tools and secrets.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` while agents use its tools, naming them.
    async fn delete_mcp_server(&self, id: McpServerId) -> Result<(), Error>;

    /// Connects anew and asks for the tools again. At most 30 s.
    ///
    /// # Errors
    /// `NotFound`. A server that cannot be reached is an answer, not an error.
    async fn restart_mcp_server(&self, id: McpServerId) -> Result<McpServer, Error>;

    /// Ends a server's container until it is restarted.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for a server that somebody else runs.
    async fn stop_mcp_server(&self, id: McpServerId) -> Result<McpServer, Error>;

    /// Begins to sign in at a remote server for the whole workspace; gives the address where the
    /// person goes on. It is theirs, in this browser session, for 15 minutes; a second one ends the
    /// first.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` with an API key; `Conflict`, saying why there is no sign-in.
    async fn begin_mcp_sign_in(&self, id: McpServerId) -> Result<String, Error>;

    /// Takes what the person brought back, and connects. A sign-in that fails is the server's reason,
    /// not an error.
    ///
    /// # Errors
    /// `NotFound` if this browser session has begun no sign-in with that state, or it was used.
    async fn finish_mcp_sign_in(&self, returned: SignInReturn) -> Result<McpServerId, Error>;

    /// Forgets the tokens of a server and connects without.
    ///
    /// # Errors
    /// `NotFound`.
    async fn end_mcp_sign_in(&self, id: McpServerId) -> Result<McpServer, Error>;

    /// The log of a server's container since its last start, newest first, at most 1,000 lines.
    /// A server that somebody else runs has none.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_mcp_server_log(
        &self,
        id: McpServerId,
        page: Page,
    ) -> Result<Paged<ServerLogLine>, Error>;

    /// What a server's container uses right now, and whom it was refused.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get_mcp_server_container(&self, id: McpServerId) -> Result<ContainerReport, Error>;

    /// Lists what can be added in one step, by title. The whole catalog is one page.
    async fn list_mcp_catalog(&self) -> Result<Vec<CatalogEntry>, Error>;

    /// Puts a server into this workspace's catalog: a file in the format of the official registry
    /// (`server.json`), as such or as the registry's interface gives it, with a package of npm, PyPI
    /// or an image (`oci`), or a remote address.
    ///
    /// # Errors
    /// `Invalid` if it cannot be run here; `Conflict` if the catalog has one of that name.
    async fn create_mcp_catalog_entry(&self, file: Value) -> Result<CatalogEntry, Error>;

    /// Takes a server out of this workspace's catalog. Those that were made of it stay.
    ///
    /// # Errors
    /// `NotFound`, also for one of the built-in catalog.
    async fn delete_mcp_catalog_entry(&self, key: &str) -> Result<(), Error>;

    /// Lists a server's tools, by name.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_mcp_tools(&self, id: McpServerId, page: Page) -> Result<Paged<McpTool>, Error>;

    /// Accepts a tool's definition as it is now. `seen` is the hash of the definition that the
    /// person looked at, if that is known. Accepting twice is fine.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the definition is no longer the one that was seen.
    async fn accept_mcp_tool(
        &self,
        id: McpServerId,
        name: &str,
        seen: Option<&str>,
    ) -> Result<McpTool, Error>;

    /// Calls a tool once, as an agent would, to try it. At most 60 s.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` while it is quarantined; `Invalid` if `arguments` does not match the
    /// tool's schema. A call that fails is an answer, not an error.
    async fn try_mcp_tool(
        &self,
        id: McpServerId,
        name: &str,
        arguments: Value,
    ) -> Result<ToolTrial, Error>;
}

impl McpServerSource {
    /// How it runs in a container of ours; `None` if somebody else runs it.
    pub fn container(&self) -> Option<&ContainerSettings> {
        match self {
            Self::Remote(_) => None,
            Self::Container(source) => Some(&source.settings),
            Self::Package(source) => Some(&source.settings),
        }
    }

    /// The same, to change it.
    pub fn container_mut(&mut self) -> Option<&mut ContainerSettings> {
        match self {
            Self::Remote(_) => None,
            Self::Container(source) => Some(&mut source.settings),
            Self::Package(source) => Some(&mut source.settings),
        }
    }
}
