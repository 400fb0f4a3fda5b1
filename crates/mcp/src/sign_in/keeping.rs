//! Tokens in use: taken from their keeper, refreshed in time, given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use outbound::Outbound;
use rmcp::transport::auth::{
    AuthClient, AuthError, CredentialRefreshGuard, CredentialStore, StoredCredentials,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use url::Url;

use super::{Grant, SignInError, configure, manager, nonsense};

/// Keeps the grant of one server, sealed.
#[async_trait]
pub trait GrantKeeper: Send + Sync {
    /// The grant as it is now; `None` if the person signed out.
    ///
    /// # Errors
    /// In words for a person.
    async fn load(&self) -> Result<Option<SecretString>, String>;

    /// Replaces the grant, unless the person signed out meanwhile.
    ///
    /// # Errors
    /// In words for a person.
    async fn save(&self, grant: SecretString) -> Result<(), String>;

    /// Waits until nobody else of the whole installation renews the tokens, and keeps others
    /// waiting until what it gives is dropped.
    ///
    /// # Errors
    /// In words for a person.
    async fn take_turn(&self) -> Result<Box<dyn Send>, String>;
}

/// A client that shows tokens with each request, refreshes them before they expire and once more if
/// the server refuses them.
pub(crate) async fn authorized(
    outbound: &Outbound,
    server: &Url,
    client: reqwest::Client,
    keeper: Arc<dyn GrantKeeper>,
) -> Result<AuthClient<reqwest::Client>, SignInError> {
    let grant = keeper.load().await.map_err(SignInError)?;
    let grant = grant.ok_or_else(nonsense)?;
    let grant: Grant = serde_json::from_str(grant.expose_secret()).map_err(|_| nonsense())?;
    let mut manager = manager(outbound, server).await?;
    let metadata = match manager.resolve_metadata().await {
        Ok(found) if found.metadata.issuer == grant.metadata.issuer => found.metadata,
        // Tokens are shown to nobody but the server that they were given for, and refreshed only
        // where they came from.
        Ok(_) => return Err(SignInError(
            "the server names another authorization server than the one that was signed in at; \
             sign in again"
                .to_owned(),
        )),
        // They may still be good.
        Err(_) => grant.metadata.clone(),
    };
    manager.set_metadata(metadata);
    configure(&mut manager, &grant.registration)?;
    manager.set_credential_store(Kept {
        keeper,
        grant: Mutex::new(grant),
        must_load: Arc::default(),
    });
    Ok(AuthClient::new(client, manager))
}

/// The grant as this process knows it: its keeper is asked only when it is renewed.
struct Kept {
    keeper: Arc<dyn GrantKeeper>,
    grant: Mutex<Grant>,
    must_load: Arc<AtomicBool>,
}

/// Whoever renews sees what others have renewed.
struct Turn {
    must_load: Arc<AtomicBool>,
    _turn: Box<dyn Send>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.must_load.store(false, Ordering::Release);
    }
}

fn unkept(error: String) -> AuthError {
    AuthError::CredentialStoreError(error)
}

#[async_trait]
impl CredentialStore for Kept {
    async fn load(&self) -> Result<Option<StoredCredentials>, AuthError> {
        let mut grant = self.grant.lock().await;
        if self.must_load.load(Ordering::Acquire) {
            let Some(kept) = self.keeper.load().await.map_err(unkept)? else {
                grant.credentials = None;
                return Ok(None);
            };
            *grant = serde_json::from_str(kept.expose_secret())
                .map_err(|_| unkept("the tokens cannot be read".to_owned()))?;
        }
        Ok(grant.credentials.clone())
    }

    async fn save(&self, credentials: StoredCredentials) -> Result<(), AuthError> {
        let mut grant = self.grant.lock().await;
        grant.credentials = Some(credentials);
        let text = serde_json::to_string(&*grant)
            .map_err(|_| unkept("the tokens cannot be written".to_owned()))?;
        self.keeper.save(text.into()).await.map_err(unkept)
    }

    async fn clear(&self) -> Result<(), AuthError> {
        self.grant.lock().await.credentials = None;
        Ok(())
    }

    async fn acquire_refresh_guard(&self) -> Result<Option<CredentialRefreshGuard>, AuthError> {
        let turn = self.keeper.take_turn().await.map_err(unkept)?;
        self.must_load.store(true, Ordering::Release);
        Ok(Some(CredentialRefreshGuard::new(Turn {
            must_load: self.must_load.clone(),
            _turn: turn,
        })))
    }
}
