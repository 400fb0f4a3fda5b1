//! From a cookie or a key to a session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use domain::{Actor, ApiKeyId, Error, Secret, SessionId, Timestamp, WorkspaceId};
use store::sessions::Principal;
use time::Duration;

use crate::fault::OrFault;
use crate::{Services, Session, mint};

/// How long an unused browser session lives.
pub(crate) const SESSION_LIFETIME: Duration = Duration::hours(1);
/// How long a token works after it was replaced because the holder's access had changed: requests
/// that were sent before the answer with the new one still carry it.
const FORMER_TOKEN_LIVES: Duration = Duration::seconds(10);
/// How exact the recorded time of last use is.
const TOUCH_AFTER_SECONDS: u64 = 60;

/// How long a looked-up key is believed.
const BELIEVED_FOR: std::time::Duration = std::time::Duration::from_secs(1);
/// Keys remembered before old ones are dropped.
const MAX_KNOWN: usize = 10_000;

/// What the actor showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A browser's cookie.
    Session(SessionId),
    /// An API key.
    ApiKey {
        /// The key.
        id: ApiKeyId,
        /// When it expires, if it does.
        expires_at: Option<Timestamp>,
    },
}

impl Credential {
    fn has_expired(self) -> bool {
        match self {
            Self::Session(_) => false,
            Self::ApiKey { expires_at, .. } => expires_at.is_some_and(|at| at <= mint::now()),
        }
    }
}

type KeyHash = [u8; 32];
/// Who holds a key, and when that was looked up.
type Holder = (Instant, Actor, Credential);

/// Holders of keys that were looked up a moment ago, so that a busy client costs one look-up a
/// second and not one for each request. A change of access clears it in every process; one that
/// hears of nothing believes a deleted key for at most [`BELIEVED_FOR`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Principals {
    known: Arc<Mutex<HashMap<KeyHash, Holder>>>,
}

impl Principals {
    fn find(&self, hash: &[u8; 32]) -> Option<(Actor, Credential)> {
        let known = self.known.lock().expect("no holder panics");
        let (since, actor, credential) = known.get(hash)?;
        let is_believed = since.elapsed() < BELIEVED_FOR && !credential.has_expired();
        is_believed.then_some((*actor, *credential))
    }

    fn keep(&self, hash: [u8; 32], actor: Actor, credential: Credential) {
        let mut known = self.known.lock().expect("no holder panics");
        if known.len() >= MAX_KNOWN {
            known.retain(|_, (since, _, _)| since.elapsed() < BELIEVED_FOR);
        }
        known.insert(hash, (Instant::now(), actor, credential));
    }

    /// Has everybody looked up again.
    pub(crate) fn clear(&self) {
        self.known.lock().expect("no holder panics").clear();
    }
}

/// The holder of a session token.
#[derive(Debug)]
pub struct Recognized {
    /// What the holder can do.
    pub session: Session,
    /// The token that replaces the one shown, which works a few seconds longer.
    pub new_token: Option<Secret>,
}

impl Services {
    /// Who holds a session token. It is replaced if the holder's access was changed by others.
    ///
    /// # Errors
    /// `Unauthenticated` if it is unknown or was not used for an hour.
    pub async fn authenticate_session(&self, token: &str) -> Result<Recognized, Error> {
        let now = mint::now();
        let hash = mint::hash(token);
        let remembered = self.sessions.find(&hash).await;
        let (principal, new_token) = match remembered.filter(|known| !is_due(known.seen_at, now)) {
            Some(principal) => (principal, None),
            None => self.look_up_session(&hash, now).await?,
        };
        let actor = Actor {
            user_id: principal.user_id,
            workspace_id: principal.workspace_id,
            role: principal.role,
            scopes: principal.scopes,
        };
        Ok(Recognized {
            session: self.session(actor, Credential::Session(principal.id)),
            new_token,
        })
    }

    /// Looks a session up, and replaces its token if it must be.
    async fn look_up_session(
        &self,
        token_hash: &[u8],
        now: Timestamp,
    ) -> Result<(Principal<SessionId>, Option<Secret>), Error> {
        let stamp = self.sessions.stamp();
        let mut db = self.store.system().await.or_fault()?;
        let alive_since = now.date_time() - SESSION_LIFETIME;
        let found = store::sessions::find(&mut db, token_hash, alive_since.into(), now)
            .await
            .or_fault()?
            .ok_or(Error::Unauthenticated)?;
        let mut principal = found.principal;
        if is_due(principal.seen_at, now) {
            store::sessions::touch(&mut db, principal.id, now)
                .await
                .or_fault()?;
            principal.seen_at = Some(now);
        }
        if found.must_renew {
            let token = mint::token();
            let until = now.date_time() + FORMER_TOKEN_LIVES;
            let former = (token_hash, until.into());
            let is_replaced =
                store::sessions::replace_token(&mut db, principal.id, former, &mint::hash(&token))
                    .await
                    .or_fault()?;
            return Ok((principal, is_replaced.then(|| Secret::new(token))));
        }
        drop(db);
        // A token that was replaced lives some seconds only, and is not remembered for longer.
        if found.is_current {
            self.sessions.keep(token_hash, &principal, stamp).await;
        }
        Ok((principal, None))
    }

    /// Who holds an API key.
    ///
    /// # Errors
    /// `Unauthenticated` if it is unknown, expired or deleted.
    pub async fn authenticate_key(&self, key: &str) -> Result<Session, Error> {
        let hash = mint::hash(key);
        if let Some((actor, credential)) = self.principals.find(&hash) {
            return Ok(self.session(actor, credential));
        }
        let now = mint::now();
        let mut db = self.store.system().await.or_fault()?;
        let (principal, expires_at) = store::api_keys::find(&mut db, &hash, now)
            .await
            .or_fault()?
            .ok_or(Error::Unauthenticated)?;
        if is_due(principal.seen_at, now) {
            store::api_keys::touch(&mut db, principal.id, now)
                .await
                .or_fault()?;
        }
        let actor = Actor {
            user_id: principal.user_id,
            workspace_id: principal.workspace_id,
            role: principal.role,
            scopes: principal.scopes,
        };
        let id = principal.id;
        let credential = Credential::ApiKey { id, expires_at };
        self.principals.keep(hash, actor, credential);
        Ok(self.session(actor, credential))
    }

    fn session(&self, actor: Actor, credential: Credential) -> Session {
        Session {
            services: self.clone(),
            actor,
            credential,
        }
    }
}

impl Session {
    /// The same person in another workspace.
    ///
    /// # Errors
    /// `NotFound` if the person is no member there, or the key belongs to another workspace.
    pub async fn in_workspace(self, workspace_id: WorkspaceId) -> Result<Self, Error> {
        if workspace_id == self.actor.workspace_id {
            return Ok(self);
        }
        if matches!(self.credential, Credential::ApiKey { .. }) {
            return Err(Error::NotFound);
        }
        let mut db = self.services.store.system().await.or_fault()?;
        let role = store::accounts::find_role(&mut db, self.actor.user_id, workspace_id)
            .await
            .or_fault()?
            .ok_or(Error::NotFound)?;
        let actor = Actor {
            workspace_id,
            role,
            ..self.actor
        };
        Ok(Self { actor, ..self })
    }
}

fn is_due(seen_at: Option<Timestamp>, now: Timestamp) -> bool {
    seen_at.is_none_or(|seen_at| now.seconds_since(seen_at) >= TOUCH_AFTER_SECONDS)
}
