//! The events of generated content.

use std::collections::VecDeque;

use domain::events::FinishReason;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::presentable;
use crate::http::{Complaint, Ended, Progress, Reader, Refusal, Tokens};
use crate::tool_calls::{Piece, ToolCalls};
use crate::{ModelError, ModelEvent, carry};

/// What has come of an answer.
#[derive(Default)]
pub(super) struct GeminiReader {
    finish: Option<String>,
    usage: Option<WireUsage>,
    tool_calls: ToolCalls,
    /// Signatures of thoughts, by call; Gemini 3 wants them back.
    signatures: Vec<Option<String>>,
    text_signature: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    #[serde(default)]
    candidates: Vec<Candidate>,
    #[serde(default)]
    usage_metadata: Option<WireUsage>,
    #[serde(default)]
    prompt_feedback: Option<Feedback>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thought: bool,
    #[serde(default)]
    function_call: Option<FunctionCall>,
    #[serde(default)]
    thought_signature: Option<String>,
}

#[derive(Deserialize)]
struct FunctionCall {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(default)]
    args: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireUsage {
    #[serde(default)]
    prompt_token_count: Option<u64>,
    #[serde(default)]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(default)]
    cached_content_token_count: Option<u64>,
    #[serde(default)]
    candidates_token_count: Option<u64>,
    #[serde(default)]
    thoughts_token_count: Option<u64>,
}

impl Reader for GeminiReader {
    fn take(&mut self, data: &str, said: &mut VecDeque<ModelEvent>) -> Result<Progress, Refusal> {
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| Refusal::unreadable())?;
        if let Some(error) = chunk.error {
            let complaint = Complaint::parse(&json!({ "error": error }));
            return Err(Refusal::Complaint(complaint));
        }
        if chunk
            .prompt_feedback
            .is_some_and(|feedback| feedback.block_reason.is_some())
        {
            return Err(ModelError::Filtered.into());
        }
        self.usage = chunk.usage_metadata.or(self.usage);
        let mut progress = Progress::Waiting;
        let Some(candidate) = chunk.candidates.into_iter().next() else {
            return Ok(progress);
        };
        self.finish = candidate.finish_reason.or(self.finish.take());
        for part in candidate
            .content
            .into_iter()
            .flat_map(|content| content.parts)
        {
            if self.take_part(part, said)? == Progress::Writing {
                progress = Progress::Writing;
            }
        }
        Ok(progress)
    }

    /// The format has no end mark: the last event has a reason, then the body ends.
    fn end(
        &mut self,
        _has_end_mark: bool,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Ended, ModelError> {
        let has_calls = !self.tool_calls.is_empty();
        let reason = match self.finish.as_deref() {
            None => return Err(ModelError::Interrupted),
            // The second is what some servers that imitate Gemini say.
            Some("STOP" | "FUNCTION_CALL") if has_calls => FinishReason::ToolCalls,
            Some("STOP") => FinishReason::Stop,
            Some("MAX_TOKENS") => FinishReason::Length,
            Some("SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII") => {
                return Err(ModelError::Filtered);
            }
            Some("MALFORMED_FUNCTION_CALL") => {
                return Err(ModelError::Failed {
                    message: Some("the model's tool call was malformed".to_owned()),
                });
            }
            // There are many more, and all of them mean that the answer is not whole.
            Some(other) => {
                return Err(ModelError::Failed {
                    message: presentable(other, None),
                });
            }
        };
        if reason == FinishReason::ToolCalls {
            self.tool_calls.hand_on(said);
        }
        let signatures = std::mem::take(&mut self.signatures);
        if self.text_signature.is_some() || signatures.iter().any(Option::is_some) {
            let signatures = json!({ "text": self.text_signature, "calls": signatures });
            said.push_back(carry::event(carry::GEMINI, signatures));
        }
        Ok(Ended {
            reason,
            tokens: self.usage.map(WireUsage::tokens).unwrap_or_default(),
        })
    }
}

impl GeminiReader {
    fn take_part(
        &mut self,
        part: Part,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Progress, Refusal> {
        if let Some(call) = part.function_call {
            // Calls come whole, each with an index of its own.
            let arguments = call.args.unwrap_or_else(|| json!({})).to_string();
            self.tool_calls.take(Piece {
                index: Some(self.signatures.len()),
                id: call.id.as_deref(),
                name: Some(&call.name),
                arguments: &arguments,
            })?;
            self.signatures.push(part.thought_signature);
            return Ok(Progress::Writing);
        }
        if part.thought_signature.is_some() {
            self.text_signature = part.thought_signature;
        }
        let Some(text) = part.text.filter(|text| !text.is_empty()) else {
            return Ok(Progress::Waiting);
        };
        if part.thought {
            said.push_back(ModelEvent::Reasoning(text));
            return Ok(Progress::Waiting);
        }
        said.push_back(ModelEvent::Text(text));
        Ok(Progress::Writing)
    }
}

impl WireUsage {
    fn tokens(self) -> Tokens {
        let tools = self.tool_use_prompt_token_count.unwrap_or_default();
        let thoughts = self.thoughts_token_count.unwrap_or_default();
        Tokens {
            input: self.prompt_token_count.map(|tokens| tokens + tools),
            output: match (self.candidates_token_count, self.thoughts_token_count) {
                (None, None) => None,
                (written, _) => Some(written.unwrap_or_default() + thoughts),
            },
            cached: self.cached_content_token_count.unwrap_or_default(),
            cache_written: 0,
        }
    }
}
