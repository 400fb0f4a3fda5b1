//! How tool servers are found to be.

use domain::{McpServerId, Timestamp};
use sqlx::types::Json;

use crate::Result;
use crate::database::TenantTx;
use crate::mcp_servers::Observation;

impl TenantTx {
    /// Notes how a server is; tells whether it still has that revision and may be so next: `stopped`
    /// only if that is desired, anything else only if it is not.
    pub async fn observe_mcp_server(
        &mut self,
        id: McpServerId,
        revision: i32,
        seen: &Observation,
    ) -> Result<bool> {
        let profile = seen.profile.as_ref();
        let before: Vec<String> = seen
            .state
            .before()
            .into_iter()
            .map(|state| state.as_str().to_owned())
            .collect();
        let done = sqlx::query!(
            "update mcp_servers
             set reason = $5, state_since = case when state = $4 then state_since else $6 end,
               state = $4,
               title = case when $7 then $8 else title end,
               protocol_version = case when $7 then $9 else protocol_version end,
               offers = case when $7 then $10 else offers end
             where workspace_id = $1 and id = $2 and revision = $3 and state = any($11)
               and (desired_state = 'stopped') = ($4 = 'stopped')",
            self.workspace_id().uuid(),
            id.uuid(),
            revision,
            seen.state.as_str(),
            seen.reason,
            seen.time.date_time(),
            profile.is_some(),
            profile.and_then(|profile| profile.title.as_deref()),
            profile.and_then(|profile| profile.protocol_version.as_deref()),
            profile.map(|profile| Json(&profile.offers)) as _,
            &before
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes that a server's container is gone as a person wanted, whatever its settings are by now.
    pub async fn put_mcp_server_stopped(&mut self, id: McpServerId, now: Timestamp) -> Result<()> {
        sqlx::query!(
            "update mcp_servers set state = 'stopped', state_since = $3, reason = null
             where workspace_id = $1 and id = $2 and desired_state = 'stopped'
               and state <> 'stopped'",
            self.workspace_id().uuid(),
            id.uuid(),
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }

    /// Notes that a server's container was ended because nobody used it.
    pub async fn put_mcp_server_asleep(
        &mut self,
        id: McpServerId,
        revision: i32,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "update mcp_servers set state = 'asleep', state_since = $4
             where workspace_id = $1 and id = $2 and revision = $3 and state = 'ready'
               and desired_state = 'running'",
            self.workspace_id().uuid(),
            id.uuid(),
            revision,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }

    /// Notes which image a server runs, if it still has that revision.
    pub async fn pin_mcp_server(
        &mut self,
        id: McpServerId,
        revision: i32,
        image: &str,
        digest: Option<&str>,
    ) -> Result<()> {
        sqlx::query!(
            "update mcp_servers
             set source = source || jsonb_strip_nulls(jsonb_build_object(
               'pinned_image', $4::text, 'pinned_digest', $5::text))
             where workspace_id = $1 and id = $2 and revision = $3",
            self.workspace_id().uuid(),
            id.uuid(),
            revision,
            image,
            digest
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }
}
