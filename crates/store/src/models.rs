//! Model connections.

use domain::models::ModelConnection;
use domain::{ConnectionId, Cursor, Page, Paged, SecretId};
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
