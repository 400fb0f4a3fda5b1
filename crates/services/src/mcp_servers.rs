//! Tool servers: adding, changing and trying them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::audit::Deed;
use domain::containers::{CatalogEntry, ContainerReport, ContainerSource, ServerLogLine};
use domain::mcp_servers::{
    CreateMcpServer, McpOffers, McpServer, McpServerSource, McpServerSourceInput, McpServerState,
    McpServers, McpTool, McpToolState, RemoteSource, RemoteSourceInput, ToolTrial, UpdateMcpServer,
};
use domain::{Action, Cursor, Error, McpServerId, Page, Paged, Timestamp, expose};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use store::TenantTx;
use store::mcp_servers::StoredMcpServer;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::fault::OrFault;
use crate::mcp_settings::other_type;
use crate::tool_servers::ToolCallOptions;
use crate::{Session, mint};

/// How long a new server is waited for before its person is told that it is still connecting.
const CREATE_WAIT: Duration = Duration::from_secs(10);
const RESTART_WAIT: Duration = Duration::from_secs(30);
/// Longest time for a tool that is tried.
const TRY_TIMEOUT: Duration = Duration::from_secs(60);
/// Whoever was connecting for longer than this has died.
const CONNECTING_AT_MOST: time::Duration = time::Duration::seconds(90);
const BUILDING_AT_MOST: time::Duration = time::Duration::minutes(16);
/// Former names that the gateway still understands.
const MAX_FORMER_NAMES: usize = 20;

#[async_trait]
impl McpServers for Session {
    async fn list_mcp_servers(&self, page: Page) -> Result<Paged<McpServer>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let paged = tx.list_mcp_servers(&page).await.or_fault()?;
        Ok(Paged {
            items: paged.items.into_iter().map(shown).collect(),
            next: paged.next,
        })
    }

    async fn get_mcp_server(&self, id: McpServerId) -> Result<McpServer, Error> {
        let mut tx = self.begin(Action::Read).await?;
        Ok(shown(get(&mut tx, id).await?))
    }

    async fn create_mcp_server(&self, input: CreateMcpServer) -> Result<McpServer, Error> {
        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerCreate)
            .await?;
        input.validate()?;
        let now = mint::now();
        let mut stored = StoredMcpServer {
            server: McpServer {
                id: mint::id(),
                name: input.name,
                source: McpServerSource::Container(ContainerSource::default()),
                state: McpServerState::Connecting,
                reason: None,
                state_since: now,
                title: None,
                protocol_version: None,
                tool_count: 0,
                quarantined_count: 0,
                offers: McpOffers::default(),
                created_at: now,
                updated_at: now,
            },
            secret_id: None,
            revision: 1,
            former_names: Vec::new(),
        };
        self.put_source(&mut tx, &mut stored, input.source, true)
            .await?;
        set_connecting(&mut stored);
        name_conflict(tx.create_mcp_server(&stored).await)?;
        let (id, name) = (stored.server.id, stored.server.name);
        tx.commit(id.uuid(), &name).await?;
        self.connect(id, CREATE_WAIT).await
    }

    async fn update_mcp_server(
        &self,
        id: McpServerId,
        input: UpdateMcpServer,
    ) -> Result<McpServer, Error> {
        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerUpdate)
            .await?;
        let mut stored = get(&mut tx, id).await?;
        input.validate()?;
        stored.server.updated_at = mint::now();
        let old_secret = stored.secret_id;
        if let Some(name) = input.name.filter(|name| *name != stored.server.name) {
            rename(&mut stored, name);
        }
        let is_moved = match input.source {
            Some(source) => {
                self.put_source(&mut tx, &mut stored, source, false).await?;
                stored.revision += 1;
                set_connecting(&mut stored);
                true
            }
            None => false,
        };
        name_conflict(tx.update_mcp_server(&stored).await)?;
        if let (Some(unused), None) = (old_secret, stored.secret_id) {
            tx.delete_secret(unused).await.or_fault()?;
        }
        tx.commit(id.uuid(), &stored.server.name).await?;
        self.services.tool_servers.containers.pardon(id);
        self.services.tool_servers.forget(self.actor.workspace_id);
        match is_moved {
            true => self.connect(id, CREATE_WAIT).await,
            false => Ok(shown(stored)),
        }
    }

    async fn delete_mcp_server(&self, id: McpServerId) -> Result<(), Error> {
        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerDelete)
            .await?;
        let stored = get(&mut tx, id).await?;
        let users = tx.list_agents_with_tools_of(id).await.or_fault()?;
        if !users.is_empty() {
            return Err(Error::conflict(format!(
                "these agents use its tools: {}; take the tools from them first",
                users.join(", ")
            )));
        }
        tx.delete_mcp_server(id).await.or_fault()?;
        if let Some(secret_id) = stored.secret_id {
            tx.delete_secret(secret_id).await.or_fault()?;
        }
        tx.commit(id.uuid(), &stored.server.name).await?;
        self.services.tool_servers.forget(self.actor.workspace_id);
        self.services.tool_servers.disconnect(id);
        Ok(())
    }

    async fn restart_mcp_server(&self, id: McpServerId) -> Result<McpServer, Error> {
        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerRestart)
            .await?;
        let mut stored = get(&mut tx, id).await?;
        set_connecting(&mut stored);
        if let Some(settings) = stored.server.source.container_mut() {
            // The image is looked for again: its name may lead to a newer one.
            settings.pinned_image = None;
        }
        tx.update_mcp_server(&stored).await.or_fault()?;
        tx.commit(id.uuid(), &stored.server.name).await?;
        self.services.tool_servers.containers.pardon(id);
        self.connect(id, RESTART_WAIT).await
    }

    async fn stop_mcp_server(&self, id: McpServerId) -> Result<McpServer, Error> {
        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerStop)
            .await?;
        let mut stored = get(&mut tx, id).await?;
        if stored.server.source.container().is_none() {
            let message = "somebody else runs this server; only its connection is ours";
            return Err(Error::conflict(message));
        }
        stored.server.state = McpServerState::Stopped;
        stored.server.reason = None;
        stored.server.state_since = mint::now();
        tx.update_mcp_server(&stored).await.or_fault()?;
        tx.commit(id.uuid(), &stored.server.name).await?;
        self.services.tool_servers.forget(self.actor.workspace_id);
        self.services.tool_servers.disconnect(id);
        Ok(shown(stored))
    }

    async fn list_mcp_server_log(
        &self,
        id: McpServerId,
        page: Page,
    ) -> Result<Paged<ServerLogLine>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        get(&mut tx, id).await?;
        drop(tx);
        let before = match &page.after {
            Some(cursor) => cursor
                .0
                .parse()
                .map_err(|_| Error::invalid("after", "is no cursor of this list"))?,
            None => u64::MAX,
        };
        let containers = &self.services.tool_servers.containers;
        let lines = containers.log(id, before, usize::from(page.limit) + 1);
        Ok(Paged::cut(lines, page.limit, |line| {
            Cursor(line.number.to_string())
        }))
    }

    async fn get_mcp_server_container(&self, id: McpServerId) -> Result<ContainerReport, Error> {
        let mut tx = self.begin(Action::Read).await?;
        get(&mut tx, id).await?;
        drop(tx);
        Ok(self.services.tool_servers.containers.report(id).await)
    }

    async fn list_mcp_catalog(&self) -> Result<Vec<CatalogEntry>, Error> {
        self.actor.require(Action::Read)?;
        Ok(crate::catalog::list())
    }

    async fn list_mcp_tools(&self, id: McpServerId, page: Page) -> Result<Paged<McpTool>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        get(&mut tx, id).await?;
        tx.list_mcp_tools(id, &page).await.or_fault()
    }

    async fn accept_mcp_tool(
        &self,
        id: McpServerId,
        name: &str,
        seen: Option<&str>,
    ) -> Result<McpTool, Error> {
        let mut tx = self
            .change(Action::ManageTools, Deed::McpToolAccept)
            .await?;
        let stored = get(&mut tx, id).await?;
        let tool = get_tool(&mut tx, id, name).await?;
        let changed = || {
            Error::conflict(
                "the tool's definition has changed again; look at it before accepting it",
            )
        };
        if seen.is_some_and(|seen| seen != tool.definition_hash) {
            return Err(changed());
        }
        let hash = &tool.definition_hash;
        if !tx.accept_mcp_tool(id, name, hash).await.or_fault()? {
            return Err(changed());
        }
        let object = format!("{}__{name}", stored.server.name);
        tx.commit(id.uuid(), &object).await?;
        self.services.tool_servers.forget(self.actor.workspace_id);
        Ok(McpTool {
            state: McpToolState::Active,
            accepted: None,
            ..tool
        })
    }

    async fn try_mcp_tool(
        &self,
        id: McpServerId,
        name: &str,
        arguments: Value,
    ) -> Result<ToolTrial, Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::McpToolTry).await?;
        let stored = get(&mut tx, id).await?;
        let tool = get_tool(&mut tx, id, name).await?;
        if tool.state == McpToolState::Quarantined {
            return Err(Error::conflict(mcp::CallError::Quarantined.to_string()));
        }
        mcp::check_arguments(&tool.definition.input_schema, &arguments)
            .map_err(|message| Error::invalid("arguments", message))?;
        let object = format!("{}__{name}", stored.server.name);
        tx.commit(id.uuid(), &object).await?;
        let started = Instant::now();
        let options = ToolCallOptions {
            timeout: TRY_TIMEOUT,
            cancel: &CancellationToken::new(),
            on_progress: None,
        };
        let servers = &self.services.tool_servers;
        let called = servers.call(self.actor.workspace_id, id, name, arguments, options);
        let (is_error, text) = match called.await {
            Ok(output) => (output.is_error(), output.text()),
            Err(error) => (true, error.to_string()),
        };
        Ok(ToolTrial {
            is_error,
            text,
            duration_ms: started.elapsed().as_millis() as u64,
        })
    }
}

impl Session {
    /// Connects behind, for up to `wait` in front; gives the server as it is then.
    async fn connect(&self, id: McpServerId, wait: Duration) -> Result<McpServer, Error> {
        let servers = self.services.tool_servers.clone();
        let workspace_id = self.actor.workspace_id;
        servers.forget(workspace_id);
        // It ends by itself: connecting and listing have their own limits.
        let connecting = tokio::spawn(async move { servers.reconnect(workspace_id, id).await });
        let _ = tokio::time::timeout(wait, connecting).await;
        let store = &self.services.store;
        let mut tx = store.begin(workspace_id).await.or_fault()?;
        Ok(shown(get(&mut tx, id).await?))
    }

    /// Takes over a source and its secrets; `is_new` when there was nothing before.
    async fn put_source(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredMcpServer,
        input: McpServerSourceInput,
        is_new: bool,
    ) -> Result<(), Error> {
        let (input, catalog) = match input {
            McpServerSourceInput::Catalog(_) if !is_new => return Err(other_type()),
            McpServerSourceInput::Catalog(input) => {
                let key = input.key.clone();
                (crate::catalog::expand(input)?, Some(key))
            }
            input => (input, None),
        };
        match input {
            McpServerSourceInput::Remote(remote) => {
                let old_url = match &stored.server.source {
                    McpServerSource::Remote(old) => Some(old.url.clone()),
                    _ if is_new => None,
                    _ => return Err(other_type()),
                };
                self.put_headers(tx, stored, remote, old_url.as_deref())
                    .await?;
                if let (McpServerSource::Remote(remote), Some(key)) =
                    (&mut stored.server.source, catalog)
                {
                    remote.catalog = Some(key);
                }
                Ok(())
            }
            McpServerSourceInput::Container(input) => {
                self.put_container(tx, stored, input, is_new).await
            }
            McpServerSourceInput::Package(input) => {
                self.put_package(tx, stored, input, is_new, catalog).await
            }
            // What the catalog leads to is none of its own.
            McpServerSourceInput::Catalog(_) => Err(other_type()),
        }
    }

    /// Takes over address and headers of an input; `old_url` is where kept headers belong.
    async fn put_headers(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredMcpServer,
        input: RemoteSourceInput,
        old_url: Option<&str>,
    ) -> Result<(), Error> {
        let url = clean_url(&input.url)?;
        let vault = &self.services.vault;
        let mut headers: BTreeMap<String, String> = match stored.secret_id {
            Some(id) => {
                let secret = tx.find_secret(vault, id).await.or_fault()?;
                secret
                    .and_then(|secret| serde_json::from_str(secret.expose_secret()).ok())
                    .unwrap_or_default()
            }
            None => BTreeMap::new(),
        };
        let old_origin = old_url
            .and_then(|old| Url::parse(old).ok())
            .map(|old| old.origin());
        let mut is_given = BTreeMap::new();
        for (name, value) in input.headers {
            let name = check_header_name(&name)?;
            match &value {
                Some(value) => {
                    let value = expose(value).trim();
                    check_header_value(&name, value)?;
                    headers.insert(name.clone(), value.to_owned());
                }
                None => {
                    headers.remove(&name);
                }
            }
            is_given.insert(name, ());
        }
        let kept = headers.keys().find(|name| !is_given.contains_key(*name));
        if let (Some(kept), true) = (kept, old_origin.is_some_and(|old| old != url.origin())) {
            return Err(Error::invalid(
                "source.headers",
                format!(
                    "give {kept} again or remove it: a secret is not sent to another address than \
                     the one it was given for"
                ),
            ));
        }
        if headers.len() > domain::mcp_servers::MAX_HEADERS {
            let message = format!(
                "must have at most {} entries",
                domain::mcp_servers::MAX_HEADERS
            );
            return Err(Error::invalid("source.headers", message));
        }
        if headers.is_empty() {
            stored.secret_id = None;
        } else {
            let id = stored.secret_id.unwrap_or_else(mint::id);
            let text = serde_json::to_string(&headers).map_err(anyhow::Error::from);
            let secret = SecretString::from(text.map_err(|error| crate::internal(&error))?);
            let now = stored.server.updated_at;
            tx.put_secret(vault, id, &secret, now).await.or_fault()?;
            stored.secret_id = Some(id);
        }
        stored.server.source = McpServerSource::Remote(RemoteSource {
            url: url.into(),
            header_names: headers.into_keys().collect(),
            catalog: None,
        });
        Ok(())
    }
}

fn set_connecting(stored: &mut StoredMcpServer) {
    stored.server.state = match stored.server.source {
        McpServerSource::Remote(_) => McpServerState::Connecting,
        _ => McpServerState::Requested,
    };
    stored.server.reason = None;
    stored.server.state_since = mint::now();
}

fn rename(stored: &mut StoredMcpServer, name: String) {
    stored.former_names.retain(|old| *old != name);
    let old = std::mem::replace(&mut stored.server.name, name);
    stored.former_names.insert(0, old);
    stored.former_names.truncate(MAX_FORMER_NAMES);
}

/// A server as people see it: one whose connecting was cut short says so.
fn shown(stored: StoredMcpServer) -> McpServer {
    let mut server = stored.server;
    let now: Timestamp = mint::now();
    let waited = now.date_time() - server.state_since.date_time();
    let at_most = match server.state {
        McpServerState::Building => BUILDING_AT_MOST,
        _ => CONNECTING_AT_MOST,
    };
    if server.state.is_passing() && waited > at_most {
        server.state = McpServerState::Failed;
        server.reason =
            Some("connecting was cut short; restart the server to try again".to_owned());
    }
    server
}

async fn get(tx: &mut TenantTx, id: McpServerId) -> Result<StoredMcpServer, Error> {
    let found = tx.find_mcp_server(id).await.or_fault()?;
    found.ok_or(Error::NotFound)
}

async fn get_tool(tx: &mut TenantTx, id: McpServerId, name: &str) -> Result<McpTool, Error> {
    let found = tx.find_mcp_tool(id, name).await.or_fault()?;
    found.ok_or(Error::NotFound)
}

fn clean_url(text: &str) -> Result<Url, Error> {
    let wrong = |message: &str| Error::invalid("source.url", message);
    let url = Url::parse(text.trim())
        .map_err(|_| wrong("must be a URL such as https://tools.example.com/mcp"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "must not hold a user name or password; use a header for them",
        ));
    }
    if url.fragment().is_some() {
        return Err(wrong("must not have a fragment (#)"));
    }
    Ok(url)
}

/// Headers that belong to HTTP or to the protocol.
const RESERVED: [&str; 12] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "last-event-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The name in lower case.
fn check_header_name(name: &str) -> Result<String, Error> {
    let name = name.trim().to_ascii_lowercase();
    let is_token = !name.is_empty()
        && name.len() <= 100
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    let wrong = |message: String| Err(Error::invalid("source.headers", message));
    if !is_token {
        return wrong("names must be header names such as Authorization".to_owned());
    }
    if RESERVED.contains(&name.as_str()) || name.starts_with("mcp-") {
        return wrong(format!("{name} is set by the protocol itself"));
    }
    Ok(name)
}

fn check_header_value(name: &str, value: &str) -> Result<(), Error> {
    let is_visible = value.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if value.is_empty() || value.len() > 8_000 || !is_visible {
        return Err(Error::invalid(
            "source.headers",
            format!("the value of {name} must be 1 to 8000 visible ASCII characters"),
        ));
    }
    Ok(())
}

fn name_conflict(result: store::Result<()>) -> Result<(), Error> {
    match result {
        Err(store::Error::Constraint(name)) if name == "mcp_servers_name_key" => Err(
            Error::conflict("another tool server has this name; choose a different one"),
        ),
        other => other.or_fault(),
    }
}
