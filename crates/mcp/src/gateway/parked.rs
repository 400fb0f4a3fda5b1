//! Calls whose server of 2025 waits for an answer of a client of 2026.
//!
//! Such a client gets the question as its answer and asks once more with what a person said. The call
//! must not be made twice: it is kept meanwhile, in the process that made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rmcp::model::{ElicitResult, InputRequest, InputRequiredResult, InputResponses, ServerResult};

use super::asking::lock;
use super::call::Call;
use crate::ask::Answer;
use crate::error::CallError;
use crate::question::{ANSWER_TIMEOUT, Question};

/// Calls that one process keeps, and those of one caller.
const MAX_PARKED: usize = 1_000;
const MAX_OF_ONE: usize = 50;
/// The name of the only question.
const KEY: &str = "question";

/// Calls that wait for clients to ask once more. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Parked {
    calls: Arc<Mutex<HashMap<String, Waiting>>>,
    /// Begins the names of this process's calls.
    process: Arc<str>,
}

struct Waiting {
    call: Call,
    question: Question,
    /// Whose call it is.
    who: String,
}

impl Parked {
    pub(super) fn new(process: &str) -> Self {
        Self {
            calls: Arc::default(),
            process: process.into(),
        }
    }

    /// Whether what a client gives back names a call that was made here.
    pub(super) fn is_here(&self, state: &str) -> bool {
        let rest = state.strip_prefix(&*self.process);
        !self.process.is_empty() && rest.is_some_and(|rest| rest.starts_with('-'))
    }

    /// Keeps a call for as long as a person may think; gives the answer that asks the client.
    ///
    /// # Errors
    /// `Server` if too many wait.
    pub(super) fn park(
        &self,
        call: Call,
        question: Question,
        who: String,
    ) -> Result<Answer, CallError> {
        let state = format!("{}-{}", self.process, uuid::Uuid::new_v4().simple());
        let request = InputRequest::Elicitation(question.request());
        {
            let mut calls = lock(&self.calls);
            let own = calls.values().filter(|waiting| waiting.who == who).count();
            if calls.len() >= MAX_PARKED || own >= MAX_OF_ONE {
                return Err(CallError::Server("too many questions are open".to_owned()));
            }
            let waiting = Waiting {
                call,
                question,
                who,
            };
            calls.insert(state.clone(), waiting);
        }
        let (this, name) = (self.clone(), state.clone());
        tokio::spawn(async move {
            tokio::time::sleep(ANSWER_TIMEOUT).await;
            let late = lock(&this.calls).remove(&name);
            if let Some(mut late) = late {
                late.call.cancel.cancel();
                let _ = late.call.answer.as_mut().await;
            }
        });
        let questions = [(KEY.to_owned(), request)].into_iter().collect();
        let result = InputRequiredResult::new(Some(questions), Some(state));
        Ok(Answer(ServerResult::InputRequiredResult(result)))
    }

    /// The call, its question answered.
    ///
    /// # Errors
    /// `Server` if there is no such call of this caller, or no answer.
    pub(super) fn resume(
        &self,
        state: &str,
        who: &str,
        responses: Option<InputResponses>,
    ) -> Result<Call, CallError> {
        let response = responses.and_then(|mut responses| responses.remove(KEY));
        let result = response.and_then(|it| serde_json::from_value::<ElicitResult>(it).ok());
        let result = result.ok_or_else(|| {
            CallError::Server("its question was not answered as it was asked".to_owned())
        })?;
        let mut calls = lock(&self.calls);
        let is_own = calls.get(state).is_some_and(|waiting| waiting.who == who);
        let Some(Waiting { call, question, .. }) = is_own.then(|| calls.remove(state)).flatten()
        else {
            return Err(CallError::Server(
                "its question is not open any more; call it again".to_owned(),
            ));
        };
        question.answer(result);
        Ok(call)
    }
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked").finish_non_exhaustive()
    }
}
