//! Tool servers: programs that speak the Model Context Protocol.

use std::collections::BTreeMap;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::containers::{
    CatalogEntry, CatalogSourceInput, ContainerReport, ContainerSettings, ContainerSource,
    ContainerSourceInput, PackageSource, PackageSourceInput, ServerLogLine,
};
use crate::tools::NAME_SEPARATOR;
use crate::{Error, FieldErrors, McpServerId, Page, Paged, Secret, Timestamp};

/// Longest name of a server.
pub const MAX_NAME: usize = 32;
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
    /// Key of the catalog entry that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
}

/// How a tool server is.
///
/// ```text
/// connecting ──► ready ◄──► failed
///      │  ▲                   │ ▲
///      │  └──── (restart) ────┘ │
///      └────────────────────────┘
/// ```
///
/// A container goes `requested → building → starting → ready`, is `asleep` while nobody uses it
/// and starts again with the next call, and is `stopped` when a person said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum McpServerState {
    /// It is being asked for its tools.
    Connecting,
    /// Its container is to be made.
    Requested,
    /// Its image is being fetched or built.
    Building,
    /// Its container starts.
    Starting,
    /// It answered the last time.
    Ready,
    /// It did not; the reason says why. It is tried again with the next call.
    Failed,
    /// Its container was ended because nobody used it; the next call starts it again.
    Asleep,
    /// A person stopped it; calls fail until it is restarted.
    Stopped,
}

/// What a server offers besides tools, as it said when it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpOffers {
    /// Prompts, at most 100.
    #[serde(default)]
    pub prompts: Vec<McpOffer>,
    /// Resources, at most 100.
    #[serde(default)]
    pub resources: Vec<McpOffer>,
}

/// A prompt or resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpOffer {
    /// Name of a prompt, URI of a resource.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a server says of one of its tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolDefinition {
    /// Bare name, unique on the server.
    pub name: String,
    /// Name for people, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the tool does, for models; may be empty.
    pub description: String,
    /// JSON Schema of the arguments, an object.
    pub input_schema: Value,
    /// JSON Schema of the structured result, if the tool has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// What the server claims of the tool: `readOnlyHint`, `destructiveHint`, `idempotentHint` …
    pub annotations: Value,
}

/// A tool of a server. Answers hold the definition that the server gives now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct McpTool {
    /// What the server says now.
    #[serde(flatten)]
    pub definition: ToolDefinition,
    /// Whether agents may call it.
    pub state: McpToolState,
    /// SHA-256 of the definition, in hexadecimal.
    pub definition_hash: String,
    /// What was accepted before, while the changed definition is quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<ToolDefinition>,
}

/// Whether agents may call a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum McpToolState {
    /// Its definition is the accepted one.
    Active,
    /// Its definition has changed, and nobody has accepted that yet.
    Quarantined,
}

/// What came of trying a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolTrial {
    /// Whether the tool, or what keeps it, says that it failed.
    pub is_error: bool,
    /// The result as a model would be told.
    pub text: String,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
}

/// Input for a new server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateMcpServer {
    /// Unique name: a small letter, then small letters, digits, `-` and single `_`.
    pub name: String,
    /// Where it is.
    pub source: McpServerSourceInput,
}

/// Changes to a server; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateMcpServer {
    /// New name. The gateway goes on understanding the old one.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it is now; of the same type as before.
    #[serde(default)]
    pub source: Option<McpServerSourceInput>,
}

/// Where a new server is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum McpServerSourceInput {
    /// Somewhere else, by URL.
    Remote(RemoteSourceInput),
    /// In a container of ours, from an image.
    Container(ContainerSourceInput),
    /// In a container of ours, from a package.
    Package(PackageSourceInput),
    /// As the catalog says.
    Catalog(CatalogSourceInput),
}

/// Input for a server that somebody else runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RemoteSourceInput {
    /// Address of its Streamable HTTP endpoint.
    pub url: String,
    /// Headers to send with every request. In a change, headers that are not named stay as they
    /// are and `null` removes one; the values belong to the address's origin and must be given
    /// again for another.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub headers: BTreeMap<String, Option<Secret>>,
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

impl McpServerState {
    const ALL: [Self; 8] = [
        Self::Connecting,
        Self::Requested,
        Self::Building,
        Self::Starting,
        Self::Ready,
        Self::Failed,
        Self::Asleep,
        Self::Stopped,
    ];

    /// Whether it will be ready or failed by itself in a moment.
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Connecting | Self::Requested | Self::Building | Self::Starting
        )
    }

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Requested => "requested",
            Self::Building => "building",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Asleep => "asleep",
            Self::Stopped => "stopped",
        }
    }
}

impl FromStr for McpServerState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("no state of a tool server is called {text:?}"))
    }
}

impl ToolDefinition {
    /// Whether the server claims that the tool changes nothing.
    pub fn is_read_only(&self) -> bool {
        self.hint("readOnlyHint").unwrap_or(false)
    }

    /// Whether the server claims that a second call with the same arguments changes nothing more.
    pub fn is_idempotent(&self) -> bool {
        self.is_read_only() || self.hint("idempotentHint").unwrap_or(false)
    }

    /// Whether the tool may destroy something; true unless the server says otherwise.
    pub fn is_destructive(&self) -> bool {
        !self.is_read_only() && self.hint("destructiveHint").unwrap_or(true)
    }

    fn hint(&self, name: &str) -> Option<bool> {
        self.annotations.get(name)?.as_bool()
    }
}

impl CreateMcpServer {
    /// Checks every field that needs no look-up.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        check_name(&mut errors, &self.name);
        self.source.check(&mut errors);
        errors.finish()
    }
}

impl UpdateMcpServer {
    /// Checks every field that needs no look-up.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        if let Some(name) = &self.name {
            check_name(&mut errors, name);
        }
        if let Some(source) = &self.source {
            source.check(&mut errors);
        }
        errors.finish()
    }
}

impl McpServerSourceInput {
    fn check(&self, errors: &mut FieldErrors) {
        match self {
            Self::Remote(remote) => remote.check(errors),
            Self::Container(container) => container.check(errors),
            Self::Package(package) => package.check(errors),
            Self::Catalog(catalog) => catalog.check(errors),
        }
    }
}

impl RemoteSourceInput {
    fn check(&self, errors: &mut FieldErrors) {
        errors.line("source.url", &self.url, 2_000);
        if self.headers.len() > MAX_HEADERS {
            errors.push(
                "source.headers",
                format!("must have at most {MAX_HEADERS} entries"),
            );
        }
    }
}

fn check_name(errors: &mut FieldErrors, name: &str) {
    let is_slug = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    let message = if name.is_empty() {
        "is required"
    } else if !is_slug {
        "must begin with a small letter and have only small letters, digits, - and _"
    } else if name.len() > MAX_NAME {
        "must have at most 32 characters"
    } else if name.contains(NAME_SEPARATOR) || name.ends_with('_') {
        "must not have two _ in a row or end with _, because that separates it from its tools"
    } else if name == "builtin" {
        "is taken by the built-in tools"
    } else {
        return;
    };
    errors.push("name", message);
}
