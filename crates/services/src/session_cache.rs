//! Whose a session token is, remembered so that a request need not ask the database.
//!
//! A memory holds while nobody's access changes. Each is kept with two marks, one of all people
//! and one of its person; whoever hears of a change deletes the mark, and the memories with it. A
//! missing mark fits nothing, so a cache that loses its contents only forgets. While a change that
//! was heard of is not carried through, or changes cannot be heard, nothing is believed.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::{Role, Scopes, SessionId, Timestamp, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::cache::Cache;
use store::panics::unless_panicking;
use store::sessions::Principal;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::mint;

/// How long a session is remembered. Its use is recorded every minute, which asks the database.
const LIFETIME: Duration = Duration::from_secs(3600);
/// How long marks are kept: longer than what they vouch for.
const MARK_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Pause before a change is carried through once more.
const PAUSE: Duration = Duration::from_millis(250);
/// The mark of all people.
const EVERYBODY: &str = "agentarea:sessions";

/// Remembered sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct SessionCache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cache: Cache,
    pending: Mutex<Pending>,
    /// Changes heard of so far.
    changes: AtomicU64,
    /// Whether changes are not heard.
    is_deaf: AtomicBool,
    /// Whether every change heard of is carried through.
    is_settled: AtomicBool,
    news: Notify,
}

/// Changes to be carried through.
#[derive(Debug, Default)]
struct Pending {
    everybody: bool,
    people: HashSet<UserId>,
}

/// How many changes were heard of before a session was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

#[derive(Serialize, Deserialize)]
struct Kept {
    id: SessionId,
    user_id: UserId,
    workspace_id: WorkspaceId,
    role: Role,
    seen_at: Option<Timestamp>,
    everybody: String,
    person: String,
}

impl SessionCache {
    /// Nothing is believed before [`SessionCache::changed`] says that changes are heard.
    pub(crate) fn new(cache: Cache) -> Self {
        Self {
            inner: Arc::new(Inner {
                cache,
                pending: Mutex::default(),
                changes: AtomicU64::new(0),
                is_deaf: AtomicBool::new(true),
                is_settled: AtomicBool::new(true),
                news: Notify::new(),
            }),
        }
    }

    /// Carries changes through until `stopping`.
    pub(crate) fn start(&self, stopping: CancellationToken) {
        let cache = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = cache.settle() => {}
            }
        });
    }

    /// To be taken before a session is looked up that shall be kept.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp(self.inner.changes.load(Ordering::Acquire))
    }

    /// Whose token this is, if that is remembered and still holds.
    pub(crate) async fn find(&self, token_hash: &[u8]) -> Option<Principal<SessionId>> {
        if !self.is_trusted() {
            return None;
        }
        let cache = &self.inner.cache;
        let (kept, everybody) = cache.get_both(&session_key(token_hash), EVERYBODY).await;
        let kept: Kept = serde_json::from_slice(&kept?).ok()?;
        let person = cache.get(&person_key(kept.user_id)).await?;
        let holds = kept.everybody.as_bytes() == everybody? && kept.person.as_bytes() == person;
        (holds && self.is_trusted()).then_some(Principal {
            id: kept.id,
            user_id: kept.user_id,
            workspace_id: kept.workspace_id,
            role: kept.role,
            scopes: Scopes::ALL,
            seen_at: kept.seen_at,
        })
    }

    /// Remembers a session, unless something has changed since `stamp`.
    pub(crate) async fn keep(
        &self,
        token_hash: &[u8],
        session: &Principal<SessionId>,
        stamp: Stamp,
    ) {
        if !self.is_trusted() || self.stamp() != stamp {
            return;
        }
        let (Some(everybody), Some(person)) = (
            self.mark(EVERYBODY).await,
            self.mark(&person_key(session.user_id)).await,
        ) else {
            return;
        };
        let kept = Kept {
            id: session.id,
            user_id: session.user_id,
            workspace_id: session.workspace_id,
            role: session.role,
            seen_at: session.seen_at,
            everybody,
            person,
        };
        let json = serde_json::to_vec(&kept).expect("plain data");
        let key = session_key(token_hash);
        self.inner.cache.put(&key, json.into(), LIFETIME).await;
        if self.stamp() != stamp && !self.inner.cache.delete(&key).await {
            self.doubt();
        }
    }

    /// Forgets a person's sessions, `None` everybody's, soon; believes nothing until then.
    pub(crate) fn changed(&self, user_id: Option<UserId>) {
        let mut pending = self.lock();
        match user_id {
            Some(user_id) => {
                pending.people.insert(user_id);
            }
            None => {
                pending.everybody = true;
                self.inner.is_deaf.store(false, Ordering::Release);
            }
        }
        self.note(pending);
    }

    /// Forgets everybody's sessions, soon; believes nothing until then.
    pub(crate) fn doubt(&self) {
        let mut pending = self.lock();
        pending.everybody = true;
        self.note(pending);
    }

    fn note(&self, pending: MutexGuard<'_, Pending>) {
        self.inner.changes.fetch_add(1, Ordering::AcqRel);
        self.inner.is_settled.store(false, Ordering::Release);
        drop(pending);
        self.inner.news.notify_one();
    }

    /// Forgets a person's sessions before it returns, or else soon.
    pub(crate) async fn forget(&self, user_id: UserId) {
        self.inner.changes.fetch_add(1, Ordering::AcqRel);
        if !self.inner.cache.delete(&person_key(user_id)).await {
            self.changed(Some(user_id));
        }
    }

    /// Believes nothing until changes are heard again.
    pub(crate) fn suspend(&self) {
        self.inner.is_deaf.store(true, Ordering::Release);
    }

    fn is_trusted(&self) -> bool {
        self.inner.is_settled.load(Ordering::Acquire) && !self.inner.is_deaf.load(Ordering::Acquire)
    }

    async fn mark(&self, key: &str) -> Option<String> {
        let new = mint::id::<uuid::Uuid>().to_string();
        let mark = self
            .inner
            .cache
            .put_if_missing(key, new.into(), MARK_LIFETIME);
        String::from_utf8(mark.await?.into()).ok()
    }

    async fn settle(&self) {
        loop {
            let pending = std::mem::take(&mut *self.lock());
            let carried = unless_panicking(self.carry_through(&pending)).await;
            let is_done = carried.unwrap_or(false);
            self.conclude(is_done);
            match is_done {
                true => self.inner.news.notified().await,
                false => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Believes again if all is done and nothing has come meanwhile.
    fn conclude(&self, is_done: bool) {
        let mut more = self.lock();
        if !is_done {
            // Nobody knows which marks are gone.
            more.everybody = true;
        } else if !more.everybody && more.people.is_empty() {
            self.inner.is_settled.store(true, Ordering::Release);
        }
    }

    async fn carry_through(&self, pending: &Pending) -> bool {
        if pending.everybody {
            return self.inner.cache.delete(EVERYBODY).await;
        }
        for user_id in &pending.people {
            if !self.inner.cache.delete(&person_key(*user_id)).await {
                return false;
            }
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.inner.pending.lock().expect("no holder panics")
    }
}

fn session_key(token_hash: &[u8]) -> String {
    use std::fmt::Write;
    let mut key = String::with_capacity(18 + 2 * token_hash.len());
    key.push_str("agentarea:session:");
    for byte in token_hash {
        let _ = write!(key, "{byte:02x}");
    }
    key
}

fn person_key(user_id: UserId) -> String {
    format!("agentarea:user:{user_id}")
}
