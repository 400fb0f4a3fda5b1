//! Sign-ins at remote tool servers.

use domain::{McpServerId, SecretId, SessionId, Timestamp};

use crate::Result;
use crate::database::TenantTx;

/// A sign-in that was begun.
#[derive(Clone, Copy, Debug)]
pub struct PendingSignIn {
    /// The server.
    pub server_id: McpServerId,
    /// What finishing needs.
    pub pending_id: SecretId,
}

/// The secrets of one server's sign-ins.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignInSecrets {
    /// Its tokens.
    pub grant_id: Option<SecretId>,
    /// Those of a sign-in under way.
    pub pending_id: Option<SecretId>,
}

impl TenantTx {
    /// Notes a sign-in under way in place of any other of that server.
    pub async fn put_pending_sign_in(
        &mut self,
        sign_in: PendingSignIn,
        state_hash: &[u8; 32],
        session_id: SessionId,
        until: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "insert into mcp_sign_ins
               (workspace_id, server_id, state_hash, session_id, pending_id, pending_until)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (workspace_id, server_id) do update
               set state_hash = $3, session_id = $4, pending_id = $5, pending_until = $6",
            self.workspace_id().uuid(),
            sign_in.server_id.uuid(),
            state_hash,
            session_id.uuid(),
            sign_in.pending_id.uuid(),
            until.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Ends the sign-in with that state, if that session began it and its time has not run out.
    /// Nobody gets it twice.
    pub async fn take_pending_sign_in(
        &mut self,
        state_hash: &[u8; 32],
        session_id: SessionId,
        now: Timestamp,
    ) -> Result<Option<PendingSignIn>> {
        let row = sqlx::query!(
            r#"update mcp_sign_ins s
               set state_hash = null, session_id = null, pending_id = null, pending_until = null
               from (select server_id, pending_id from mcp_sign_ins
                     where workspace_id = $1 and state_hash = $2 and session_id = $3
                       and pending_until > $4
                     for update) old
               where s.workspace_id = $1 and s.server_id = old.server_id
               returning s.server_id, old.pending_id as "pending_id!""#,
            self.workspace_id().uuid(),
            state_hash,
            session_id.uuid(),
            now.date_time()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| PendingSignIn {
            server_id: row.server_id.into(),
            pending_id: row.pending_id.into(),
        }))
    }

    /// The secrets of a server's sign-ins.
    pub async fn find_sign_in_secrets(&mut self, id: McpServerId) -> Result<SignInSecrets> {
        let row = sqlx::query!(
            "select grant_id, pending_id from mcp_sign_ins
             where workspace_id = $1 and server_id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(
            row.map_or_else(SignInSecrets::default, |row| SignInSecrets {
                grant_id: row.grant_id.map(Into::into),
                pending_id: row.pending_id.map(Into::into),
            }),
        )
    }

    /// Notes where a server's tokens are.
    pub async fn put_grant(&mut self, id: McpServerId, grant_id: SecretId) -> Result<()> {
        sqlx::query!(
            "insert into mcp_sign_ins (workspace_id, server_id, grant_id) values ($1, $2, $3)
             on conflict (workspace_id, server_id) do update
               set grant_id = $3, wanted_scopes = '{}'",
            self.workspace_id().uuid(),
            id.uuid(),
            grant_id.uuid()
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }

    /// Notes rights that a server wants beyond those of its tokens.
    pub async fn want_scopes(&mut self, id: McpServerId, scopes: &[String]) -> Result<()> {
        sqlx::query!(
            "insert into mcp_sign_ins (workspace_id, server_id, wanted_scopes) values ($1, $2, $3)
             on conflict (workspace_id, server_id) do update
               set wanted_scopes = (
                 select coalesce(array_agg(distinct scope), '{}')
                 from unnest(mcp_sign_ins.wanted_scopes || excluded.wanted_scopes) scope)",
            self.workspace_id().uuid(),
            id.uuid(),
            scopes
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Rights that a server wants beyond those of its tokens.
    pub async fn find_wanted_scopes(&mut self, id: McpServerId) -> Result<Vec<String>> {
        let scopes = sqlx::query_scalar!(
            "select wanted_scopes from mcp_sign_ins where workspace_id = $1 and server_id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(scopes.unwrap_or_default())
    }

    /// Forgets a server's sign-ins; its secrets are the caller's to delete afterwards.
    pub async fn delete_sign_ins(&mut self, id: McpServerId) -> Result<()> {
        sqlx::query!(
            "delete from mcp_sign_ins where workspace_id = $1 and server_id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        self.announce_tools().await
    }

    /// Keeps others from renewing a server's tokens until then; tells whether nobody else does so.
    pub async fn take_renewal(
        &mut self,
        id: McpServerId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        let done = sqlx::query!(
            "update mcp_sign_ins set renewing_until = $4
             where workspace_id = $1 and server_id = $2
               and (renewing_until is null or renewing_until < $3)",
            self.workspace_id().uuid(),
            id.uuid(),
            now.date_time(),
            until.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Lets others renew a server's tokens.
    pub async fn leave_renewal(&mut self, id: McpServerId) -> Result<()> {
        sqlx::query!(
            "update mcp_sign_ins set renewing_until = null
             where workspace_id = $1 and server_id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
