//! What a server may tell its client unasked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, Implementation, ProgressNotificationParam, ProgressToken,
    ProtocolVersion,
};
use rmcp::service::{NotificationContext, RoleClient};
use tokio::sync::{Notify, mpsc};

use crate::connection::Progress;

/// Steps of one call that may wait to be told; more are left out.
const WAITING_STEPS: usize = 16;

/// Hears notices of a server. It grants the server nothing: no roots, sampling or questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handler {
    /// Rung when the server's lists have changed; rings that nobody waits for become one.
    pub(crate) changed: Arc<Notify>,
    progress: Arc<Mutex<HashMap<ProgressToken, mpsc::Sender<Progress>>>>,
}

/// Receives the progress of one call.
pub(crate) struct ProgressReceiver {
    token: ProgressToken,
    handler: Handler,
    pub(crate) steps: mpsc::Receiver<Progress>,
}

impl Handler {
    /// Hears of a call's progress until the receiver is dropped.
    pub(crate) fn watch(&self, token: ProgressToken) -> ProgressReceiver {
        let (sender, steps) = mpsc::channel(WAITING_STEPS);
        let progress = self.progress.lock();
        let mut progress = progress.unwrap_or_else(PoisonError::into_inner);
        progress.insert(token.clone(), sender);
        drop(progress);
        ProgressReceiver {
            token,
            handler: self.clone(),
            steps,
        }
    }
}

impl Drop for ProgressReceiver {
    fn drop(&mut self) {
        let progress = self.handler.progress.lock();
        let mut progress = progress.unwrap_or_else(PoisonError::into_inner);
        progress.remove(&self.token);
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
        let progress = self.progress.lock();
        let progress = progress.unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = progress.get(&step.progress_token) {
            // A server that tells more than anybody hears is not waited for.
            let _ = sender.try_send(Progress {
                progress: step.progress,
                total: step.total,
                message: step.message,
            });
        }
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    async fn on_prompt_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    async fn on_resource_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}
