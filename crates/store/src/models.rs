//! Model connections.

use domain::models::{ModelConnection, Price, UpdateModel};
use domain::{ConnectionId, Cursor, Page, Paged, SecretId, Timestamp};
use sqlx::types::Json;
use uuid::Uuid;

use crate::Result;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;

/// A connection and where its key is.
#[derive(Clone, Debug)]
pub struct StoredConnection {
    /// The connection.
    pub connection: ModelConnection,
    /// Its sealed key.
    pub secret_id: Option<SecretId>,
}

struct ConnectionRow {
    id: Uuid,
    name: String,
    kind: String,
    base_url: Option<String>,
    secret_id: Option<Uuid>,
    created_at: time::OffsetDateTime,
    updated_at: time::OffsetDateTime,
}

impl TenantTx {
    /// Connections, newest first.
    pub async fn list_model_connections(&mut self, page: &Page) -> Result<Paged<StoredConnection>> {
        let after = parse_cursor(page)?;
        let rows = sqlx::query_as!(
            ConnectionRow,
            "select id, name, kind, base_url, secret_id, created_at, updated_at
             from model_connections where workspace_id = $3 and ($1::uuid is null or id < $1)
             order by id desc limit $2",
            after,
            i64::from(page.limit) + 1,
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let connections = rows
            .into_iter()
            .map(ConnectionRow::into_stored)
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(
            connections,
            page.limit,
            |stored: &StoredConnection| Cursor(stored.connection.id.to_string()),
        ))
    }

    /// One connection.
    pub async fn find_model_connection(
        &mut self,
        id: ConnectionId,
    ) -> Result<Option<StoredConnection>> {
        let row = sqlx::query_as!(
            ConnectionRow,
            "select id, name, kind, base_url, secret_id, created_at, updated_at
             from model_connections where workspace_id = $2 and id = $1",
            id.uuid(),
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(ConnectionRow::into_stored).transpose()
    }

    /// Writes a connection.
    ///
    /// # Errors
    /// `Constraint("model_connections_name_key")` if the name is taken.
    pub async fn create_model_connection(&mut self, stored: &StoredConnection) -> Result<()> {
        let connection = &stored.connection;
        sqlx::query!(
            "insert into model_connections
               (id, workspace_id, name, kind, base_url, secret_id, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            connection.id.uuid(),
            self.workspace_id().uuid(),
            connection.name,
            connection.kind.as_str(),
            connection.base_url,
            stored.secret_id.map(SecretId::uuid),
            connection.created_at.date_time(),
            connection.updated_at.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Overwrites a connection's name, address and key.
    ///
    /// # Errors
    /// `Constraint("model_connections_name_key")` if the name is taken.
    pub async fn update_model_connection(&mut self, stored: &StoredConnection) -> Result<()> {
        let connection = &stored.connection;
        sqlx::query!(
            "update model_connections set name = $2, base_url = $3, secret_id = $4, updated_at = $5
             where workspace_id = $6 and id = $1",
            connection.id.uuid(),
            connection.name,
            connection.base_url,
            stored.secret_id.map(SecretId::uuid),
            connection.updated_at.date_time(),
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Deletes a connection; tells whether it was there.
    pub async fn delete_model_connection(&mut self, id: ConnectionId) -> Result<bool> {
        let done = sqlx::query!(
            "delete from model_connections where workspace_id = $2 and id = $1",
            id.uuid(),
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}

struct EditedRow {
    name: String,
    context_window: Option<i32>,
    max_output_tokens: Option<i32>,
    supports_tools: Option<bool>,
    supports_vision: Option<bool>,
    supports_reasoning: Option<bool>,
    supports_json_schema: Option<bool>,
    price: Option<Json<Price>>,
}

impl TenantTx {
    /// What people say of a connection's models, by name, at most 1,000.
    pub async fn list_edited_models(
        &mut self,
        id: ConnectionId,
    ) -> Result<Vec<(String, UpdateModel)>> {
        let rows = sqlx::query_as!(
            EditedRow,
            r#"select name, context_window, max_output_tokens, supports_tools, supports_vision,
                 supports_reasoning, supports_json_schema, price as "price: Json<Price>"
               from edited_models where workspace_id = $2 and connection_id = $1
               order by name limit 1000"#,
            id.uuid(),
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(EditedRow::into_edited).collect())
    }

    /// Writes what people say of a model, in place of what was said before.
    pub async fn put_edited_model(
        &mut self,
        id: ConnectionId,
        name: &str,
        said: &UpdateModel,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "insert into edited_models
               (workspace_id, connection_id, name, context_window, max_output_tokens,
                supports_tools, supports_vision, price, updated_at, supports_json_schema,
                supports_reasoning)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (workspace_id, connection_id, name) do update
             set context_window = excluded.context_window,
               max_output_tokens = excluded.max_output_tokens,
               supports_tools = excluded.supports_tools,
               supports_vision = excluded.supports_vision,
               supports_json_schema = excluded.supports_json_schema,
               supports_reasoning = excluded.supports_reasoning,
               price = excluded.price, updated_at = excluded.updated_at",
            self.workspace_id().uuid(),
            id.uuid(),
            name,
            said.context_window.map(|tokens| tokens as i32),
            said.max_output_tokens.map(|tokens| tokens as i32),
            said.supports_tools,
            said.supports_vision,
            said.price.map(Json) as Option<Json<Price>>,
            now.date_time(),
            said.supports_json_schema,
            said.supports_reasoning
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Deletes what people say of a model.
    pub async fn delete_edited_model(&mut self, id: ConnectionId, name: &str) -> Result<()> {
        sqlx::query!(
            "delete from edited_models
             where workspace_id = $3 and connection_id = $1 and name = $2",
            id.uuid(),
            name,
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Notes that a connection changed, so that nobody uses what they remember of it.
    pub async fn touch_model_connection(&mut self, id: ConnectionId, now: Timestamp) -> Result<()> {
        sqlx::query!(
            "update model_connections set updated_at = $2 where workspace_id = $3 and id = $1",
            id.uuid(),
            now.date_time(),
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Name of a model that the newest agent of a connection asks, if there is an agent.
    pub async fn find_model_in_use(&mut self, id: ConnectionId) -> Result<Option<String>> {
        let name = sqlx::query_scalar!(
            r#"select v.config->'model'->>'name' as "name!"
               from agents a
               join agent_versions v on v.workspace_id = a.workspace_id
                 and v.agent_id = a.id and v.version = a.version
               where a.workspace_id = $2 and a.archived_at is null
                 and v.config->'model'->>'connection_id' = $1
               order by a.id desc limit 1"#,
            id.to_string(),
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(name)
    }
}

impl EditedRow {
    fn into_edited(self) -> (String, UpdateModel) {
        let said = UpdateModel {
            context_window: self.context_window.map(|tokens| tokens as u32),
            max_output_tokens: self.max_output_tokens.map(|tokens| tokens as u32),
            supports_tools: self.supports_tools,
            supports_vision: self.supports_vision,
            supports_reasoning: self.supports_reasoning,
            supports_json_schema: self.supports_json_schema,
            price: self.price.map(|price| price.0),
        };
        (self.name, said)
    }
}

impl ConnectionRow {
    fn into_stored(self) -> Result<StoredConnection> {
        let kind = self
            .kind
            .parse()
            .map_err(|error: String| anyhow::anyhow!(error))?;
        Ok(StoredConnection {
            connection: ModelConnection {
                id: self.id.into(),
                name: self.name,
                kind,
                base_url: self.base_url,
                has_api_key: self.secret_id.is_some(),
                created_at: self.created_at.into(),
                updated_at: self.updated_at.into(),
            },
            secret_id: self.secret_id.map(Into::into),
        })
    }
}
