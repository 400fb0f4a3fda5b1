//! One request through the gateway: steps and logs on the way, and questions back to the client.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::{
    InputRequest, InputRequests, InputResponses, ProgressNotificationParam, ServerRequest,
    ServerResult,
};
use rmcp::service::{PeerRequestOptions, RequestContext, RoleServer};
use tokio::sync::mpsc;

use super::serving::{Gateway, caller, is_modern};
use super::{Caller, Hearing};
use crate::ask::{Answer, Ask};
use crate::error::{CallError, short};
use crate::handler::Aside;
use crate::logs;

/// Steps of one request that may wait to be passed on; more are left out.
const WAITING_STEPS: usize = 16;
/// How often a server may ask back in one request.
const MAX_ROUNDS: usize = 10;
/// Questions in one round.
const MAX_QUESTIONS: usize = 16;
/// How long a person may think about one question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

impl Gateway {
    /// Asks the server. Clients of 2026-07-28 take its questions themselves; those of 2025 are asked
    /// here, and their answers go back to the server.
    pub(super) async fn answer(
        &self,
        mut ask: Ask,
        context: &RequestContext<RoleServer>,
    ) -> Result<Answer, CallError> {
        let Caller(caller) = caller(&context.extensions)
            .map_err(|_| CallError::Server("nobody is signed in".to_owned()))?;
        if is_modern(context) {
            return self.once(caller.as_ref(), ask, context).await;
        }
        for _ in 0..MAX_ROUNDS {
            let mut answer = self.once(caller.as_ref(), ask.clone(), context).await?;
            let ServerResult::InputRequiredResult(needed) = &mut answer.0 else {
                return Ok(answer);
            };
            let questions = needed.input_requests.take().unwrap_or_default();
            ask.state = needed.request_state.take();
            ask.responses = Some(put_questions(questions, context).await?);
        }
        Err(CallError::Server(
            "the server asks back again and again".to_owned(),
        ))
    }

    async fn once(
        &self,
        caller: &dyn super::GatewayCaller,
        ask: Ask,
        context: &RequestContext<RoleServer>,
    ) -> Result<Answer, CallError> {
        let (asides, mut said) = mpsc::channel::<Aside>(WAITING_STEPS);
        let logs = asides.clone();
        // A client that is slow to hear of steps is not waited for.
        let on_progress = move |step| drop(asides.try_send(Aside::Step(step)));
        let on_log = move |line| drop(logs.try_send(Aside::Log(line)));
        let level = self.client(context).log_level;
        let wants_steps = context.meta.get_progress_token().is_some();
        let hearing = Hearing {
            cancel: &context.ct,
            on_progress: wants_steps.then_some(&on_progress),
            on_log: level.is_some().then_some(&on_log),
        };
        let pass_on = async |aside| match aside {
            Aside::Step(step) => {
                let Some(token) = context.meta.get_progress_token() else {
                    return;
                };
                let mut param = ProgressNotificationParam::new(token, step.progress);
                param.total = step.total;
                param.message = step.message;
                let _ = context.peer.notify_progress(param).await;
            }
            Aside::Log(line) => {
                if level.is_some_and(|level| logs::is_at_least(&line.0, level)) {
                    logs::tell(&context.peer, line.0).await;
                }
            }
        };
        let asking = caller.ask(ask, hearing);
        tokio::pin!(asking);
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut asking => break answer,
                Some(aside) = said.recv() => pass_on(aside).await,
            }
        };
        while let Ok(aside) = said.try_recv() {
            pass_on(aside).await;
        }
        answer
    }
}

/// Asks the client everything that a server wants to know.
async fn put_questions(
    questions: InputRequests,
    context: &RequestContext<RoleServer>,
) -> Result<InputResponses, CallError> {
    if questions.len() > MAX_QUESTIONS {
        return Err(CallError::Server("the server asks too much".to_owned()));
    }
    let has = context.client_capabilities().unwrap_or_default();
    let mut responses = InputResponses::new();
    for (key, question) in questions {
        let (can, request) = match question {
            InputRequest::CreateMessage(request) => {
                (has.sampling.is_some(), ServerRequest::from(request))
            }
            InputRequest::Elicitation(request) => (has.elicitation.is_some(), request.into()),
            InputRequest::ListRoots(request) => (has.roots.is_some(), request.into()),
            _ => return Err(CallError::Server("the server asks for nonsense".to_owned())),
        };
        if !can {
            return Err(CallError::Server(
                "the server asks for what the client has not said that it can do".to_owned(),
            ));
        }
        let options = PeerRequestOptions::with_timeout(ANSWER_TIMEOUT);
        let asking = async {
            let handle = context.peer.send_request_with_option(request, options);
            handle.await?.await_response().await
        };
        let answer = tokio::select! {
            answer = asking => answer,
            () = context.ct.cancelled() => return Err(CallError::Cancelled),
        };
        let answer = answer.map_err(|error| {
            let why = short(&error.to_string());
            CallError::Server(format!("the client does not answer the server: {why}"))
        })?;
        let answer = serde_json::to_value(answer)
            .map_err(|_| CallError::Server("the client answers nonsense".to_owned()))?;
        responses.insert(key, answer);
    }
    Ok(responses)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
