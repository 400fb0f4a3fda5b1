//! The calls of one message: side by side, each journalled before and after.

use std::sync::Arc;
use std::time::Instant;

use domain::CallId;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use llm::ModelMessage;
use serde_json::{Value, json};
use tokio::time::{Instant as Deadline, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::log::{LeaseLost, RunLog};
use crate::toolbox::{Allowance, AskedCall, CallResult, CallState, Toolbox};

/// How the calls of a message ended.
pub(crate) enum CallsEnd {
    /// Each has a result.
    Done(Vec<AskedCall>),
    /// People are asked; the run is given up.
    Waiting,
    /// A person stopped the run.
    Cancelled,
    /// The run's time is over.
    OutOfTime,
}

/// Makes every call that may be made, then waits for people if any must be asked. What they cost is
/// taken from `allowance` and added to `spent_usd_micros`.
pub(crate) async fn make_calls(
    mut calls: Vec<AskedCall>,
    toolbox: &dyn Toolbox,
    log: &dyn RunLog,
    (allowance, spent_usd_micros): (&Allowance, &mut u64),
    deadline: Deadline,
    cancel: &CancellationToken,
) -> Result<CallsEnd, LeaseLost> {
    loop {
        if cancel.is_cancelled() {
            return Ok(CallsEnd::Cancelled);
        }
        let ready: Vec<AskedCall> = calls
            .iter()
            .filter(|call| call.state == CallState::Ready)
            .cloned()
            .collect();
        if !ready.is_empty() {
            log.start_calls(&ready).await?;
            let paid = (allowance, &mut *spent_usd_micros);
            let ended = run_ready(&mut calls, ready, toolbox, log, paid, deadline, cancel).await?;
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
        if calls.iter().all(AskedCall::is_done) {
            return Ok(CallsEnd::Done(calls));
        }
        if log.wait_for_people().await? {
            return Ok(CallsEnd::Waiting);
        }
        calls = log.read_calls().await?;
    }
}

async fn run_ready(
    calls: &mut [AskedCall],
    ready: Vec<AskedCall>,
    toolbox: &dyn Toolbox,
    log: &dyn RunLog,
    (allowance, spent_usd_micros): (&Allowance, &mut u64),
    deadline: Deadline,
    cancel: &CancellationToken,
) -> Result<Option<CallsEnd>, LeaseLost> {
    let stop = cancel.child_token();
    let mut running: FuturesUnordered<_> = ready
        .iter()
        .map(|call| make_call(call, toolbox, allowance, stop.clone()))
        .collect();
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(Some(CallsEnd::Cancelled)),
            finished = running.next() => {
                let Some((id, result)) = finished else { return Ok(None) };
                log.finish_call(id, &result).await?;
                *spent_usd_micros += result.cost_usd_micros;
                if let Some(call) = calls.iter_mut().find(|call| call.id == id) {
                    call.state = CallState::Done(result);
                }
            }
            () = sleep_until(deadline) => {
                stop.cancel();
                return Ok(Some(CallsEnd::OutOfTime));
            }
        }
    }
}

async fn make_call(
    call: &AskedCall,
    toolbox: &dyn Toolbox,
    allowance: &Allowance,
    stop: CancellationToken,
) -> (CallId, CallResult) {
    let begun = Instant::now();
    let output = toolbox.call(call.id, &call.plan, allowance, stop).await;
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    (call.id, CallResult::of(output, duration_ms))
}

impl AskedCall {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, CallState::Done(_))
    }

    /// Whether it is not made with what the model asked for.
    fn has_changed_arguments(&self) -> bool {
        let arguments = self.asked.arguments.trim();
        if arguments.is_empty() {
            return self.plan.arguments != json!({});
        }
        // A NUL in them is replaced for PostgreSQL.
        let is_as_asked = arguments.contains("\\u0000");
        let asked = serde_json::from_str::<Value>(arguments);
        !is_as_asked && asked.is_ok_and(|asked| asked != self.plan.arguments)
    }

    /// What the model is told of it.
    pub fn message(&self) -> ModelMessage {
        let (text, is_error) = match &self.state {
            CallState::Done(result) => (result.text.as_str(), result.is_error),
            CallState::Ready | CallState::Waiting => ("the call was not made", true),
        };
        let changed = match self.has_changed_arguments() {
            true => format!(
                "[A person changed the arguments of this call. It was made with {}]\n",
                self.plan.arguments
            ),
            false => String::new(),
        };
        let text = changed + text;
        ModelMessage::Tool {
            call_id: Arc::from(self.asked.id.as_str()),
            name: Arc::from(self.asked.name.as_str()),
            text: text.into(),
            is_error,
        }
    }
}
