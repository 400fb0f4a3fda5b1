//! What a server may tell its client unasked, and ask it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, ErrorData, FormElicitationCapability, Implementation,
    ProgressNotificationParam, ProgressToken, ProtocolVersion, RequestId,
    ResourceUpdatedNotificationParam,
};
use rmcp::service::{InboundStreamOrigin, NotificationContext, RequestContext, RoleClient};
use tokio::sync::{Notify, mpsc};

use crate::ask::LogLine;
use crate::connection::Progress;
use crate::following::ResourceNotices;
use crate::logs;
use crate::question::{ANSWER_TIMEOUT, Question, declined};

/// Steps of one call that may wait to be told; more are left out.
pub(crate) const WAITING_STEPS: usize = 16;

/// Hears notices of a server, and hands its questions to whoever called it. It grants the server
/// nothing else: no roots, no sampling.
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
    id: RequestId,
    asides: mpsc::Sender<Aside>,
    wants_logs: bool,
    can_be_asked: bool,
}

/// What a server says besides an answer.
#[derive(Debug)]
pub(crate) enum Aside {
    Step(Progress),
    Log(LogLine),
    /// Somebody is asked; the server waits for that.
    Question(Question),
    /// A question is over.
    Answered,
}

/// Receives what is said about one request.
pub(crate) struct Asides {
    token: ProgressToken,
    handler: Handler,
    pub(crate) said: mpsc::Receiver<Aside>,
}

impl Handler {
    /// Hears what is said about a request until the receiver is dropped.
    pub(crate) fn watch(
        &self,
        (id, token): (RequestId, ProgressToken),
        wants_logs: bool,
        can_be_asked: bool,
    ) -> Asides {
        let (asides, said) = mpsc::channel(WAITING_STEPS);
        let waiting = Waiting {
            id,
            asides,
            wants_logs,
            can_be_asked,
        };
        self.lock().insert(token.clone(), waiting);
        Asides {
            token,
            handler: self.clone(),
            said,
        }
    }

    /// Whom a question is for. One that came with the answer to a call is for whoever made that; any
    /// other is answered only if there is but one call, so that nobody is asked another's business.
    fn asked(&self, origin: Option<&InboundStreamOrigin>) -> Option<mpsc::Sender<Aside>> {
        let waiting = self.lock();
        let found = match origin {
            Some(InboundStreamOrigin::OutboundRequest(id)) => {
                waiting.values().find(|waiting| waiting.id == *id)
            }
            _ => {
                let mut all = waiting.values();
                all.next().filter(|_| all.next().is_none())
            }
        };
        let found = found.filter(|waiting| waiting.can_be_asked)?;
        Some(found.asides.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProgressToken, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What servers are told of their client.
pub(crate) fn who_we_are() -> Implementation {
    Implementation::new("agentarea", env!("CARGO_PKG_VERSION"))
}

impl Drop for Asides {
    fn drop(&mut self) {
        self.handler.lock().remove(&self.token);
    }
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let this = who_we_are();
        // The newest revision is asked for by itself; a handshake must not name it.
        let mut can = ClientCapabilities::default();
        // Servers of 2025 are told at the start, before it is known who will call them.
        let form = FormElicitationCapability::new();
        can.elicitation = Some(ElicitationCapability::new().with_form(form));
        ClientConfig::new(can, this).with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_elicitation(
        &self,
        asked: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let asides = self.asked(context.extensions.get::<InboundStreamOrigin>());
        let (Some(asides), Some((question, answered))) = (asides, Question::new(asked)) else {
            return Ok(declined());
        };
        if asides.send(Aside::Question(question)).await.is_err() {
            return Ok(declined());
        }
        let result = tokio::select! {
            answered = answered => answered.unwrap_or_else(|_| declined()),
            () = context.ct.cancelled() => ElicitResult::new(ElicitationAction::Cancel),
            () = tokio::time::sleep(ANSWER_TIMEOUT) => ElicitResult::new(ElicitationAction::Cancel),
        };
        let _ = asides.send(Aside::Answered).await;
        Ok(result)
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
