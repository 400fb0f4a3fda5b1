//! Tool servers.

use domain::mcp_servers::{DesiredState, McpOffers, McpServer, McpServerSource, McpServerState};
use domain::{Cursor, McpServerId, Page, Paged, SecretId, Timestamp};
use sqlx::types::Json;
use uuid::Uuid;

use crate::Result;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;

/// A server, and what only services see of it.
#[derive(Clone, Debug)]
pub struct StoredMcpServer {
    /// The server.
    pub server: McpServer,
    /// Its sealed headers.
    pub secret_id: Option<SecretId>,
    /// Raised by each change of the source or its secrets.
    pub revision: i32,
    /// Names it had before, newest first.
    pub former_names: Vec<String>,
}

/// How a server is, as one look at it found out.
#[derive(Clone, Debug)]
pub struct Observation {
    /// How it is.
    pub state: McpServerState,
    /// Why it is not ready.
    pub reason: Option<String>,
    /// When it was looked at.
    pub time: Timestamp,
    /// What it says of itself, if it answered.
    pub profile: Option<Profile>,
}

/// What a server says of itself.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What it calls itself.
    pub title: Option<String>,
    /// Revision of the protocol.
    pub protocol_version: Option<String>,
    /// What it offers besides tools.
    pub offers: McpOffers,
}

pub(crate) struct ServerRow {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) former_names: Vec<String>,
    pub(crate) source: Json<McpServerSource>,
    pub(crate) secret_id: Option<Uuid>,
    pub(crate) revision: i32,
    pub(crate) desired_state: String,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) state_since: time::OffsetDateTime,
    pub(crate) title: Option<String>,
    pub(crate) protocol_version: Option<String>,
    pub(crate) offers: Json<McpOffers>,
    pub(crate) call_price_usd_micros: Option<i64>,
    pub(crate) tool_count: i64,
    pub(crate) quarantined_count: i64,
    pub(crate) is_signed_in: bool,
    pub(crate) created_at: time::OffsetDateTime,
    pub(crate) updated_at: time::OffsetDateTime,
}

impl TenantTx {
    /// Servers, newest first.
    pub async fn list_mcp_servers(&mut self, page: &Page) -> Result<Paged<StoredMcpServer>> {
        let after = parse_cursor(page)?;
        let rows = sqlx::query_as!(
            ServerRow,
            r#"select s.id, s.name, s.former_names, s.source as "source: Json<McpServerSource>",
                 s.secret_id, s.revision, s.desired_state, s.state, s.reason, s.state_since, s.title,
                 s.protocol_version, s.offers as "offers: Json<McpOffers>", s.call_price_usd_micros,
                 t.tool_count as "tool_count!", t.quarantined_count as "quarantined_count!",
                 exists (select from mcp_sign_ins i
                         where i.workspace_id = s.workspace_id and i.server_id = s.id
                           and i.grant_id is not null) as "is_signed_in!",
                 s.created_at, s.updated_at
               from mcp_servers s, lateral (
                 select count(*) as tool_count,
                   count(*) filter (where definition_hash <> accepted_hash) as quarantined_count
                 from mcp_tools
                 where workspace_id = s.workspace_id and server_id = s.id and is_offered) t
               where s.workspace_id = $3 and ($1::uuid is null or s.id < $1)
               order by s.id desc limit $2"#,
            after,
            i64::from(page.limit) + 1,
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let servers = rows
            .into_iter()
            .map(ServerRow::into_stored)
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(servers, page.limit, |stored| {
            Cursor(stored.server.id.to_string())
        }))
    }

    /// One server.
    pub async fn find_mcp_server(&mut self, id: McpServerId) -> Result<Option<StoredMcpServer>> {
        let row = sqlx::query_as!(
            ServerRow,
            r#"select s.id, s.name, s.former_names, s.source as "source: Json<McpServerSource>",
                 s.secret_id, s.revision, s.desired_state, s.state, s.reason, s.state_since, s.title,
                 s.protocol_version, s.offers as "offers: Json<McpOffers>", s.call_price_usd_micros,
                 t.tool_count as "tool_count!", t.quarantined_count as "quarantined_count!",
                 exists (select from mcp_sign_ins i
                         where i.workspace_id = s.workspace_id and i.server_id = s.id
                           and i.grant_id is not null) as "is_signed_in!",
                 s.created_at, s.updated_at
               from mcp_servers s, lateral (
                 select count(*) as tool_count,
                   count(*) filter (where definition_hash <> accepted_hash) as quarantined_count
                 from mcp_tools
                 where workspace_id = s.workspace_id and server_id = s.id and is_offered) t
               where s.workspace_id = $2 and s.id = $1"#,
            id.uuid(),
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(ServerRow::into_stored).transpose()
    }

    /// One server, which nobody else changes until the end of the transaction.
    pub async fn lock_mcp_server(&mut self, id: McpServerId) -> Result<Option<StoredMcpServer>> {
        // What is read after the lock is what the holder before has left.
        sqlx::query!(
            "select id from mcp_servers where workspace_id = $2 and id = $1 for update",
            id.uuid(),
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        self.find_mcp_server(id).await
    }

    /// Writes a server.
    ///
    /// # Errors
    /// `Constraint("mcp_servers_name_key")` if the name is taken.
    pub async fn create_mcp_server(&mut self, stored: &StoredMcpServer) -> Result<()> {
        let server = &stored.server;
        sqlx::query!(
            "insert into mcp_servers
               (id, workspace_id, name, source, secret_id, revision, state, state_since, created_at,
                updated_at, desired_state, call_price_usd_micros)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            server.id.uuid(),
            self.workspace_id().uuid(),
            server.name,
            Json(&server.source) as _,
            stored.secret_id.map(SecretId::uuid),
            stored.revision,
            server.state.as_str(),
            server.state_since.date_time(),
            server.created_at.date_time(),
            server.updated_at.date_time(),
            server.desired_state.as_str(),
            server.call_price_usd_micros.map(|price| price as i64)
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }

    /// Overwrites a server's names, source, secrets, revision and states.
    ///
    /// # Errors
    /// `Constraint("mcp_servers_name_key")` if the name is taken.
    pub async fn update_mcp_server(&mut self, stored: &StoredMcpServer) -> Result<()> {
        let server = &stored.server;
        sqlx::query!(
            "update mcp_servers
             set name = $3, former_names = $4, source = $5, secret_id = $6, revision = $7, state = $8,
               reason = $9, state_since = $10, updated_at = $11, desired_state = $12,
               call_price_usd_micros = $13
             where workspace_id = $2 and id = $1",
            server.id.uuid(),
            self.workspace_id().uuid(),
            server.name,
            &stored.former_names,
            Json(&server.source) as _,
            stored.secret_id.map(SecretId::uuid),
            stored.revision,
            server.state.as_str(),
            server.reason,
            server.state_since.date_time(),
            server.updated_at.date_time(),
            server.desired_state.as_str(),
            server.call_price_usd_micros.map(|price| price as i64)
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }

    /// Overwrites a server's names and price and nothing else.
    ///
    /// # Errors
    /// `Constraint("mcp_servers_name_key")` if the name is taken.
    pub async fn rename_mcp_server(&mut self, stored: &StoredMcpServer) -> Result<()> {
        let server = &stored.server;
        sqlx::query!(
            "update mcp_servers set name = $3, former_names = $4, updated_at = $5,
               call_price_usd_micros = $6
             where workspace_id = $2 and id = $1",
            server.id.uuid(),
            self.workspace_id().uuid(),
            server.name,
            &stored.former_names,
            server.updated_at.date_time(),
            server.call_price_usd_micros.map(|price| price as i64)
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }

    /// How many servers there are.
    pub async fn count_mcp_servers(&mut self) -> Result<i64> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from mcp_servers where workspace_id = $1"#,
            self.workspace_id().uuid()
        )
        .fetch_one(self.connection())
        .await?;
        Ok(count)
    }

    /// The sources of all servers in containers, for quotas. Until the end of the transaction
    /// nobody else counts.
    pub async fn list_container_sources(&mut self) -> Result<Vec<(McpServerId, McpServerSource)>> {
        let workspace = self.workspace_id().uuid();
        sqlx::query!(
            "select pg_advisory_xact_lock(hashtextextended('containers of ' || $1::text, 0))",
            workspace.to_string()
        )
        .execute(self.connection())
        .await?;
        let rows = sqlx::query!(
            r#"select id, source as "source: Json<McpServerSource>" from mcp_servers
               where workspace_id = $1 and source->>'type' in ('container', 'package')"#,
            workspace
        )
        .fetch_all(self.connection())
        .await?;
        let pairs = rows.into_iter().map(|row| (row.id.into(), row.source.0));
        Ok(pairs.collect())
    }

    /// Deletes a server with its tools; tells whether it was there.
    pub async fn delete_mcp_server(&mut self, id: McpServerId) -> Result<bool> {
        let done = sqlx::query!(
            "delete from mcp_servers where workspace_id = $2 and id = $1",
            id.uuid(),
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Names of agents that have tools of a server, at most 5.
    pub async fn list_agents_with_tools_of(&mut self, id: McpServerId) -> Result<Vec<String>> {
        let names = sqlx::query_scalar!(
            r#"select v.config->>'name' as "name!"
               from agents a
               join agent_versions v
                 on v.workspace_id = a.workspace_id and v.agent_id = a.id and v.version = a.version
               where a.workspace_id = $2 and a.archived_at is null
                 and v.config->'tools' @> jsonb_build_array(jsonb_build_object('server_id', $1::text))
               order by 1 limit 5"#,
            id.to_string(),
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(names)
    }
}

impl ServerRow {
    pub(crate) fn into_stored(self) -> Result<StoredMcpServer> {
        let wrong = |error: String| anyhow::anyhow!(error);
        let desired_state: DesiredState = self.desired_state.parse().map_err(wrong)?;
        let state = self.state.parse().map_err(wrong)?;
        Ok(StoredMcpServer {
            server: McpServer {
                id: self.id.into(),
                name: self.name,
                source: self.source.0,
                desired_state,
                state,
                reason: self.reason,
                state_since: self.state_since.into(),
                title: self.title,
                protocol_version: self.protocol_version,
                tool_count: self.tool_count as u32,
                quarantined_count: self.quarantined_count as u32,
                offers: self.offers.0,
                call_price_usd_micros: self.call_price_usd_micros.map(|price| price as u64),
                is_signed_in: self.is_signed_in,
                created_at: self.created_at.into(),
                updated_at: self.updated_at.into(),
            },
            secret_id: self.secret_id.map(Into::into),
            revision: self.revision,
            former_names: self.former_names,
        })
    }
}
