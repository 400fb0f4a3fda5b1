//! Tool servers: adding, changing and trying them.

mod running;
mod sign_in;
pub(crate) mod source;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::audit::{Deed, DeedResult};
use domain::containers::{CatalogEntry, ContainerReport, ContainerSource, ServerLogLine};
use domain::mcp_servers::{
    CreateMcpServer, DesiredState, McpOffers, McpServer, McpServerSource, McpServerState,
    McpServers, McpTool, McpToolState, SignInReturn, ToolTrial, UpdateMcpServer,
};
use domain::{Action, Cursor, Error, McpServerId, Page, Paged};
use mcp::Patience;
use serde_json::Value;
use store::TenantTx;
use store::mcp_servers::StoredMcpServer;
use store::mcp_tools::MAX_SERVERS;
use tokio_util::sync::CancellationToken;

use self::running::{set_connecting, shown};
use crate::fault::OrFault;
use crate::tool_servers::ToolCallOptions;
use crate::{Session, mint};

/// How long a new server is waited for before its person is told that it is still connecting.
const CREATE_WAIT: Duration = Duration::from_secs(10);
const RESTART_WAIT: Duration = Duration::from_secs(30);
/// Longest time for a tool that is tried.
const TRY_TIMEOUT: Duration = Duration::from_secs(60);
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
        if tx.count_mcp_servers().await.or_fault()? >= MAX_SERVERS {
            return Err(Error::conflict(format!(
                "a workspace can have {MAX_SERVERS} tool servers; delete one that is not used"
            )));
        }
        let now = mint::now();
        let mut stored = StoredMcpServer {
            server: McpServer {
                id: mint::id(),
                name: input.name,
                source: McpServerSource::Container(ContainerSource::default()),
                desired_state: DesiredState::Running,
                state: McpServerState::Connecting,
                reason: None,
                state_since: now,
                title: None,
                protocol_version: None,
                tool_count: 0,
                quarantined_count: 0,
                offers: McpOffers::default(),
                call_price_usd_micros: input.call_price_usd_micros.filter(|price| *price > 0),
                is_signed_in: false,
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
        let mut stored = lock(&mut tx, id).await?;
        input.validate()?;
        stored.server.updated_at = mint::now();
        let old_secret = stored.secret_id;
        let old_place = place(&stored);
        if let Some(name) = input.name.filter(|name| *name != stored.server.name) {
            rename(&mut stored, name);
        }
        if let Some(price) = input.call_price_usd_micros {
            stored.server.call_price_usd_micros = Some(price).filter(|price| *price > 0);
        }
        let is_moved = match input.source {
            Some(source) => {
                self.put_source(&mut tx, &mut stored, source, false).await?;
                if place(&stored) != old_place {
                    // Tokens are shown only to the server that they were given for.
                    sign_in::forget_sign_ins(&mut tx, id).await?;
                }
                stored.revision += 1;
                set_connecting(&mut stored);
                true
            }
            None => false,
        };
        let written = match is_moved {
            true => tx.update_mcp_server(&stored).await,
            false => tx.rename_mcp_server(&stored).await,
        };
        name_conflict(written)?;
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
        let stored = lock(&mut tx, id).await?;
        let users = tx.list_agents_with_tools_of(id).await.or_fault()?;
        if !users.is_empty() {
            return Err(Error::conflict(format!(
                "these agents use its tools: {}; take the tools from them first",
                users.join(", ")
            )));
        }
        sign_in::forget_sign_ins(&mut tx, id).await?;
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
        let mut stored = lock(&mut tx, id).await?;
        // Whoever runs it starts it anew for a new revision.
        stored.revision += 1;
        set_connecting(&mut stored);
        if let Some(settings) = stored.server.source.container_mut() {
            // The image is looked for again: its name may lead to a newer one.
            settings.pinned_image = None;
            settings.pinned_digest = None;
        }
        tx.update_mcp_server(&stored).await.or_fault()?;
        tx.commit(id.uuid(), &stored.server.name).await?;
        self.services.tool_servers.containers.pardon(id);
        self.start_anew(id, RESTART_WAIT).await
    }

    async fn stop_mcp_server(&self, id: McpServerId) -> Result<McpServer, Error> {
        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerStop)
            .await?;
        let mut stored = lock(&mut tx, id).await?;
        if stored.server.source.container().is_none() {
            let message = "somebody else runs this server; only its connection is ours";
            return Err(Error::conflict(message));
        }
        stored.server.desired_state = DesiredState::Stopped;
        tx.update_mcp_server(&stored).await.or_fault()?;
        tx.commit(id.uuid(), &stored.server.name).await?;
        self.services.tool_servers.forget(self.actor.workspace_id);
        self.services.tool_servers.disconnect(id);
        self.wait_until_stopped(id).await
    }

    async fn begin_mcp_sign_in(&self, id: McpServerId) -> Result<String, Error> {
        self.begin_sign_in(id).await
    }

    async fn finish_mcp_sign_in(&self, returned: SignInReturn) -> Result<McpServerId, Error> {
        self.finish_sign_in(returned).await
    }

    async fn end_mcp_sign_in(&self, id: McpServerId) -> Result<McpServer, Error> {
        self.end_sign_in(id).await
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
        let servers = &self.services.tool_servers;
        let log = servers.log(self.actor.workspace_id, id).await;
        let lines = log.into_iter().filter(|line| line.number < before);
        let lines = lines.take(usize::from(page.limit) + 1).collect();
        Ok(Paged::cut(lines, page.limit, |line| {
            Cursor(line.number.to_string())
        }))
    }

    async fn get_mcp_server_container(&self, id: McpServerId) -> Result<ContainerReport, Error> {
        let mut tx = self.begin(Action::Read).await?;
        get(&mut tx, id).await?;
        drop(tx);
        let servers = &self.services.tool_servers;
        Ok(servers.seen(self.actor.workspace_id, id).await.report)
    }

    async fn list_mcp_catalog(&self) -> Result<Vec<CatalogEntry>, Error> {
        self.whole_catalog().await
    }

    async fn create_mcp_catalog_entry(&self, file: Value) -> Result<CatalogEntry, Error> {
        self.create_catalog_entry(file).await
    }

    async fn delete_mcp_catalog_entry(&self, key: &str) -> Result<(), Error> {
        self.delete_catalog_entry(key).await
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
        let record = self.services.call_audit.begin_trial(self, &object).await;
        let mut record = record.ok_or_else(|| Error::unavailable("the server is stopping"))?;
        record.found(id, &stored.server.name, name);
        let price = stored.server.call_price_usd_micros.unwrap_or(0);
        let mut record = match self.pay(record, price, TRY_TIMEOUT).await {
            Ok(record) => record,
            Err(why) => return Err(Error::conflict(why)),
        };
        let started = Instant::now();
        let options = ToolCallOptions {
            patience: Patience {
                longest: TRY_TIMEOUT,
                ..self.services.tool_servers.call_patience()
            },
            cancel: &CancellationToken::new(),
            on_progress: None,
            on_log: None,
            on_question: None,
        };
        let servers = &self.services.tool_servers;
        let called = servers.call(self.actor.workspace_id, id, name, arguments, options);
        let (is_error, text) = match called.await {
            Ok(output) => (output.is_error(), output.text()),
            Err(error) => {
                if !error.may_have_acted() {
                    record.costs(0);
                }
                (true, error.to_string())
            }
        };
        record.ended(match is_error {
            false => DeedResult::Done,
            true => DeedResult::Failed,
        });
        Ok(ToolTrial {
            is_error,
            text,
            duration_ms: started.elapsed().as_millis() as u64,
        })
    }
}

/// Where a remote server is.
fn place(stored: &StoredMcpServer) -> Option<String> {
    match &stored.server.source {
        McpServerSource::Remote(remote) => Some(remote.url.clone()),
        _ => None,
    }
}

fn rename(stored: &mut StoredMcpServer, name: String) {
    stored.former_names.retain(|old| *old != name);
    let old = std::mem::replace(&mut stored.server.name, name);
    stored.former_names.insert(0, old);
    stored.former_names.truncate(MAX_FORMER_NAMES);
}

async fn get(tx: &mut TenantTx, id: McpServerId) -> Result<StoredMcpServer, Error> {
    let found = tx.find_mcp_server(id).await.or_fault()?;
    found.ok_or(Error::NotFound)
}

/// The same, to be changed: nobody else changes it meanwhile.
async fn lock(tx: &mut TenantTx, id: McpServerId) -> Result<StoredMcpServer, Error> {
    let found = tx.lock_mcp_server(id).await.or_fault()?;
    found.ok_or(Error::NotFound)
}

async fn get_tool(tx: &mut TenantTx, id: McpServerId, name: &str) -> Result<McpTool, Error> {
    let found = tx.find_mcp_tool(id, name).await.or_fault()?;
    found.ok_or(Error::NotFound)
}

fn name_conflict(result: store::Result<()>) -> Result<(), Error> {
    match result {
        Err(store::Error::Constraint(name)) if name == "mcp_servers_name_key" => Err(
            Error::conflict("another tool server has this name; choose a different one"),
        ),
        other => other.or_fault(),
    }
}
