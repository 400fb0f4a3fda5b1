//! The events of a response.

use std::collections::VecDeque;

use domain::events::FinishReason;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::sealed_thought;
use crate::http::{Complaint, Ended, Progress, Reader, Refusal, Tokens};
use crate::tool_calls::{Piece, ToolCalls};
use crate::{ModelError, ModelEvent, carry};

/// Bytes of sealed thoughts of one answer at most.
const MAX_SEALED_BYTES: usize = 4 * 1024 * 1024;

/// What has come of an answer.
#[derive(Default)]
pub(super) struct ResponsesReader {
    outcome: Option<Outcome>,
    usage: WireUsage,
    tool_calls: ToolCalls,
    /// Thoughts, to be sent back as they came.
    thoughts: Vec<Value>,
    sealed_bytes: usize,
}

enum Outcome {
    Whole,
    CutOff,
    Filtered,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum WireEvent {
    #[serde(rename = "response.output_text.delta")]
    Text { delta: String },
    #[serde(rename = "response.refusal.delta")]
    Refusal { delta: String },
    #[serde(
        rename = "response.reasoning_summary_text.delta",
        alias = "response.reasoning_text.delta"
    )]
    Thought { delta: String },
    #[serde(rename = "response.reasoning_summary_part.added")]
    NextThought { summary_index: u32 },
    #[serde(rename = "response.output_item.added")]
    ItemAdded { output_index: usize, item: Value },
    #[serde(rename = "response.function_call_arguments.delta")]
    Arguments { output_index: usize, delta: String },
    #[serde(rename = "response.output_item.done")]
    ItemDone { item: Value },
    #[serde(rename = "response.completed", alias = "response.incomplete")]
    Over { response: WireResponse },
    #[serde(rename = "response.failed")]
    Failed { response: Value },
    #[serde(rename = "error")]
    Error {
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        error: Option<Value>,
    },
    /// Beginnings, ends of parts, and whatever is added to the format later.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct WireResponse {
    #[serde(default)]
    incomplete_details: Option<Incomplete>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Incomplete {
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct WireUsage {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    input_tokens_details: Option<InputTokens>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct InputTokens {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

impl Reader for ResponsesReader {
    fn take(&mut self, data: &str, said: &mut VecDeque<ModelEvent>) -> Result<Progress, Refusal> {
        let event: WireEvent = serde_json::from_str(data).map_err(|_| Refusal::unreadable())?;
        match event {
            WireEvent::Text { delta } | WireEvent::Refusal { delta } => {
                if delta.is_empty() {
                    return Ok(Progress::Waiting);
                }
                said.push_back(ModelEvent::Text(delta));
                return Ok(Progress::Writing);
            }
            WireEvent::Thought { delta } if !delta.is_empty() => {
                said.push_back(ModelEvent::Reasoning(delta));
            }
            WireEvent::NextThought { summary_index } if summary_index > 0 => {
                said.push_back(ModelEvent::Reasoning("\n\n".to_owned()));
            }
            WireEvent::ItemAdded { output_index, item } if item["type"] == "function_call" => {
                self.tool_calls.take(Piece {
                    index: Some(output_index),
                    id: item["call_id"].as_str(),
                    name: item["name"].as_str(),
                    arguments: item["arguments"].as_str().unwrap_or_default(),
                })?;
                return Ok(Progress::Writing);
            }
            WireEvent::Arguments {
                output_index,
                delta,
            } => {
                self.tool_calls.take(Piece {
                    index: Some(output_index),
                    arguments: &delta,
                    ..Piece::default()
                })?;
                return Ok(Progress::Writing);
            }
            WireEvent::ItemDone { item } if item["type"] == "reasoning" => self.keep(&item)?,
            WireEvent::Over { response } => {
                let reason = response.incomplete_details.and_then(|it| it.reason);
                self.outcome = Some(match reason.as_deref() {
                    None => Outcome::Whole,
                    Some("content_filter") => Outcome::Filtered,
                    Some(_) => Outcome::CutOff,
                });
                self.usage = response.usage.unwrap_or_default();
                return Ok(Progress::Over);
            }
            WireEvent::Failed { response } => {
                return Err(Refusal::Complaint(Complaint::parse(&response)));
            }
            WireEvent::Error {
                code,
                message,
                error,
            } => {
                let error = error.unwrap_or_else(|| json!({"code": code, "message": message}));
                let complaint = Complaint::parse(&json!({ "error": error }));
                return Err(Refusal::Complaint(complaint));
            }
            WireEvent::Thought { .. }
            | WireEvent::NextThought { .. }
            | WireEvent::ItemAdded { .. }
            | WireEvent::ItemDone { .. }
            | WireEvent::Other => {}
        }
        Ok(Progress::Waiting)
    }

    fn end(
        &mut self,
        _has_end_mark: bool,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Ended, ModelError> {
        let reason = match self.outcome {
            None => return Err(ModelError::Interrupted),
            Some(Outcome::Filtered) => return Err(ModelError::Filtered),
            Some(Outcome::CutOff) => FinishReason::Length,
            Some(Outcome::Whole) if !self.tool_calls.is_empty() => FinishReason::ToolCalls,
            Some(Outcome::Whole) => FinishReason::Stop,
        };
        // A call that was cut off cannot be made.
        if reason == FinishReason::ToolCalls {
            self.tool_calls.hand_on(said);
            let thoughts = std::mem::take(&mut self.thoughts);
            if !thoughts.is_empty() {
                said.push_back(carry::event(carry::RESPONSES, Value::Array(thoughts)));
            }
        }
        let details = self.usage.input_tokens_details.as_ref();
        Ok(Ended {
            reason,
            tokens: Tokens {
                input: self.usage.input_tokens,
                output: self.usage.output_tokens,
                cached: details.and_then(|it| it.cached_tokens).unwrap_or_default(),
                cache_written: 0,
            },
        })
    }
}

impl ResponsesReader {
    fn keep(&mut self, item: &Value) -> Result<(), ModelError> {
        if let Some(thought) = sealed_thought(item) {
            self.sealed_bytes += thought["encrypted_content"].as_str().map_or(0, str::len);
            if self.sealed_bytes > MAX_SEALED_BYTES {
                return Err(ModelError::Malformed {
                    what: "it thinks without end",
                });
            }
            self.thoughts.push(thought);
        }
        Ok(())
    }
}
