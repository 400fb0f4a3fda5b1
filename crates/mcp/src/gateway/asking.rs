//! One request through the gateway: steps and logs on the way, and questions back to the client.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rmcp::model::{
    ClientResult, InputRequest, InputRequests, InputResponses, ProgressNotificationParam,
    ServerRequest, ServerResult,
};
use rmcp::service::{PeerRequestOptions, RequestContext, RoleServer};

use super::Caller;
use super::call::Call;
use super::serving::{Gateway, caller, is_modern};
use crate::ask::{Answer, Ask};
use crate::error::{CallError, short};
use crate::handler::Aside;
use crate::logs;
use crate::question::{ANSWER_TIMEOUT, Question};

/// How often a server may ask back in one request.
const MAX_ROUNDS: usize = 10;
/// Questions in one round.
const MAX_QUESTIONS: usize = 16;

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
        let wants_steps = context.meta.get_progress_token().is_some();
        if is_modern(context) {
            let who = caller.identity();
            let call = match &ask.state {
                Some(state) if self.parked.is_here(state) => {
                    self.parked.resume(state, &who, ask.responses.take())?
                }
                _ => Call::begin(caller, ask, wants_steps),
            };
            return self.follow(call, Some(who), context).await;
        }
        for _ in 0..MAX_ROUNDS {
            let call = Call::begin(caller.clone(), ask.clone(), wants_steps);
            let mut answer = self.follow(call, None, context).await?;
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

    /// Waits for a call and passes on what is said meanwhile. What is asked meanwhile is put to the
    /// client, or becomes the answer if the client has to come `back` with what somebody says.
    async fn follow(
        &self,
        mut call: Call,
        back: Option<String>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Answer, CallError> {
        let level = self.client(context).log_level;
        let pass_on = async |aside: Box<Aside>| match *aside {
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
            Aside::Question(_) | Aside::Answered => {}
        };
        let mut asked = FuturesUnordered::new();
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut call.answer => break answer,
                () = context.ct.cancelled(), if !call.cancel.is_cancelled() => call.cancel.cancel(),
                Some(question) = call.questions.recv() => match back {
                    Some(who) => {
                        while let Ok(aside) = call.said.try_recv() {
                            pass_on(aside).await;
                        }
                        return self.parked.park(call, *question, who);
                    }
                    None => asked.push(put(*question, context)),
                },
                Some(()) = asked.next() => {}
                Some(aside) = call.said.recv() => pass_on(aside).await,
            }
        };
        while let Ok(aside) = call.said.try_recv() {
            pass_on(aside).await;
        }
        answer
    }
}

/// Puts a question of a server of 2025 to a client of 2025.
async fn put(question: Question, context: &RequestContext<RoleServer>) {
    let options = PeerRequestOptions::with_timeout(ANSWER_TIMEOUT);
    let request = ServerRequest::from(question.request());
    let asking = async {
        let handle = context.peer.send_request_with_option(request, options);
        handle.await?.await_response().await
    };
    // A client that does not answer declines.
    if let Ok(ClientResult::ElicitResult(result)) = asking.await {
        question.answer(result);
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
