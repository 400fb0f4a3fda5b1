//! Entries of a workspace's own in the catalog of tool servers.

use domain::Timestamp;
use serde_json::Value;
use sqlx::types::Json;

use crate::Result;
use crate::database::TenantTx;

/// Entries of one workspace.
pub const MAX_ENTRIES: i64 = 200;

impl TenantTx {
    /// Keys and files (`server.json`), by key, at most [`MAX_ENTRIES`].
    pub async fn list_catalog_entries(&mut self) -> Result<Vec<(String, Value)>> {
        let rows = sqlx::query!(
            r#"select key, file as "file: Json<Value>" from mcp_catalog_entries
               where workspace_id = $1 order by key limit $2"#,
            self.workspace_id().uuid(),
            MAX_ENTRIES
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(|row| (row.key, row.file.0)).collect())
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// `Constraint("mcp_catalog_entries_pkey")` if there is one of that key.
    pub async fn create_catalog_entry(
        &mut self,
        key: &str,
        file: &Value,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "insert into mcp_catalog_entries (workspace_id, key, file, created_at)
             values ($1, $2, $3, $4)",
            self.workspace_id().uuid(),
            key,
            Json(file) as _,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Deletes an entry; tells whether it was there.
    pub async fn delete_catalog_entry(&mut self, key: &str) -> Result<bool> {
        let done = sqlx::query!(
            "delete from mcp_catalog_entries where workspace_id = $1 and key = $2",
            self.workspace_id().uuid(),
            key
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
