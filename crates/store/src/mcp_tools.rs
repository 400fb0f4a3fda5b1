//! What tool servers say of their tools, and which of it was accepted.

use std::collections::HashMap;

use domain::mcp_servers::{McpTool, McpToolState, ToolDefinition};
use domain::{Cursor, McpServerId, Page, Paged, WorkspaceId};
use sqlx::types::Json;

use crate::database::TenantTx;
use crate::mcp_servers::StoredMcpServer;
use crate::notices::Notices;
use crate::{Result, Store};

const CHANNEL: &str = "agentarea_tools";
/// Servers that a workspace can have.
pub const MAX_SERVERS: i64 = 5_000;
/// Servers that are read at once.
const PAGE: u8 = 250;

/// A definition with its hash.
#[derive(Clone, Debug)]
pub struct HashedDefinition {
    /// The definition.
    pub definition: ToolDefinition,
    /// Its SHA-256, in hexadecimal.
    pub hash: String,
}

/// A server with all its tools.
#[derive(Clone, Debug)]
pub struct ServerWithTools {
    /// The server.
    pub stored: StoredMcpServer,
    /// The tools that it offers, by name.
    pub tools: Vec<McpTool>,
}

/// Hears whose tools have changed.
#[derive(Debug)]
pub struct ToolChanges {
    notices: Notices,
}

struct ToolRow {
    definition: Json<ToolDefinition>,
    definition_hash: String,
    accepted_definition: Json<ToolDefinition>,
    accepted_hash: String,
}

impl Store {
    /// Listens from now on. Holds a connection of the pool.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn listen_for_tool_changes(&self) -> Result<ToolChanges> {
        let notices = Notices::listen(self, &[CHANNEL]).await?;
        Ok(ToolChanges { notices })
    }
}

impl ToolChanges {
    /// The next workspace whose tool servers or tools have changed; `None` if some may have been
    /// missed.
    ///
    /// # Errors
    /// `Unavailable`; listen anew then.
    pub async fn next(&mut self) -> Result<Option<WorkspaceId>> {
        let notice = self.notices.next().await?;
        Ok(notice.and_then(|notice| notice.payload().parse().ok()))
    }
}

impl TenantTx {
    /// Tells every process, once the transaction commits, that tool servers or tools have changed.
    pub async fn announce_tools(&mut self) -> Result<()> {
        let workspace_id = self.workspace_id().to_string();
        sqlx::query!(
            r#"select pg_notify($1, $2) as "sent!: ()""#,
            CHANNEL,
            workspace_id
        )
        .fetch_one(self.connection())
        .await?;
        Ok(())
    }

    /// A server's tools, by name.
    pub async fn list_mcp_tools(
        &mut self,
        server_id: McpServerId,
        page: &Page,
    ) -> Result<Paged<McpTool>> {
        let after = page.after.as_ref().map(|cursor| cursor.0.as_str());
        let rows = sqlx::query_as!(
            ToolRow,
            r#"select definition as "definition: Json<ToolDefinition>", definition_hash,
                 accepted_definition as "accepted_definition: Json<ToolDefinition>", accepted_hash
               from mcp_tools
               where workspace_id = $4 and server_id = $1 and is_offered
                 and ($2::text is null or name > $2 collate "C")
               order by name collate "C" limit $3"#,
            server_id.uuid(),
            after,
            i64::from(page.limit) + 1,
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let tools = rows.into_iter().map(ToolRow::into_tool).collect();
        Ok(Paged::cut(tools, page.limit, |tool: &McpTool| {
            Cursor(tool.definition.name.clone())
        }))
    }

    /// One tool that its server offers.
    pub async fn find_mcp_tool(
        &mut self,
        server_id: McpServerId,
        name: &str,
    ) -> Result<Option<McpTool>> {
        let row = sqlx::query_as!(
            ToolRow,
            r#"select definition as "definition: Json<ToolDefinition>", definition_hash,
                 accepted_definition as "accepted_definition: Json<ToolDefinition>", accepted_hash
               from mcp_tools
               where workspace_id = $3 and server_id = $1 and name = $2 and is_offered"#,
            server_id.uuid(),
            name,
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(ToolRow::into_tool))
    }

    /// Every server of the workspace with its tools.
    pub async fn list_servers_with_tools(&mut self) -> Result<Vec<ServerWithTools>> {
        let mut servers = Vec::new();
        let mut page = Page::first(PAGE);
        loop {
            let read = self.list_mcp_servers(&page).await?;
            servers.extend(read.items);
            page.after = read.next;
            if page.after.is_none() {
                break;
            }
        }
        let rows = sqlx::query!(
            r#"select server_id, definition as "definition: Json<ToolDefinition>", definition_hash,
                 accepted_definition as "accepted_definition: Json<ToolDefinition>", accepted_hash
               from mcp_tools where workspace_id = $1 and is_offered
               order by name collate "C""#,
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let mut tools: HashMap<McpServerId, Vec<McpTool>> = HashMap::new();
        for row in rows {
            let tool = ToolRow {
                definition: row.definition,
                definition_hash: row.definition_hash,
                accepted_definition: row.accepted_definition,
                accepted_hash: row.accepted_hash,
            };
            let of_server = tools.entry(row.server_id.into()).or_default();
            of_server.push(tool.into_tool());
        }
        Ok(servers
            .into_iter()
            .map(|stored| ServerWithTools {
                tools: tools.remove(&stored.server.id).unwrap_or_default(),
                stored,
            })
            .collect())
    }

    /// Keeps what a server says of its tools now. A new tool is accepted as it is; one that has
    /// changed keeps what was accepted; one that is no longer named is no longer offered.
    pub async fn put_mcp_tools(
        &mut self,
        server_id: McpServerId,
        tools: &[HashedDefinition],
    ) -> Result<()> {
        let names: Vec<String> = tools
            .iter()
            .map(|tool| tool.definition.name.clone())
            .collect();
        let hashes: Vec<String> = tools.iter().map(|tool| tool.hash.clone()).collect();
        let definitions = tools
            .iter()
            .map(|tool| serde_json::to_string(&tool.definition))
            .collect::<Result<Vec<String>, _>>()
            .map_err(anyhow::Error::from)?;
        sqlx::query!(
            "update mcp_tools set is_offered = false
             where workspace_id = $1 and server_id = $2 and is_offered and name <> all ($3)",
            self.workspace_id().uuid(),
            server_id.uuid(),
            &names
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "insert into mcp_tools
               (workspace_id, server_id, name, definition, definition_hash, accepted_definition,
                accepted_hash, is_offered)
             select $1, $2, new.name, new.definition::json, new.hash, new.definition::json, new.hash,
               true
             from unnest($3::text[], $4::text[], $5::text[]) as new (name, definition, hash)
             on conflict (workspace_id, server_id, name) do update
               set definition = excluded.definition, definition_hash = excluded.definition_hash,
                 is_offered = true
               where mcp_tools.definition_hash <> excluded.definition_hash
                 or not mcp_tools.is_offered",
            self.workspace_id().uuid(),
            server_id.uuid(),
            &names,
            &definitions,
            &hashes
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }

    /// Accepts a tool's definition as it is; tells whether it is the one with this hash.
    pub async fn accept_mcp_tool(
        &mut self,
        server_id: McpServerId,
        name: &str,
        hash: &str,
    ) -> Result<bool> {
        let done = sqlx::query!(
            "update mcp_tools set accepted_definition = definition, accepted_hash = definition_hash
             where workspace_id = $1 and server_id = $2 and name = $3 and definition_hash = $4
               and is_offered",
            self.workspace_id().uuid(),
            server_id.uuid(),
            name,
            hash
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await?;
        Ok(done.rows_affected() > 0)
    }
}

impl ServerWithTools {
    /// A tool by its bare name.
    pub fn find(&self, name: &str) -> Option<&McpTool> {
        let found = self
            .tools
            .binary_search_by(|tool| tool.definition.name.as_str().cmp(name));
        found.ok().map(|index| &self.tools[index])
    }
}

impl ToolRow {
    fn into_tool(self) -> McpTool {
        let is_accepted = self.definition_hash == self.accepted_hash;
        McpTool {
            definition: self.definition.0,
            state: match is_accepted {
                true => McpToolState::Active,
                false => McpToolState::Quarantined,
            },
            definition_hash: self.definition_hash,
            accepted: (!is_accepted).then_some(self.accepted_definition.0),
        }
    }
}
