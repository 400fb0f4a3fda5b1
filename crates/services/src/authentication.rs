//! From a cookie or a key to a session.

use domain::{Actor, ApiKeyId, Error, SessionId, Timestamp, WorkspaceId};
use time::Duration;

use crate::fault::OrFault;
use crate::{Services, Session, mint};

/// How long an unused browser session lives.
pub(crate) const SESSION_LIFETIME: Duration = Duration::hours(1);
/// How exact the recorded time of last use is.
const TOUCH_AFTER_SECONDS: u64 = 60;

/// What the actor showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A browser's cookie.
    Session(SessionId),
    /// An API key.
    ApiKey(ApiKeyId),
}

impl Services {
    /// Who holds a session token.
    ///
    /// # Errors
    /// `Unauthenticated` if it is unknown or was not used for an hour.
    pub async fn authenticate_session(&self, token: &str) -> Result<Session, Error> {
        let now = mint::now();
        let mut db = self.store.system().await.or_fault()?;
        let alive_since = now.date_time() - SESSION_LIFETIME;
        let principal = store::sessions::find(&mut db, &mint::hash(token), alive_since.into())
            .await
            .or_fault()?
            .ok_or(Error::Unauthenticated)?;
        if is_due(principal.seen_at, now) {
            store::sessions::touch(&mut db, principal.id, now)
                .await
                .or_fault()?;
        }
        Ok(self.session(
            Actor {
                user_id: principal.user_id,
                workspace_id: principal.workspace_id,
                role: principal.role,
            },
            Credential::Session(principal.id),
        ))
    }

    /// Who holds an API key.
    ///
    /// # Errors
    /// `Unauthenticated` if it is unknown, expired or deleted.
    pub async fn authenticate_key(&self, key: &str) -> Result<Session, Error> {
        let now = mint::now();
        let mut db = self.store.system().await.or_fault()?;
        let principal = store::api_keys::find(&mut db, &mint::hash(key), now)
            .await
            .or_fault()?
            .ok_or(Error::Unauthenticated)?;
        if is_due(principal.seen_at, now) {
            store::api_keys::touch(&mut db, principal.id, now)
                .await
                .or_fault()?;
        }
        Ok(self.session(
            Actor {
                user_id: principal.user_id,
                workspace_id: principal.workspace_id,
                role: principal.role,
            },
            Credential::ApiKey(principal.id),
        ))
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
        if matches!(self.credential, Credential::ApiKey(_)) {
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
