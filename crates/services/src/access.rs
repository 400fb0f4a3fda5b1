//! Live streams end when their holder's access changes.

use std::time::{Duration, Instant};

use domain::{Action, Error, UserId, can};
use futures::future::BoxFuture;
use tokio::sync::broadcast;

use crate::authentication::SESSION_LIFETIME;
use crate::fault::OrFault;
use crate::{Credential, Session, mint};

/// Notices that may wait for a slow stream; one that missed some checks anyway.
const CAPACITY: usize = 64;
/// How often a stream checks without notice: keys and sessions also end by themselves.
const CHECK_EVERY: Duration = Duration::from_secs(300);
/// Pause after a check that failed.
const CHECK_AGAIN: Duration = Duration::from_secs(1);

/// Tells live streams whose access has changed; `None` means perhaps anybody's.
#[derive(Clone, Debug)]
pub(crate) struct AccessBell {
    sender: broadcast::Sender<Option<UserId>>,
}

/// Watches over the access of one live stream.
pub struct AccessWatch {
    session: Session,
    notices: broadcast::Receiver<Option<UserId>>,
    must_check: bool,
    /// The check that is under way; whether the access is what it was. Boxed, because a check is rare
    /// and its state would otherwise be kept ready, some kilobytes of it, by each of thousands of
    /// streams.
    check: Option<BoxFuture<'static, bool>>,
    checked_at: Instant,
}

impl AccessBell {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::channel(CAPACITY).0,
        }
    }

    /// Has streams check themselves: those of one person, or all.
    pub(crate) fn ring(&self, changed: Option<UserId>) {
        // Fails only if there is no stream.
        let _ = self.sender.send(changed);
    }
}

impl Session {
    /// Watches over this session's access from now on.
    pub fn watch_access(&self) -> AccessWatch {
        AccessWatch {
            session: self.clone(),
            notices: self.services.access.sender.subscribe(),
            must_check: false,
            check: None,
            checked_at: Instant::now(),
        }
    }

    /// As [`Session::is_unchanged`], as soon as the database can tell.
    async fn stays_unchanged(&self) -> bool {
        loop {
            match self.is_unchanged().await {
                Ok(is_unchanged) => return is_unchanged,
                Err(_) => tokio::time::sleep(CHECK_AGAIN).await,
            }
        }
    }

    /// Whether the session or key still is what it was: valid, of the same role.
    async fn is_unchanged(&self) -> Result<bool, Error> {
        let mut db = self.services.store.system().await.or_fault()?;
        let now = mint::now();
        let role = match self.credential {
            Credential::Session(id) => {
                let alive_since = (now.date_time() - SESSION_LIFETIME).into();
                let workspace_id = self.actor.workspace_id;
                store::sessions::find_role(&mut db, id, workspace_id, alive_since).await
            }
            Credential::ApiKey(id) => store::api_keys::find_role(&mut db, id, now).await,
        };
        Ok(role.or_fault()? == Some(self.actor.role) && can(self.actor.role, Action::Read))
    }
}

impl AccessWatch {
    /// Returns once the holder's access has changed. Safe to cancel.
    pub async fn changed(&mut self) {
        loop {
            let is_due = self.must_check || self.checked_at.elapsed() >= CHECK_EVERY;
            if is_due && self.check.is_none() {
                // What changes from now on is heard and checked again.
                self.must_check = false;
                self.checked_at = Instant::now();
                let session = self.session.clone();
                self.check = Some(Box::pin(async move { session.stays_unchanged().await }));
            }
            if let Some(check) = &mut self.check {
                if !check.await {
                    return;
                }
                self.check = None;
            }
            match self.notices.recv().await {
                Ok(Some(user_id)) if user_id != self.session.actor.user_id => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.must_check = true,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
