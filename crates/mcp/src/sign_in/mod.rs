//! Signing in at servers that ask for it: OAuth 2.1 with discovery, registration and PKCE.
//!
//! Every request goes through the guarded client. What a sign-in leaves is one text, the
//! [`Grant`], which its keeper seals; nothing of it is ever shown or logged.

mod challenge;
mod fetching;
mod keeping;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use outbound::Outbound;
use rmcp::transport::auth::{
    AuthError, AuthorizationManager, AuthorizationMetadata, CredentialStore, OAuthClientConfig,
    StateStore, StoredAuthorizationState, StoredCredentials,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use self::challenge::challenge;
use self::fetching::Fetcher;
pub use self::keeping::GrantKeeper;
pub(crate) use self::keeping::authorized;
use crate::error::short;

/// Why a sign-in did not work, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignInError(String);

/// A sign-in that was begun.
#[derive(Debug)]
pub struct SignIn {
    /// Where the person goes.
    pub url: String,
    /// Comes back with them, and is as good as a password until then.
    pub state: SecretString,
    /// What finishing needs; to be kept sealed.
    pub pending: SecretString,
}

/// What a person brings back.
#[derive(Debug)]
pub struct SignInAnswer {
    /// As it was begun.
    pub state: SecretString,
    /// To be exchanged for tokens.
    pub code: SecretString,
    /// Who answers, if they say so.
    pub issuer: Option<String>,
}

/// A client that somebody has registered at the authorization server by hand.
#[derive(Debug)]
pub struct KnownClient {
    /// Its id there.
    pub id: String,
    /// Its secret, if it has one.
    pub secret: Option<SecretString>,
}

/// How a sign-in is begun.
#[derive(Debug)]
pub struct SignInPlan<'a> {
    /// Where the person comes back to.
    pub redirect_uri: &'a str,
    /// What the client is called when it is registered.
    pub client_name: &'a str,
    /// A client that is known there.
    pub client: Option<KnownClient>,
    /// Where the client describes itself, if that is at a public address.
    pub metadata_url: Option<&'a str>,
    /// What the sign-in before has left: its client is used again.
    pub before: Option<&'a SecretString>,
    /// Rights that the server wanted since.
    pub more_scopes: &'a [String],
}

/// A client as the authorization server knows it.
#[derive(Clone, Serialize, Deserialize)]
struct Registration {
    client_id: String,
    client_secret: Option<String>,
    scopes: Vec<String>,
    redirect_uri: String,
}

/// What is kept between the two halves of a sign-in.
#[derive(Serialize, Deserialize)]
struct Pending {
    registration: Registration,
    issuer: Option<String>,
    state: StoredAuthorizationState,
}

/// What a sign-in leaves.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    registration: Registration,
    metadata: AuthorizationMetadata,
    credentials: Option<StoredCredentials>,
}

/// Finds out where people sign in for a server, registers there unless a client is known, and gives
/// the address to go to.
///
/// # Errors
/// Says what a person can do.
pub async fn begin(
    outbound: &Outbound,
    server: &Url,
    plan: SignInPlan<'_>,
) -> Result<SignIn, SignInError> {
    let (mut manager, metadata) = discover(outbound, server).await?;
    let before = plan
        .before
        .and_then(|before| plan.registered(before, &metadata));
    let mut scopes = manager.select_scopes(None, &[]);
    let earlier = before.iter().flat_map(|before| &before.scopes);
    for scope in earlier.chain(plan.more_scopes) {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    let known = match plan.client {
        Some(client) => Some((
            client.id,
            client.secret.map(|it| it.expose_secret().to_owned()),
        )),
        None => match before {
            Some(before) => Some((before.client_id, before.client_secret)),
            None => plan
                .metadata_url
                .filter(|_| reads_documents(&metadata))
                .map(|url| (url.to_owned(), None)),
        },
    };
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let registration = match known {
        Some((client_id, client_secret)) => {
            let known = Registration {
                client_id,
                client_secret,
                scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
                redirect_uri: plan.redirect_uri.to_owned(),
            };
            configure(&mut manager, &known)?;
            known
        }
        None => {
            let config = manager
                .register_client(plan.client_name, plan.redirect_uri, &scopes)
                .await
                .map_err(|error| failed("it does not accept this platform as a client", &error))?;
            Registration {
                client_id: config.client_id,
                client_secret: config.client_secret,
                scopes: config.scopes,
                redirect_uri: config.redirect_uri,
            }
        }
    };
    let states = Arc::new(States::default());
    manager.set_state_store(Shared(states.clone()));
    let url = manager
        .get_authorization_url(&scopes)
        .await
        .map_err(|error| failed("its sign-in cannot be begun", &error))?;
    let (token, state) = states.take().ok_or_else(nonsense)?;
    let pending = Pending {
        registration,
        issuer: metadata.issuer,
        state,
    };
    let pending = serde_json::to_string(&pending).map_err(|_| nonsense())?;
    Ok(SignIn {
        url,
        state: token.into(),
        pending: pending.into(),
    })
}

impl SignInPlan<'_> {
    /// The client of an earlier sign-in, if it is good for this one.
    fn registered(
        &self,
        before: &SecretString,
        metadata: &AuthorizationMetadata,
    ) -> Option<Registration> {
        let grant: Grant = serde_json::from_str(before.expose_secret()).ok()?;
        let is_same = grant.metadata.issuer == metadata.issuer
            && grant.metadata.token_endpoint == metadata.token_endpoint
            && grant.registration.redirect_uri == self.redirect_uri;
        is_same.then_some(grant.registration)
    }
}

/// Whether an authorization server takes a client's document in place of its registration.
fn reads_documents(metadata: &AuthorizationMetadata) -> bool {
    let said = &metadata.additional_fields;
    said.get("client_id_metadata_document_supported") == Some(&true.into())
}

/// Exchanges what came back for tokens; gives the grant, to be kept sealed.
///
/// # Errors
/// Says what a person can do; also if another server answers than the one that was asked.
pub async fn finish(
    outbound: &Outbound,
    server: &Url,
    pending: &SecretString,
    answer: SignInAnswer,
) -> Result<SecretString, SignInError> {
    let pending: Pending = serde_json::from_str(pending.expose_secret()).map_err(|_| nonsense())?;
    let (mut manager, metadata) = discover(outbound, server).await?;
    if metadata.issuer != pending.issuer {
        return Err(SignInError(
            "the server names another authorization server than when the sign-in began; begin \
             again"
                .to_owned(),
        ));
    }
    configure(&mut manager, &pending.registration)?;
    let states = Arc::new(States::default());
    let state = answer.state.expose_secret();
    states.put(state.to_owned(), pending.state);
    manager.set_state_store(Shared(states));
    let credentials = Arc::new(Credentials::default());
    manager.set_credential_store(Shared(credentials.clone()));
    manager
        .exchange_code_for_token_with_issuer(
            answer.code.expose_secret(),
            state,
            answer.issuer.as_deref(),
        )
        .await
        .map_err(|error| failed("the sign-in cannot be finished", &error))?;
    let grant = Grant {
        registration: pending.registration,
        metadata,
        credentials: credentials.lock().take(),
    };
    let grant = serde_json::to_string(&grant).map_err(|_| nonsense())?;
    Ok(grant.into())
}

/// Where people sign in for a server.
async fn discover(
    outbound: &Outbound,
    server: &Url,
) -> Result<(AuthorizationManager, AuthorizationMetadata), SignInError> {
    let mut manager = manager(outbound, server).await?;
    let challenge = challenge(outbound, server).await;
    let found = manager
        .resolve_metadata_from_challenge(challenge.as_deref())
        .await;
    let metadata = found
        .map_err(|error| failed("where to sign in cannot be found out", &error))?
        .metadata;
    manager.set_metadata(metadata.clone());
    Ok((manager, metadata))
}

async fn manager(outbound: &Outbound, server: &Url) -> Result<AuthorizationManager, SignInError> {
    let fetcher = Arc::new(Fetcher::new(outbound.clone()));
    let manager = AuthorizationManager::new_with_oauth_http_client(server.as_str(), fetcher).await;
    manager.map_err(|error| failed("its sign-in cannot be begun", &error))
}

fn configure(
    manager: &mut AuthorizationManager,
    registration: &Registration,
) -> Result<(), SignInError> {
    let mut config = OAuthClientConfig::new(&registration.client_id, &registration.redirect_uri)
        .with_scopes(registration.scopes.clone());
    config.client_secret.clone_from(&registration.client_secret);
    manager
        .configure_client(config)
        .map_err(|error| failed("its sign-in cannot be used", &error))
}

fn nonsense() -> SignInError {
    SignInError("the sign-in cannot be read; begin again".to_owned())
}

/// In words without a token, a code or a page of the server's.
fn failed(what: &str, error: &AuthError) -> SignInError {
    let why = match error {
        AuthError::RegistrationFailed(why) if why.contains("not supported") => {
            "it registers no clients by itself; register one there and give its id in the server's \
             settings, or add a token as a header"
                .to_owned()
        }
        AuthError::RegistrationFailed(_) => "it refuses to register the client".to_owned(),
        AuthError::TokenExchangeFailed(_) => "it does not give tokens for the code".to_owned(),
        AuthError::DiscoveryRequestFailed { .. } => "it cannot be reached".to_owned(),
        AuthError::AuthorizationServerMismatch { .. } => {
            "another authorization server answers than the one that was asked".to_owned()
        }
        AuthError::AuthorizationServerMissingIssuer { .. } => {
            "the answer does not say which authorization server gave it".to_owned()
        }
        AuthError::ProtectedResourceMetadataInvalid { .. }
        | AuthError::AuthorizationServersUnavailable { .. }
        | AuthError::MetadataError(_)
        | AuthError::PkceUnsupported
        | AuthError::NoAuthorizationSupport => short(&error.to_string()),
        _ => "it answers with nonsense".to_owned(),
    };
    SignInError(format!("{what}: {why}"))
}

/// One state of a sign-in, in memory.
#[derive(Default)]
struct States(Mutex<Option<(String, StoredAuthorizationState)>>);

impl States {
    fn take(&self) -> Option<(String, StoredAuthorizationState)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, token: String, state: StoredAuthorizationState) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some((token, state));
    }
}

/// The tokens of a sign-in that is being finished.
#[derive(Default)]
struct Credentials(Mutex<Option<StoredCredentials>>);

impl Credentials {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<StoredCredentials>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Shared<T>(Arc<T>);

#[async_trait]
impl StateStore for Shared<States> {
    async fn save(&self, token: &str, state: StoredAuthorizationState) -> Result<(), AuthError> {
        self.0.put(token.to_owned(), state);
        Ok(())
    }

    async fn load(&self, token: &str) -> Result<Option<StoredAuthorizationState>, AuthError> {
        let place = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = place.as_ref().filter(|(known, _)| known == token);
        Ok(found.map(|(_, state)| state.clone()))
    }

    async fn delete(&self, _token: &str) -> Result<(), AuthError> {
        self.0.take();
        Ok(())
    }
}

#[async_trait]
impl CredentialStore for Shared<Credentials> {
    async fn load(&self) -> Result<Option<StoredCredentials>, AuthError> {
        Ok(self.0.lock().clone())
    }

    async fn save(&self, credentials: StoredCredentials) -> Result<(), AuthError> {
        *self.0.lock() = Some(credentials);
        Ok(())
    }

    async fn clear(&self) -> Result<(), AuthError> {
        *self.0.lock() = None;
        Ok(())
    }
}
