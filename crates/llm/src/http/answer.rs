//! An answer, event by event, whatever the provider.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use domain::events::FinishReason;
use domain::runs::Usage;
use futures::Stream;
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::events::Events;
use super::{Complaint, Deadlines};
use crate::{ModelError, ModelEvent, ModelRequest};

const CHARS_PER_TOKEN: u64 = 4;

/// Understands one provider's events.
pub(crate) trait Reader: Send + Unpin + 'static {
    /// Takes an event's data in, and pushes what it says: text and thoughts, nothing else.
    fn take(&mut self, data: &str, said: &mut VecDeque<ModelEvent>) -> Result<Progress, Refusal>;

    /// Ends the answer; pushes tool calls and what must be sent back.
    ///
    /// `has_end_mark` tells whether the provider said so, or the body just ended.
    fn end(
        &mut self,
        has_end_mark: bool,
        said: &mut VecDeque<ModelEvent>,
    ) -> Result<Ended, ModelError>;
}

/// Why an event ends the answer.
pub(crate) enum Refusal {
    /// The provider reports an error.
    Complaint(Complaint),
    /// It is not what was expected.
    Error(ModelError),
}

/// What an event meant for the answer as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The model may be silent for as long as before its first text.
    Waiting,
    /// The model writes; its pauses are short from now on.
    Writing,
    /// That was the end mark.
    Over,
}

/// How an answer ended.
pub(crate) struct Ended {
    pub(crate) reason: FinishReason,
    pub(crate) tokens: Tokens,
}

/// What the provider counted, as far as it says.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tokens {
    /// Everything that was read, from a cache or not.
    pub(crate) input: Option<u64>,
    /// Everything that was written, thoughts too.
    pub(crate) output: Option<u64>,
    /// Of the input: read from the provider's cache.
    pub(crate) cached: u64,
    /// Of the input: written to the provider's cache.
    pub(crate) cache_written: u64,
}

/// The stream that adapters hand out.
pub(super) struct Answer<R> {
    events: Events,
    reader: R,
    said: VecDeque<ModelEvent>,
    /// The last item, kept until everything before it is handed on.
    last: Option<Result<ModelEvent, ModelError>>,
    idle: Duration,
    is_writing: bool,
    is_over: bool,
    input_chars: u64,
    output_chars: u64,
    key: Option<SecretString>,
}

impl<R: Reader> Answer<R> {
    pub(super) fn new(
        response: Response,
        request: &ModelRequest,
        deadlines: Deadlines,
        deadline: Instant,
        key: Option<&str>,
        reader: R,
    ) -> Self {
        Self {
            events: Events::new(response.bytes_stream(), deadlines.first_byte, deadline),
            reader,
            said: VecDeque::new(),
            last: None,
            // Some providers hold a tool's arguments back until they are whole.
            idle: match request.tools.is_empty() {
                true => deadlines.idle,
                false => deadlines.first_byte,
            },
            is_writing: false,
            is_over: false,
            input_chars: input_chars(request),
            output_chars: 0,
            key: key.map(Into::into),
        }
    }

    fn take(&mut self, data: &str) -> Result<Progress, ModelError> {
        let progress = match self.reader.take(data, &mut self.said) {
            Ok(progress) => progress,
            Err(Refusal::Error(error)) => return Err(error),
            Err(Refusal::Complaint(complaint)) => {
                let key = self.key.as_ref().map(ExposeSecret::expose_secret);
                return Err(complaint.into_error(key));
            }
        };
        if progress == Progress::Writing && !self.is_writing {
            self.is_writing = true;
            self.events.set_patience(self.idle);
        }
        for event in &mut self.said {
            if let ModelEvent::Text(text) | ModelEvent::Reasoning(text) = event {
                self.output_chars += text.chars().count() as u64;
                // Postgres stores no NUL.
                if text.contains('\0') {
                    *text = text.replace('\0', "\u{fffd}");
                }
            }
        }
        Ok(progress)
    }

    /// The last item, once the body or the end mark says so.
    fn end(&mut self, has_end_mark: bool) -> Result<ModelEvent, ModelError> {
        let ended = self.reader.end(has_end_mark, &mut self.said)?;
        let tokens = ended.tokens;
        let estimate = |chars: u64| chars.div_ceil(CHARS_PER_TOKEN);
        let usage = Usage {
            input_tokens: tokens.input.unwrap_or_else(|| estimate(self.input_chars)),
            output_tokens: tokens.output.unwrap_or_else(|| estimate(self.output_chars)),
            cached_input_tokens: tokens.cached,
            cache_written_tokens: tokens.cache_written,
            ..Usage::default()
        };
        let reason = ended.reason;
        Ok(ModelEvent::Finished { reason, usage })
    }
}

impl<R: Reader> Stream for Answer<R> {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.said.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(last) = this.last.take() {
                this.is_over = true;
                return Poll::Ready(Some(last));
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            match ready!(this.events.poll_data(cx)) {
                Some(Ok(data)) => match this.take(&data) {
                    Ok(Progress::Over) => {
                        // Reading the body's end, if it is there, lets the connection be used again.
                        let _ = this.events.poll_data(cx);
                        this.last = Some(this.end(true));
                    }
                    Ok(Progress::Waiting | Progress::Writing) => {}
                    Err(error) => this.last = Some(Err(error)),
                },
                // Some servers close the connection rudely after a complete answer.
                Some(Err(ModelError::Interrupted)) | None => this.last = Some(this.end(false)),
                Some(Err(error)) => this.last = Some(Err(error)),
            }
        }
    }
}

impl From<ModelError> for Refusal {
    fn from(error: ModelError) -> Self {
        Self::Error(error)
    }
}

impl Refusal {
    /// An event that is not what was expected.
    pub(crate) fn unreadable() -> Self {
        Self::Error(ModelError::Malformed {
            what: "an event is not the expected JSON",
        })
    }
}

fn input_chars(request: &ModelRequest) -> u64 {
    let messages = request.messages.iter().map(|message| &**message.text());
    std::iter::once(request.instructions.as_str())
        .chain(messages)
        .map(|text| text.chars().count() as u64)
        .sum()
}
