//! The events of Chat Completions.

use std::collections::VecDeque;

use domain::events::FinishReason;
use serde_json::json;

use super::carried::Collected;
use super::chunk::{Arguments, Chunk, Delta, ToolCallDelta, WireFinish, WireUsage};
use crate::http::{Complaint, Ended, Progress, Reader, Refusal, Tokens};
use crate::tool_calls::{Piece, ToolCalls};
use crate::{ModelError, ModelEvent};

const END_MARK: &str = "[DONE]";

/// What has come of an answer.
#[derive(Default)]
pub(super) struct ChatReader {
    finish: Option<WireFinish>,
    usage: Option<WireUsage>,
    tool_calls: ToolCalls,
    /// What some servers want back together with the results of tools.
    collected: Collected,
}

impl Reader for ChatReader {
    fn take(&mut self, data: &str, said: &mut VecDeque<ModelEvent>) -> Result<Progress, Refusal> {
        if data.trim() == END_MARK {
            return Ok(Progress::Over);
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| Refusal::unreadable())?;
        if let Some(error) = chunk.error {
            let complaint = Complaint::parse(&json!({ "error": error }));
            return Err(Refusal::Complaint(complaint));
        }
        self.usage = chunk.usage.or(self.usage.take());
        let Some(choice) = chunk.choices.and_then(|choices| choices.into_iter().next()) else {
            return Ok(Progress::Waiting);
        };
        self.finish = choice.finish_reason.or(self.finish);
        match choice.delta {
            Some(delta) => self.take_delta(delta, said),
            None => Ok(Progress::Waiting),
        }
    }

    fn end(
        &mut self,
        has_end_mark: bool,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Ended, ModelError> {
        let has_calls = !self.tool_calls.is_empty();
        let reason = match self.finish {
            None if !has_end_mark => return Err(ModelError::Interrupted),
            Some(WireFinish::ContentFilter) => return Err(ModelError::Filtered),
            Some(WireFinish::InsufficientSystemResource) => {
                return Err(ModelError::Failed { message: None });
            }
            Some(WireFinish::Length) => FinishReason::Length,
            Some(WireFinish::ToolCalls | WireFinish::FunctionCall) => FinishReason::ToolCalls,
            // Some servers say "stop" although they ask for tools.
            _ if has_calls => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        // A call that was cut off cannot be made.
        if reason == FinishReason::ToolCalls {
            let ids = self.tool_calls.hand_on(said);
            said.extend(std::mem::take(&mut self.collected).into_event(&ids));
        }
        let usage = self.usage.take().unwrap_or_default();
        Ok(Ended {
            reason,
            tokens: Tokens {
                input: usage.prompt_tokens,
                output: usage.completion_tokens,
                cached: usage.cached_tokens(),
                cache_written: 0,
            },
        })
    }
}

impl ChatReader {
    fn take_delta(
        &mut self,
        delta: Delta,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Progress, Refusal> {
        let mut progress = Progress::Waiting;
        if let Some(thought) = delta.reasoning_content.filter(|text| !text.is_empty()) {
            self.collected.think(&thought)?;
            said.push_back(ModelEvent::Reasoning(thought));
        } else if let Some(thought) = delta.reasoning.filter(|text| !text.is_empty()) {
            said.push_back(ModelEvent::Reasoning(thought));
        }
        let details = delta.reasoning_details.unwrap_or_default();
        for detail in details.as_array().into_iter().flatten() {
            self.collected.take_detail(detail)?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            // Whoever writes arguments is at work, as with text.
            progress = Progress::Writing;
            self.take_call(call)?;
        }
        let content = delta.content.unwrap_or_default();
        if !content.thought.is_empty() {
            said.push_back(ModelEvent::Reasoning(content.thought));
        }
        let refusal = delta.refusal.unwrap_or_default();
        for text in [content.text, refusal] {
            if !text.is_empty() {
                progress = Progress::Writing;
                said.push_back(ModelEvent::Text(text));
            }
        }
        Ok(progress)
    }
    fn take_call(&mut self, call: ToolCallDelta) -> Result<(), ModelError> {
        let function = call.function.unwrap_or_default();
        let arguments = function.arguments.map(Arguments::into_text);
        let number = self.tool_calls.take(Piece {
            index: call.index,
            id: call.id.as_deref(),
            name: function.name.as_deref(),
            arguments: arguments.as_deref().unwrap_or_default(),
        })?;
        match call.extra_content {
            Some(extra) => self.collected.take_extra(number, extra),
            None => Ok(()),
        }
    }
}
