//! One request that a server is at work on, and what it says and asks meanwhile.

use std::pin::Pin;
use std::sync::Arc;

use rmcp::model::ElicitationCapability;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{GatewayCaller, Hearing};
use crate::ask::{Answer, Ask};
use crate::error::CallError;
use crate::handler::Aside;
use crate::question::Question;

/// Steps of one request that may wait to be passed on; more are left out.
const WAITING_STEPS: usize = 16;
/// Questions of one request that may wait to be put; more are declined.
const WAITING_QUESTIONS: usize = 16;

/// It goes on only while it is waited for. Dropped, it is cancelled.
pub(super) struct Call {
    pub(super) answer: Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send>>,
    // Boxed: a queue makes room for 32 at once, and most calls say and ask nothing.
    pub(super) said: mpsc::Receiver<Box<Aside>>,
    pub(super) questions: mpsc::Receiver<Box<Question>>,
    pub(super) cancel: CancellationToken,
}

impl Call {
    pub(super) fn begin(caller: Arc<dyn GatewayCaller>, ask: Ask, wants_steps: bool) -> Self {
        let (asides, said) = mpsc::channel(WAITING_STEPS);
        let (asking, questions) = mpsc::channel(WAITING_QUESTIONS);
        let cancel = CancellationToken::new();
        let cancelled = cancel.clone();
        let wants_logs = ask.client.log_level.is_some();
        let can_be_asked = ask.client.capabilities.elicitation.as_ref();
        let can_be_asked = can_be_asked.is_some_and(takes_forms);
        let answer = Box::pin(async move {
            // A client that is slow to hear of steps is not waited for.
            let on_progress = |step| drop(asides.try_send(Box::new(Aside::Step(step))));
            let on_log = |line| drop(asides.try_send(Box::new(Aside::Log(line))));
            let on_question = |question| drop(asking.try_send(Box::new(question)));
            let hearing = Hearing {
                cancel: &cancelled,
                on_progress: if wants_steps {
                    Some(&on_progress)
                } else {
                    None
                },
                on_log: if wants_logs { Some(&on_log) } else { None },
                on_question: if can_be_asked {
                    Some(&on_question)
                } else {
                    None
                },
            };
            caller.ask(ask, hearing).await
        });
        Self {
            answer,
            said,
            questions,
            cancel,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Whether a client that says no more than that it can be asked takes forms: it always does.
fn takes_forms(can: &ElicitationCapability) -> bool {
    can.form.is_some() || can.url.is_none()
}
