//! The loop: model, tools, model, … until the model answers or a limit is reached.

use std::sync::Arc;

use domain::CallId;
use domain::budgets::dollars;
use domain::events::FinishReason;
use domain::runs::{RunError, Usage};
use llm::{ChatModel, ModelMessage, ModelRequest, ToolCall};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::calls::{CallsEnd, make_calls};
use crate::context::window;
use crate::log::{AskingMessage, LeaseLost, RunLog, Said};
use crate::repetition::{Repeated, Repetition};
use crate::toolbox::{Allowance, AskedCall, CallResult, CallState, Toolbox, Verdict};
use crate::turn::{Turn, TurnEnd, run_turn};

/// A run of an agent, from wherever it stands.
pub struct AgentRun {
    /// Who answers.
    pub model: Arc<dyn ChatModel>,
    /// What is asked: the conversation, oldest first, with what this run did so far.
    pub request: ModelRequest,
    /// Tells what is wrong with an answer of the wrong form; `None` takes any.
    pub check: Option<AnswerCheck>,
    /// Bytes of the conversation that the model is sent at most.
    pub window_bytes: usize,
    /// What the agent can do.
    pub toolbox: Arc<dyn Toolbox>,
    /// Who pays.
    pub budget: Arc<dyn Budget>,
    /// Calls of the last message that are not over; empty if the model is to be asked next, in a
    /// message that is open already.
    pub pending: Vec<AskedCall>,
    /// What the run may use up.
    pub limits: Limits,
    /// What it has used up before.
    pub spent: Spent,
    /// When it must be over.
    pub deadline: Instant,
    /// Ends it early; the text so far is kept.
    pub cancel: CancellationToken,
    /// Makes ids for calls.
    pub new_call_id: fn() -> CallId,
}

/// Looks at a whole answer; an error says what is wrong with it.
pub type AnswerCheck = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What one run may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Model calls.
    pub max_iterations: u32,
    /// Tokens of all that its models write, thoughts included.
    pub max_tokens: Option<u64>,
    /// Money.
    pub max_cost_usd_micros: Option<u64>,
}

/// What a run has used up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Model calls.
    pub iterations: u32,
    /// Tokens and money.
    pub usage: Usage,
    /// Whether it has asked for an answer of the right form once more, as it may once.
    pub has_asked_again: bool,
}

/// How a run stopped.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It is over.
    Over(Box<Outcome>),
    /// People are asked; somebody goes on when they have decided.
    Waiting,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The open message that ends with the run; `None` if it ended between messages.
    pub said: Option<Said>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// What the last message used up.
    pub usage: Usage,
    /// What the whole run used up.
    pub total: Usage,
    /// What went wrong, with `finish_reason` error.
    pub error: Option<RunError>,
    /// The conversation up to the last message, as the next run's model shall see it.
    pub messages: Vec<ModelMessage>,
}

/// Runs an agent to its end, or until people must decide.
///
/// # Errors
/// `LeaseLost` as soon as the log says so.
pub async fn run_agent(run: AgentRun, log: &dyn RunLog) -> Result<Ended, LeaseLost> {
    let AgentRun {
        model,
        mut request,
        check,
        window_bytes,
        toolbox,
        budget,
        mut pending,
        limits,
        mut spent,
        deadline,
        cancel,
        new_call_id,
    } = run;
    request.tools = toolbox.specs();
    let mut repetition = Repetition::default();
    let mut misshapen_at = None;
    loop {
        if !pending.is_empty() {
            let allowance = Allowance::new(limits.usd_micros_left(&spent));
            let paid = (&allowance, &mut spent.usage.cost_usd_micros);
            let ended = make_calls(pending, &*toolbox, log, paid, deadline, &cancel).await?;
            let done = match ended {
                CallsEnd::Done(done) => done,
                CallsEnd::Waiting => return Ok(Ended::Waiting),
                CallsEnd::Cancelled => {
                    return Ok(over(None, FinishReason::Cancelled, None, spent, request));
                }
                CallsEnd::OutOfTime => {
                    let error = Some(out_of_time());
                    return Ok(over(None, FinishReason::Error, error, spent, request));
                }
            };
            request.messages.extend(done.iter().map(AskedCall::message));
            if let Some(error) = limits.exceeded_by(&spent) {
                return Ok(over(None, FinishReason::Error, Some(error), spent, request));
            }
            log.begin_message().await?;
        } else if let Some(error) = limits.exceeded_by(&spent) {
            // Whoever waited for people, or was broken off, goes on here.
            let said = (Said::default(), Usage::default());
            return Ok(over(said, FinishReason::Error, Some(error), spent, request));
        }
        let mut asked = ModelRequest {
            model: request.model.clone(),
            instructions: request.instructions.clone(),
            messages: window(&request.messages, window_bytes),
            temperature: request.temperature,
            max_output_tokens: request.max_output_tokens,
            output_tokens_left: limits.output_tokens_left(&spent),
            supports_reasoning: request.supports_reasoning,
            tools: request.tools.clone(),
            output_schema: request.output_schema.clone(),
        };
        match budget.reserve(&asked, &spent.usage).await {
            Ok(affordable) => {
                let left = [asked.output_tokens_left, affordable];
                asked.output_tokens_left = left.into_iter().flatten().min();
            }
            Err(error) => {
                let error = Some(error);
                let said = (Said::default(), Usage::default());
                return Ok(over(said, FinishReason::Error, error, spent, request));
            }
        }
        let turn = Turn {
            model: model.clone(),
            request: asked,
            deadline,
            cancel: cancel.clone(),
        };
        let turned = run_turn(turn, log).await?;
        spent.iterations += 1;
        let usage = match turned.ended {
            TurnEnd::Finished { usage, .. } => usage,
            // Whoever hangs up pays all the same.
            _ => budget.used(&sent(&request, window_bytes), turned.written_chars()),
        };
        spent.usage = spent.usage + usage;
        let broken_off = match turned.ended {
            TurnEnd::Finished { .. } => None,
            TurnEnd::Failed(ref error) => Some((FinishReason::Error, Some(error.to_run_error()))),
            TurnEnd::Cancelled => Some((FinishReason::Cancelled, None)),
            TurnEnd::OutOfTime => Some((FinishReason::Error, Some(out_of_time()))),
        };
        if let Some((reason, error)) = broken_off {
            let said = (turned.said, usage);
            return Ok(over(said, reason, error, spent, request));
        }
        if turned.calls.is_empty() {
            let reason = match turned.ended {
                TurnEnd::Finished { reason, .. } if reason != FinishReason::ToolCalls => reason,
                // A model that says it asks for tools but names none has answered.
                _ => FinishReason::Stop,
            };
            let wrong = check
                .as_ref()
                .and_then(|check| check(&turned.said.text).err());
            let may_ask_again = !spent.has_asked_again && reason == FinishReason::Stop;
            if let Some(why) = &wrong
                && may_ask_again
                && limits.exceeded_by(&spent).is_none()
            {
                let message = AskingMessage {
                    said: &turned.said,
                    finish_reason: FinishReason::Error,
                    usage,
                };
                log.end_message(message, &[]).await?;
                spent.has_asked_again = true;
                misshapen_at = Some(request.messages.len());
                request.messages.push(turned.said.into_message(&[]));
                request.messages.push(complain(why));
                log.begin_message().await?;
                pending = Vec::new();
                continue;
            }
            if let Some(at) = misshapen_at {
                // The next run need not read what was wrong.
                request.messages.drain(at..at + 2);
            }
            let error = wrong.map(|why| misshapen(&why, reason));
            return Ok(Ended::Over(Box::new(Outcome {
                said: Some(turned.said),
                finish_reason: match error {
                    Some(_) => FinishReason::Error,
                    None => reason,
                },
                usage,
                total: spent.usage,
                error,
                messages: request.messages,
            })));
        }
        let mut planned = Vec::with_capacity(turned.calls.len());
        for call in turned.calls {
            match plan(call, new_call_id(), &*toolbox, &mut repetition) {
                Some(call) => planned.push(call),
                None => {
                    let error = Some(repeats_itself());
                    let said = (turned.said, usage);
                    return Ok(over(said, FinishReason::Error, error, spent, request));
                }
            }
        }
        let message = AskingMessage {
            said: &turned.said,
            finish_reason: FinishReason::ToolCalls,
            usage,
        };
        log.end_message(message, &planned).await?;
        request.messages.push(turned.said.into_message(&planned));
        pending = planned;
    }
}

/// `None` if the model repeats itself too often.
fn plan(
    asked: ToolCall,
    id: CallId,
    toolbox: &dyn Toolbox,
    repetition: &mut Repetition,
) -> Option<AskedCall> {
    let plan = toolbox.plan(&asked);
    let state = match (repetition.note(&asked), &plan.verdict) {
        (Repeated::TooOften, _) => return None,
        (Repeated::Hint(hint), _) => CallState::Done(CallResult::refused(hint)),
        (Repeated::No, Verdict::Call) => CallState::Ready,
        (Repeated::No, Verdict::Ask(_)) => CallState::Waiting,
        (Repeated::No, Verdict::Refuse(why)) => CallState::Done(CallResult::refused(why)),
    };
    Some(AskedCall {
        id,
        asked,
        plan,
        state,
    })
}

/// What a model is sent of a request.
fn sent(request: &ModelRequest, window_bytes: usize) -> ModelRequest {
    ModelRequest {
        messages: window(&request.messages, window_bytes),
        ..request.clone()
    }
}

/// The end of a run that did not answer, inside a message, with what that used up, or between two.
fn over(
    said: impl Into<Option<(Said, Usage)>>,
    finish_reason: FinishReason,
    error: Option<RunError>,
    spent: Spent,
    request: ModelRequest,
) -> Ended {
    let said: Option<(Said, Usage)> = said.into();
    let (said, usage) = said.unzip();
    Ended::Over(Box::new(Outcome {
        said,
        finish_reason,
        usage: usage.unwrap_or_default(),
        total: spent.usage,
        error,
        messages: request.messages,
    }))
}

impl Limits {
    /// Longest answer that the run's tokens leave room for.
    fn output_tokens_left(&self, spent: &Spent) -> Option<u32> {
        let left = self.max_tokens?.saturating_sub(spent.usage.output_tokens);
        Some(u32::try_from(left.max(1)).unwrap_or(u32::MAX))
    }

    /// Money that the run may still spend.
    fn usd_micros_left(&self, spent: &Spent) -> Option<u64> {
        let max = self.max_cost_usd_micros?;
        Some(max.saturating_sub(spent.usage.cost_usd_micros))
    }

    fn exceeded_by(&self, spent: &Spent) -> Option<RunError> {
        let tokens = spent.usage.output_tokens;
        let limit = if spent.iterations >= self.max_iterations {
            format!("{} model calls", self.max_iterations)
        } else if let Some(max) = self.max_tokens.filter(|max| tokens >= *max) {
            format!("{max} tokens of written text")
        } else if let Some(max) = self
            .max_cost_usd_micros
            .filter(|max| spent.usage.cost_usd_micros >= *max)
        {
            let spent = dollars(spent.usage.cost_usd_micros);
            format!("{}: {spent} are spent", dollars(max))
        } else {
            return None;
        };
        Some(RunError {
            kind: "limit".to_owned(),
            message: format!(
                "the run reached its limit of {limit}; raise the limit in the agent's settings"
            ),
            retryable: false,
        })
    }
}

/// The error of an answer that has not the form that the agent's answers shall have.
fn misshapen(why: &str, reason: FinishReason) -> RunError {
    let message = match reason {
        FinishReason::Length => "the answer was cut off at its longest, so that it does not fit \
                                 the agent's JSON schema; allow longer answers"
            .to_owned(),
        _ => format!("the answer does not fit the agent's JSON schema: {why}; ask again"),
    };
    RunError {
        kind: "output_schema".to_owned(),
        message,
        retryable: true,
    }
}

/// Asks for an answer of the right form, after one that is wrong in the way that `why` says.
pub fn complain(why: &str) -> ModelMessage {
    ModelMessage::user(format!(
        "Your answer does not fit the JSON schema that answers must fit: {why}\n\nAnswer again, \
         with nothing but the whole JSON."
    ))
}

fn out_of_time() -> RunError {
    RunError {
        kind: "time_limit".to_owned(),
        message: "the run reached its time limit; raise the limit in the agent's settings"
            .to_owned(),
        retryable: true,
    }
}

fn repeats_itself() -> RunError {
    RunError {
        kind: "loop".to_owned(),
        message: "the model asked for the same tool call again and again; try other instructions \
                  or another model"
            .to_owned(),
        retryable: true,
    }
}
