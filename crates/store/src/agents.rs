//! Agents and their versions.

use domain::agents::{Agent, AgentConfig, AgentFilter, AgentSummary, AgentVersion, TagCount};
use domain::{AgentId, ConnectionId, Cursor, McpServerId, Page, Paged, Timestamp, UserId};
use sqlx::types::Json;

use crate::api_keys::parse_cursor;
use crate::database::TenantTx;
use crate::{Error, Result};

impl TenantTx {
    /// Agents that are not archived and match, newest first.
    pub async fn list_agents(
        &mut self,
        filter: &AgentFilter,
        page: &Page,
    ) -> Result<Paged<AgentSummary>> {
        let after = parse_cursor(page)?;
        let words: Vec<String> = filter
            .search
            .iter()
            .flat_map(|search| search.split_whitespace())
            .map(str::to_owned)
            .collect();
        let rows = sqlx::query!(
            r#"select a.id, a.version, a.created_at, a.updated_at, v.config as "config: Json<AgentConfig>"
               from agents a
               join agent_versions v
                 on v.workspace_id = a.workspace_id and v.agent_id = a.id and v.version = a.version
               where a.workspace_id = $3 and a.archived_at is null and ($1::uuid is null or a.id < $1)
                 and ($4::text is null or v.config->'tags' ? $4)
                 and not exists (
                   select 1 from unnest($5::text[]) as word
                   where position(lower(word) in lower(concat_ws(' ',
                     v.config->>'name', v.config->>'description', v.config->>'instructions',
                     v.config->>'tags', v.config->'model'->>'name',
                     jsonb_path_query_array(v.config, '$.tools[*].name'),
                     jsonb_path_query_array(v.config, '$.tools[*].builtin')))) = 0)
               order by a.id desc limit $2"#,
            after,
            i64::from(page.limit) + 1,
            self.workspace_id().uuid(),
            filter.tag,
            &words
        )
        .fetch_all(self.connection())
        .await?;
        let agents = rows
            .into_iter()
            .map(|row| AgentSummary {
                id: row.id.into(),
                version: row.version as u32,
                name: row.config.0.name,
                description: row.config.0.description,
                tags: row.config.0.tags,
                model: row.config.0.model,
                created_at: row.created_at.into(),
                updated_at: row.updated_at.into(),
            })
            .collect();
        Ok(Paged::cut(agents, page.limit, |agent: &AgentSummary| {
            Cursor(agent.id.to_string())
        }))
    }

    /// Tags of agents that are not archived, the most used first, at most 50.
    pub async fn list_agent_tags(&mut self) -> Result<Vec<TagCount>> {
        let rows = sqlx::query!(
            r#"select tag as "tag!", count(*) as "agents!"
               from agents a
               join agent_versions v
                 on v.workspace_id = a.workspace_id and v.agent_id = a.id and v.version = a.version
               cross join lateral jsonb_array_elements_text(v.config->'tags') as tag
               where a.workspace_id = $1 and a.archived_at is null
               group by tag order by 2 desc, 1 limit 50"#,
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let tags = rows.into_iter().map(|row| TagCount {
            tag: row.tag,
            agents: row.agents as u64,
        });
        Ok(tags.collect())
    }

    /// One agent, archived ones included.
    pub async fn find_agent(&mut self, id: AgentId) -> Result<Option<Agent>> {
        let row = sqlx::query!(
            r#"select a.version, a.draft_version, a.created_at, a.updated_at, a.archived_at,
                 v.config as "config: Json<AgentConfig>"
               from agents a
               join agent_versions v
                 on v.workspace_id = a.workspace_id and v.agent_id = a.id and v.version = a.version
               where a.workspace_id = $2 and a.id = $1"#,
            id.uuid(),
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| Agent {
            id,
            version: row.version as u32,
            draft_version: row.draft_version.map(|version| version as u32),
            config: row.config.0,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            archived_at: row.archived_at.map(Into::into),
        }))
    }

    /// Writes a new agent with its first version.
    pub async fn create_agent(&mut self, agent: &Agent, author: UserId) -> Result<()> {
        sqlx::query!(
            "insert into agents (id, workspace_id, version, created_at, updated_at)
             values ($1, $2, $3, $4, $4)",
            agent.id.uuid(),
            self.workspace_id().uuid(),
            agent.version as i32,
            agent.created_at.date_time()
        )
        .execute(self.connection())
        .await?;
        self.insert_version(agent, author).await
    }

    /// Lets nobody else save the agent before this transaction ends; tells whether it is there.
    pub async fn lock_agent(&mut self, id: AgentId) -> Result<bool> {
        let found = sqlx::query_scalar!(
            r#"select 1 as "found!" from agents where workspace_id = $1 and id = $2 for update"#,
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(found.is_some())
    }

    /// Number of the version that an agent, which is locked, gets next. Drafts that were let go
    /// keep theirs.
    pub async fn next_agent_version(&mut self, id: AgentId) -> Result<u32> {
        let last = sqlx::query_scalar!(
            r#"select coalesce(max(version), 0) as "last!" from agent_versions
               where workspace_id = $1 and agent_id = $2"#,
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_one(self.connection())
        .await?;
        Ok(last as u32 + 1)
    }

    /// Writes `agent` as a new version and makes it the live one; there is no draft then.
    pub async fn save_agent(&mut self, agent: &Agent, author: UserId) -> Result<()> {
        self.insert_version(agent, author).await?;
        sqlx::query!(
            "update agents set version = $2, updated_at = $3, draft_version = null
             where workspace_id = $4 and id = $1",
            agent.id.uuid(),
            agent.version as i32,
            agent.updated_at.date_time(),
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes `agent` as a new version and makes it the draft.
    pub async fn save_agent_draft(&mut self, agent: &Agent, author: UserId) -> Result<()> {
        self.insert_version(agent, author).await?;
        sqlx::query!(
            "update agents set draft_version = $2 where workspace_id = $3 and id = $1",
            agent.id.uuid(),
            agent.version as i32,
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Makes the draft the live version; `false` if there is none.
    pub async fn publish_agent_draft(&mut self, id: AgentId, now: Timestamp) -> Result<bool> {
        let done = sqlx::query!(
            "update agents set version = draft_version, draft_version = null, updated_at = $3
             where workspace_id = $2 and id = $1 and draft_version is not null",
            id.uuid(),
            self.workspace_id().uuid(),
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Lets the draft go; `false` if there is none.
    pub async fn discard_agent_draft(&mut self, id: AgentId) -> Result<bool> {
        let done = sqlx::query!(
            "update agents set draft_version = null
             where workspace_id = $2 and id = $1 and draft_version is not null",
            id.uuid(),
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Archives an agent; tells whether it exists.
    pub async fn archive_agent(&mut self, id: AgentId, now: Timestamp) -> Result<bool> {
        let done = sqlx::query!(
            "update agents set archived_at = coalesce(archived_at, $2)
             where workspace_id = $3 and id = $1",
            id.uuid(),
            now.date_time(),
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// An agent's versions, newest first.
    pub async fn list_agent_versions(
        &mut self,
        id: AgentId,
        page: &Page,
    ) -> Result<Paged<AgentVersion>> {
        let before = page
            .after
            .as_ref()
            .map(|cursor| cursor.0.parse::<i32>().map_err(|_| Error::UnknownCursor))
            .transpose()?;
        let rows = sqlx::query!(
            r#"select v.version, v.config as "config: Json<AgentConfig>", v.created_at,
                 v.author_id, coalesce(nullif(u.name, ''), u.email) as "author!"
               from agent_versions v
               join users u on u.id = v.author_id
               where v.workspace_id = $4 and v.agent_id = $1 and ($2::int is null or v.version < $2)
               order by v.version desc limit $3"#,
            id.uuid(),
            before,
            i64::from(page.limit) + 1,
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let versions = rows
            .into_iter()
            .map(|row| AgentVersion {
                version: row.version as u32,
                config: row.config.0,
                author_id: row.author_id.into(),
                author: row.author,
                created_at: row.created_at.into(),
            })
            .collect();
        Ok(Paged::cut(versions, page.limit, |saved: &AgentVersion| {
            Cursor(saved.version.to_string())
        }))
    }

    /// What one version says.
    pub async fn find_agent_version(
        &mut self,
        id: AgentId,
        version: u32,
    ) -> Result<Option<AgentConfig>> {
        let config = sqlx::query_scalar!(
            r#"select config as "config: Json<AgentConfig>" from agent_versions
               where workspace_id = $3 and agent_id = $1 and version = $2"#,
            id.uuid(),
            version as i32,
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(config.map(|config| config.0))
    }

    /// Names of agents that use a connection, drafts included, at most 5.
    pub async fn list_agents_using(&mut self, connection: ConnectionId) -> Result<Vec<String>> {
        let names = sqlx::query_scalar!(
            r#"select distinct v.config->>'name' as "name!"
               from agents a
               join agent_versions v on v.workspace_id = a.workspace_id and v.agent_id = a.id
                 and v.version in (a.version, a.draft_version)
               where a.workspace_id = $2 and a.archived_at is null
                 and (v.config->'model'->>'connection_id' = $1
                   or v.config->'fallbacks'
                     @> jsonb_build_array(jsonb_build_object('connection_id', $1::text)))
               order by 1 limit 5"#,
            connection.to_string(),
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(names)
    }

    /// Every connection of the workspace, by name.
    pub async fn list_connection_names(&mut self) -> Result<Vec<(ConnectionId, String)>> {
        let rows = sqlx::query!(
            "select id, name from model_connections where workspace_id = $1 order by lower(name)",
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.id.into(), row.name))
            .collect())
    }

    /// Every tool server of the workspace, by name.
    pub async fn list_server_names(&mut self) -> Result<Vec<(McpServerId, String)>> {
        let rows = sqlx::query!(
            "select id, name from mcp_servers where workspace_id = $1 order by lower(name)",
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.id.into(), row.name))
            .collect())
    }

    async fn insert_version(&mut self, agent: &Agent, author: UserId) -> Result<()> {
        sqlx::query!(
            "insert into agent_versions (workspace_id, agent_id, version, config, author_id, created_at)
             values ($1, $2, $3, $4, $5, $6)",
            self.workspace_id().uuid(),
            agent.id.uuid(),
            agent.version as i32,
            Json(&agent.config) as _,
            author.uuid(),
            agent.updated_at.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
