//! An answer, event by event.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use domain::events::FinishReason;
use domain::runs::Usage;
use futures::Stream;
use reqwest::Response;
use tokio::time::Instant;

use super::Deadlines;
use super::events::Events;
use super::tool_calls::ToolCalls;
use super::wire::{Chunk, WireFinish, WireUsage};
use crate::error::presentable;
use crate::{ModelError, ModelEvent, ModelRequest};

const END_MARK: &str = "[DONE]";
const CHARS_PER_TOKEN: u64 = 4;

/// The stream that `OpenAi` hands out.
pub(super) struct Answer {
    events: Events,
    finish: Option<WireFinish>,
    usage: Option<WireUsage>,
    idle: std::time::Duration,
    input_chars: u64,
    output_chars: u64,
    key: Option<secrecy::SecretString>,
    tool_calls: ToolCalls,
    /// The last item, kept until every tool call is handed on.
    last: Option<Result<ModelEvent, ModelError>>,
    is_over: bool,
}

impl Answer {
    pub(super) fn new(
        response: Response,
        request: &ModelRequest,
        deadlines: Deadlines,
        deadline: Instant,
        key: Option<&str>,
    ) -> Self {
        Self {
            events: Events::new(response.bytes_stream(), deadlines.first_byte, deadline),
            finish: None,
            usage: None,
            idle: deadlines.idle,
            input_chars: input_chars(request),
            output_chars: 0,
            key: key.map(Into::into),
            tool_calls: ToolCalls::default(),
            last: None,
            is_over: false,
        }
    }

    /// Takes an event in; gives the text to hand on, if it has any.
    fn take(&mut self, data: &str) -> Result<Option<String>, ModelError> {
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| ModelError::Malformed {
            what: "an event is not the expected JSON",
        })?;
        if let Some(error) = chunk.error {
            let message = error.into_message();
            let key = self.key.as_ref().map(secrecy::ExposeSecret::expose_secret);
            let message = message.and_then(|text| presentable(&text, key));
            return Err(ModelError::Failed { message });
        }
        self.usage = chunk.usage.or(self.usage);
        let Some(choice) = chunk.choices.and_then(|choices| choices.into_iter().next()) else {
            return Ok(None);
        };
        self.finish = choice.finish_reason.or(self.finish);
        let Some(delta) = choice.delta else {
            return Ok(None);
        };
        for piece in delta.tool_calls.into_iter().flatten() {
            // Whoever writes arguments is at work, as with text.
            self.events.set_patience(self.idle);
            self.tool_calls.take(piece)?;
        }
        let Some(text) = delta.content.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        if self.output_chars == 0 {
            self.events.set_patience(self.idle);
        }
        self.output_chars += text.chars().count() as u64;
        // Postgres stores no NUL.
        if text.contains('\0') {
            return Ok(Some(text.replace('\0', "\u{fffd}")));
        }
        Ok(Some(text))
    }

    /// Tool calls, then the last item; of a failed answer only that.
    fn hand_on(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        if matches!(self.last, Some(Ok(_)))
            && let Some(call) = self.tool_calls.pop_front()
        {
            return Some(Ok(ModelEvent::ToolCall(call)));
        }
        self.is_over = true;
        self.last.take()
    }

    /// The last item, once the body or the end mark says so.
    fn end(&self, has_end_mark: bool) -> Result<ModelEvent, ModelError> {
        let reason = match self.finish {
            None if !has_end_mark => return Err(ModelError::Interrupted),
            // Some servers say "stop" although they ask for tools.
            None | Some(WireFinish::Stop | WireFinish::Other) if !self.tool_calls.is_empty() => {
                FinishReason::ToolCalls
            }
            Some(WireFinish::ContentFilter) => return Err(ModelError::Filtered),
            Some(WireFinish::Length) => FinishReason::Length,
            Some(WireFinish::ToolCalls | WireFinish::FunctionCall) => FinishReason::ToolCalls,
            None | Some(WireFinish::Stop | WireFinish::Other) => FinishReason::Stop,
        };
        let input = self.usage.and_then(|usage| usage.prompt_tokens);
        let output = self.usage.and_then(|usage| usage.completion_tokens);
        let usage = Usage {
            input_tokens: input.unwrap_or_else(|| self.input_chars.div_ceil(CHARS_PER_TOKEN)),
            output_tokens: output.unwrap_or_else(|| self.output_chars.div_ceil(CHARS_PER_TOKEN)),
            cost_usd_micros: 0,
        };
        Ok(ModelEvent::Finished { reason, usage })
    }
}

impl Stream for Answer {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        if this.last.is_some() {
            return Poll::Ready(this.hand_on());
        }
        let last = loop {
            match ready!(this.events.poll_data(cx)) {
                Some(Ok(data)) if data.trim() == END_MARK => {
                    // Reading the body's end, if it is there, lets the connection be used again.
                    let _ = this.events.poll_data(cx);
                    break this.end(true);
                }
                Some(Ok(data)) => match this.take(&data) {
                    Ok(Some(text)) => return Poll::Ready(Some(Ok(ModelEvent::Text(text)))),
                    Ok(None) => {}
                    Err(error) => break Err(error),
                },
                // Some servers close the connection rudely after a complete answer.
                Some(Err(ModelError::Interrupted)) | None => break this.end(false),
                Some(Err(error)) => break Err(error),
            }
        };
        this.last = Some(last);
        Poll::Ready(this.hand_on())
    }
}

fn input_chars(request: &ModelRequest) -> u64 {
    let messages = request.messages.iter().map(|message| &**message.text());
    std::iter::once(request.instructions.as_str())
        .chain(messages)
        .map(|text| text.chars().count() as u64)
        .sum()
}
