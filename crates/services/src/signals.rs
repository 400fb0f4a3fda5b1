//! What other processes say, and what this one says to them.

use domain::{AgentId, ConnectionId, UserId, WorkspaceId};
use store::bus::{Changed, Signal};
use tokio_util::sync::CancellationToken;

use crate::Services;

/// Kinds of objects in messages that have caches forget something.
const AGENT: &str = "agent";
const BUDGETS: &str = "budgets";
const CONNECTION: &str = "model_connection";
const USER: &str = "user";

impl Services {
    /// Heeds what other processes say until `stopping`.
    pub(crate) fn listen(&self, stopping: &CancellationToken) {
        self.sessions.start(stopping.clone());
        let services = self.clone();
        self.bus
            .start(&self.store, stopping, move |signal| services.heed(signal));
    }

    fn heed(&self, signal: Signal) {
        match signal {
            Signal::QueueGrown => self.worker.look(),
            Signal::CancelRun(id) => {
                self.worker.cancel_here(id);
            }
            Signal::AccessChanged(user_id) => self.heed_access(user_id),
            Signal::Deaf => self.sessions.suspend(),
            Signal::CacheBack => self.sessions.doubt(),
            Signal::Changed(Changed { kind, id }) => match kind.as_str() {
                AGENT => {
                    if let Ok(id) = id.parse() {
                        self.recents.agent_changed(id);
                        let agents = self.agents.clone();
                        tokio::spawn(async move { agents.forget(id).await });
                    }
                }
                CONNECTION => {
                    if let Ok(id) = id.parse() {
                        self.recents.connection_changed(id);
                    }
                }
                BUDGETS => {
                    if let Ok(id) = id.parse() {
                        self.budgeted.forget(id);
                    }
                }
                USER => {
                    if let Ok(id) = id.parse() {
                        self.heed_access(Some(id));
                    }
                }
                _ => {}
            },
        }
    }

    fn heed_access(&self, user_id: Option<UserId>) {
        self.principals.clear();
        self.sessions.changed(user_id);
        self.access.ring(user_id);
    }

    /// A person's access has changed in a transaction of this process: from now on nobody here is
    /// taken for what they were.
    pub(crate) async fn access_changed(&self, user_id: UserId) {
        self.principals.clear();
        self.sessions.forget(user_id).await;
        self.tell_changed(USER, user_id.to_string());
    }

    /// An agent was changed or deleted in a transaction of this process.
    pub(crate) async fn agent_changed(&self, id: AgentId) {
        self.recents.agent_changed(id);
        self.agents.forget(id).await;
        self.tell_changed(AGENT, id.to_string());
    }

    /// A model connection was changed or deleted in a transaction of this process.
    pub(crate) fn connection_changed(&self, id: ConnectionId) {
        self.recents.connection_changed(id);
        self.tell_changed(CONNECTION, id.to_string());
    }

    /// A workspace's first budget was set, or its last lifted.
    pub(crate) fn budgets_changed(&self, id: WorkspaceId) {
        self.budgeted.forget(id);
        self.tell_changed(BUDGETS, id.to_string());
    }

    fn tell_changed(&self, kind: &str, id: String) {
        let kind = kind.to_owned();
        self.bus.signal(Signal::Changed(Changed { kind, id }));
    }
}
