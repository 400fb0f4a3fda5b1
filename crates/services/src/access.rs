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
/// How often a stream checks without notice: sessions also end by themselves.
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
    check_at: Instant,
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
            check_at: self.next_check(),
        }
    }

    /// When access is to be checked without notice: at the latest when a key expires.
    fn next_check(&self) -> Instant {
        let expires_at = match self.credential {
            Credential::ApiKey { expires_at, .. } => expires_at,
            Credential::Session(_) => None,
        };
        let now = mint::now();
        let pause = match expires_at {
            // A moment later: the times are cut off to milliseconds.
            Some(at) if at > now => {
                Duration::from_millis(at.millis_since(now) + 1).min(CHECK_EVERY)
            }
            _ => CHECK_EVERY,
        };
        Instant::now() + pause
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
            Credential::ApiKey { id, .. } => store::api_keys::find_role(&mut db, id, now).await,
        };
        Ok(role.or_fault()? == Some(self.actor.role) && can(self.actor.role, Action::Read))
    }
}

impl AccessWatch {
    /// How long to wait for [`AccessWatch::changed`] before it is to be called again: it has no clock.
    pub fn patience(&self) -> Duration {
        self.check_at.saturating_duration_since(Instant::now())
    }

    /// Returns once the holder's access has changed, however long that takes.
    pub(crate) async fn over(mut self) {
        loop {
            let patience = self.patience();
            tokio::select! {
                () = self.changed() => return,
                () = tokio::time::sleep(patience) => {}
            }
        }
    }

    /// Returns once the holder's access is known to have changed: by a notice, or by the check that
    /// was due when this was called. Safe to cancel.
    pub async fn changed(&mut self) {
        loop {
            let is_due = self.must_check || self.check_at <= Instant::now();
            if is_due && self.check.is_none() {
                // What changes from now on is heard and checked again.
                self.must_check = false;
                self.check_at = self.session.next_check();
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
