//! What a server may tell its client unasked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, Implementation, ProgressNotificationParam, ProgressToken,
    ProtocolVersion, ResourceUpdatedNotificationParam,
};
use rmcp::service::{NotificationContext, RoleClient};
use tokio::sync::{Notify, mpsc};

use crate::ask::LogLine;
use crate::connection::Progress;
use crate::following::ResourceNotices;
use crate::logs;

/// Steps of one call that may wait to be told; more are left out.
const WAITING_STEPS: usize = 16;

/// Hears notices of a server. It grants the server nothing: no roots, sampling or questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handler {
    /// Rung when the server's lists have changed; rings that nobody waits for become one.
    pub(crate) changed: Arc<Notify>,
    /// What the server tells of its resources.
    pub(crate) resources: ResourceNotices,
    /// Every request under way.
    waiting: Arc<Mutex<HashMap<ProgressToken, Waiting>>>,
}

/// What the caller of one request wants to hear besides the answer.
#[derive(Clone, Debug)]
struct Waiting {
    asides: mpsc::Sender<Aside>,
    wants_logs: bool,
}

/// What a server says besides an answer.
#[derive(Debug)]
pub(crate) enum Aside {
    Step(Progress),
    Log(LogLine),
}

/// Receives what is said about one request.
pub(crate) struct Asides {
    token: ProgressToken,
    handler: Handler,
    pub(crate) said: mpsc::Receiver<Aside>,
}

impl Handler {
    /// Hears what is said about a request until the receiver is dropped.
    pub(crate) fn watch(&self, token: ProgressToken, wants_logs: bool) -> Asides {
        let (asides, said) = mpsc::channel(WAITING_STEPS);
        self.lock()
            .insert(token.clone(), Waiting { asides, wants_logs });
        Asides {
            token,
            handler: self.clone(),
            said,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProgressToken, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asides {
    fn drop(&mut self) {
        self.handler.lock().remove(&self.token);
    }
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let this = Implementation::new("agentarea", env!("CARGO_PKG_VERSION"));
        // The newest revision is asked for by itself; a handshake must not name it.
        ClientConfig::new(ClientCapabilities::default(), this)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn on_progress(
        &self,
        step: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        if let Some(waiting) = self.lock().get(&step.progress_token) {
            // A server that tells more than anybody hears is not waited for.
            let _ = waiting.asides.try_send(Aside::Step(Progress {
                progress: step.progress,
                total: step.total,
                message: step.message,
            }));
        }
    }

    async fn on_logging_message(
        &self,
        line: logs::Line,
        _context: NotificationContext<RoleClient>,
    ) {
        let waiting = self.lock();
        // Nothing says which request a line is about: it is told only if there is but one, so that
        // nobody reads what concerns another.
        let mut all = waiting.values();
        if let (Some(only), None) = (all.next(), all.next())
            && only.wants_logs
        {
            let _ = only.asides.try_send(Aside::Log(LogLine(line)));
        }
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    async fn on_prompt_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    async fn on_resource_updated(
        &self,
        notice: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        // Fails only if nobody follows any.
        let _ = self.resources.sender.send(notice.uri);
    }

    async fn on_resource_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}
