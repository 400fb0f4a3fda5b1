//! Signing in at remote servers that ask for it.

use std::time::Duration;

use domain::audit::Deed;
use domain::mcp_servers::{McpServer, McpServerSource, SignInReturn};
use domain::{Action, Error, McpServerId, SecretId, expose};
use mcp::sign_in::{self, KnownClient, SignInAnswer, SignInError, SignInPlan};
use secrecy::SecretString;
use store::TenantTx;
use store::mcp_servers::StoredMcpServer;
use store::mcp_sign_ins::PendingSignIn;
use url::Url;

use super::source::SIGN_IN_SECRET;
use super::{CREATE_WAIT, get, lock, set_connecting};
use crate::fault::OrFault;
use crate::{Session, mint, sealed_map};

/// How long a person may take to sign in.
const PENDING: time::Duration = time::Duration::minutes(15);
/// Longest time for one half of a sign-in.
const TIMEOUT: Duration = Duration::from_secs(60);
const CLIENT_NAME: &str = "AgentArea";

impl Session {
    /// Gives the address where a person signs in for a server.
    pub(super) async fn begin_sign_in(&self, id: McpServerId) -> Result<String, Error> {
        self.allow(Action::ManageTools, Deed::McpServerSignIn)
            .await?;
        let session_id = self.browser()?;
        let mut tx = self.begin(Action::Read).await?;
        let stored = get(&mut tx, id).await?;
        let client = self.sign_in_client(&mut tx, &stored).await?;
        let more_scopes = tx.find_wanted_scopes(id).await.or_fault()?;
        let grant_id = tx.find_sign_in_secrets(id).await.or_fault()?.grant_id;
        let before = match grant_id {
            Some(grant_id) => tx.find_secret(&self.services.vault, grant_id).await,
            None => Ok(None),
        };
        let before = before.or_fault()?;
        drop(tx);
        let url = remote_url(&stored)?;
        let outbound = &self.services.outbound;
        let plan = SignInPlan {
            redirect_uri: &self.redirect_uri(),
            client_name: CLIENT_NAME,
            client,
            metadata_url: self.services.config.client_metadata_url.as_deref(),
            // Its rights are kept only where more are wanted; else everything begins anew.
            before: before.as_ref().filter(|_| !more_scopes.is_empty()),
            more_scopes: &more_scopes,
        };
        // No transaction waits for a stranger.
        let begun = within(sign_in::begin(outbound, &url, plan)).await;
        let begun = begun.map_err(Error::conflict)?;

        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerSignIn)
            .await?;
        let stored = get(&mut tx, id).await?;
        let vault = &self.services.vault;
        let now = mint::now();
        let old = tx.find_sign_in_secrets(id).await.or_fault()?;
        let pending_id: SecretId = mint::id();
        tx.put_secret(vault, pending_id, &begun.pending, now)
            .await
            .or_fault()?;
        let pending = PendingSignIn {
            server_id: id,
            pending_id,
        };
        let hash = mint::hash(secrecy::ExposeSecret::expose_secret(&begun.state));
        let until = (now.date_time() + PENDING).into();
        tx.put_pending_sign_in(pending, &hash, session_id, until)
            .await
            .or_fault()?;
        if let Some(old) = old.pending_id {
            tx.delete_secret(old).await.or_fault()?;
        }
        tx.commit(id.uuid(), &stored.server.name).await?;
        Ok(begun.url)
    }

    /// The client that an administrator has registered by hand at the authorization server.
    async fn sign_in_client(
        &self,
        tx: &mut TenantTx,
        stored: &StoredMcpServer,
    ) -> Result<Option<KnownClient>, Error> {
        let McpServerSource::Remote(remote) = &stored.server.source else {
            return Ok(None);
        };
        let Some(id) = remote.sign_in_client_id.clone() else {
            return Ok(None);
        };
        let mut secrets = sealed_map::read(tx, &self.services.vault, stored).await?;
        let secret = secrets.remove(SIGN_IN_SECRET).map(SecretString::from);
        Ok(Some(KnownClient { id, secret }))
    }

    /// Takes what a person brought back. Each state is good for one attempt, by the browser session
    /// that began it.
    pub(super) async fn finish_sign_in(
        &self,
        returned: SignInReturn,
    ) -> Result<McpServerId, Error> {
        self.allow(Action::ManageTools, Deed::McpServerSignIn)
            .await?;
        let session_id = self.browser()?;
        let vault = &self.services.vault;
        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerSignIn)
            .await?;
        let hash = mint::hash(expose(&returned.state));
        let pending = tx.take_pending_sign_in(&hash, session_id, mint::now());
        let pending = pending.await.or_fault()?.ok_or(Error::NotFound)?;
        let id = pending.server_id;
        let stored = get(&mut tx, id).await?;
        let secret = tx.find_secret(vault, pending.pending_id).await.or_fault()?;
        tx.delete_secret(pending.pending_id).await.or_fault()?;
        // From here on the state is used up, whatever comes of it.
        tx.commit(id.uuid(), &stored.server.name).await?;
        let url = remote_url(&stored)?;

        let finished = match (returned.code, secret) {
            (Some(code), Some(secret)) => {
                let answer = SignInAnswer {
                    state: SecretString::from(expose(&returned.state).to_owned()),
                    code: SecretString::from(expose(&code).to_owned()),
                    issuer: returned.issuer,
                };
                within(sign_in::finish(
                    &self.services.outbound,
                    &url,
                    &secret,
                    answer,
                ))
                .await
            }
            _ => Err("the sign-in was not granted".to_owned()),
        };
        match finished {
            Ok(grant) => {
                self.keep_grant(id, &stored, &grant).await?;
                self.connect(id, CREATE_WAIT).await?;
            }
            Err(reason) => self.note_failure(&stored, reason).await?,
        }
        Ok(id)
    }

    /// Forgets the tokens of a server.
    pub(super) async fn end_sign_in(&self, id: McpServerId) -> Result<McpServer, Error> {
        let mut tx = self
            .change(Action::ManageTools, Deed::McpServerSignOut)
            .await?;
        let mut stored = lock(&mut tx, id).await?;
        forget_sign_ins(&mut tx, id).await?;
        stored.revision += 1;
        set_connecting(&mut stored);
        tx.update_mcp_server(&stored).await.or_fault()?;
        tx.commit(id.uuid(), &stored.server.name).await?;
        self.connect(id, CREATE_WAIT).await
    }

    async fn keep_grant(
        &self,
        id: McpServerId,
        seen: &StoredMcpServer,
        grant: &SecretString,
    ) -> Result<(), Error> {
        let workspace_id = self.actor.workspace_id;
        let mut tx = self.services.store.begin(workspace_id).await.or_fault()?;
        let mut stored = lock(&mut tx, id).await?;
        if stored.revision != seen.revision {
            return Err(Error::conflict(
                "the server's settings were changed meanwhile; sign in again",
            ));
        }
        let old = tx.find_sign_in_secrets(id).await.or_fault()?;
        let grant_id: SecretId = mint::id();
        let vault = &self.services.vault;
        tx.put_secret(vault, grant_id, grant, mint::now())
            .await
            .or_fault()?;
        tx.put_grant(id, grant_id).await.or_fault()?;
        if let Some(old) = old.grant_id {
            tx.delete_secret(old).await.or_fault()?;
        }
        stored.revision += 1;
        set_connecting(&mut stored);
        tx.update_mcp_server(&stored).await.or_fault()?;
        tx.commit().await.or_fault()
    }

    async fn note_failure(&self, seen: &StoredMcpServer, reason: String) -> Result<(), Error> {
        let workspace_id = self.actor.workspace_id;
        let mut tx = self.services.store.begin(workspace_id).await.or_fault()?;
        let mut stored = lock(&mut tx, seen.server.id).await?;
        if stored.revision != seen.revision {
            return Ok(());
        }
        stored.server.reason = Some(format!("signing in failed: {reason}"));
        tx.update_mcp_server(&stored).await.or_fault()?;
        tx.commit().await.or_fault()
    }

    fn redirect_uri(&self) -> String {
        format!("{}/oauth/callback", self.services.config.public_url)
    }
}

/// Forgets a server's sign-ins and their secrets.
pub(super) async fn forget_sign_ins(tx: &mut TenantTx, id: McpServerId) -> Result<(), Error> {
    let secrets = tx.find_sign_in_secrets(id).await.or_fault()?;
    tx.delete_sign_ins(id).await.or_fault()?;
    for secret in [secrets.grant_id, secrets.pending_id].into_iter().flatten() {
        tx.delete_secret(secret).await.or_fault()?;
    }
    Ok(())
}

async fn within<T>(half: impl Future<Output = Result<T, SignInError>>) -> Result<T, String> {
    match tokio::time::timeout(TIMEOUT, half).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the sign-in took too long".to_owned()),
    }
}

fn remote_url(stored: &StoredMcpServer) -> Result<Url, Error> {
    let McpServerSource::Remote(remote) = &stored.server.source else {
        return Err(Error::conflict(
            "nobody signs in at a server in a container",
        ));
    };
    Url::parse(&remote.url).map_err(|_| Error::conflict("the server's address cannot be used"))
}
