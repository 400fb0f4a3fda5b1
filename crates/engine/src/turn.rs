//! One model call: passes its text on at once, has it persisted in small batches.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::events::FinishReason;
use domain::runs::Usage;
use futures::StreamExt;
use llm::{ChatModel, ModelError, ModelEvent, ModelRequest, ToolCall};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::log::{LeaseLost, RunLog, Said};
use crate::toolbox::without_nul;

/// Longest time that text waits to be persisted.
const FLUSH_AFTER: Duration = Duration::from_millis(250);
/// Bytes of thoughts kept of one message; more are dropped.
const MAX_REASONING_BYTES: usize = 256 * 1024;

/// What to ask.
pub(crate) struct Turn {
    pub(crate) model: Arc<dyn ChatModel>,
    pub(crate) request: ModelRequest,
    /// When it must be over.
    pub(crate) deadline: Instant,
    /// Ends it early; the text so far is kept.
    pub(crate) cancel: CancellationToken,
}

/// What came of it.
pub(crate) struct Turned {
    pub(crate) said: Said,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) ended: TurnEnd,
}

pub(crate) enum TurnEnd {
    Finished { reason: FinishReason, usage: Usage },
    Failed(ModelError),
    Cancelled,
    OutOfTime,
}

impl Turned {
    /// Characters that the model wrote, as far as they came.
    pub(crate) fn written_chars(&self) -> u64 {
        let calls = self.calls.iter();
        let texts = calls.flat_map(|call| [&call.name, &call.arguments]);
        let texts = texts.chain([&self.said.text, &self.said.reasoning]);
        texts.map(|text| text.chars().count() as u64).sum()
    }
}

type Writing<'a> = Pin<Box<dyn Future<Output = Result<(), LeaseLost>> + Send + 'a>>;

/// What is on its way into the log.
struct Underway<'a> {
    writing: Writing<'a>,
    text: usize,
    reasoning: usize,
}

/// Asks the model to its end. Text reaches `log.show` as soon as the model gives it.
pub(crate) async fn run_turn(turn: Turn, log: &dyn RunLog) -> Result<Turned, LeaseLost> {
    let mut said = Said::default();
    let mut calls = Vec::new();
    let ended = converse(turn, &mut said, &mut calls, log).await?;
    Ok(Turned { said, calls, ended })
}

async fn converse(
    turn: Turn,
    said: &mut Said,
    calls: &mut Vec<ToolCall>,
    log: &dyn RunLog,
) -> Result<TurnEnd, LeaseLost> {
    let Turn {
        model,
        request,
        deadline,
        cancel,
    } = turn;
    let out_of_time = sleep_until(deadline);
    tokio::pin!(out_of_time);
    let mut stream = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(TurnEnd::Cancelled),
        stream = model.stream(request) => match stream {
            Ok(stream) => stream,
            Err(error) => return Ok(TurnEnd::Failed(error)),
        },
        () = &mut out_of_time => return Ok(TurnEnd::OutOfTime),
    };
    let mut underway: Option<Underway<'_>> = None;
    // Made once and not anew for each piece of text.
    let cancelled = cancel.cancelled();
    let flush = sleep_until(deadline);
    tokio::pin!(cancelled, flush);
    let mut must_flush = false;
    let ended = loop {
        tokio::select! {
            biased;
            () = &mut cancelled => break TurnEnd::Cancelled,
            event = stream.next() => match event {
                Some(Ok(ModelEvent::Finished { reason, usage })) => {
                    break TurnEnd::Finished { reason, usage };
                }
                Some(Ok(event)) => {
                    if said.take(event, calls, log) && !must_flush {
                        flush.as_mut().reset(Instant::now() + FLUSH_AFTER);
                        must_flush = true;
                    }
                }
                Some(Err(error)) => break TurnEnd::Failed(error),
                None => break TurnEnd::Failed(ModelError::Interrupted),
            },
            result = finish(&mut underway), if underway.is_some() => {
                result?;
                said.note_persisted(underway.take());
            }
            () = &mut flush, if must_flush && underway.is_none() => {
                underway = Some(Underway {
                    text: said.text.len(),
                    reasoning: said.reasoning.len(),
                    writing: log.persist(said.rest()),
                });
                must_flush = false;
            }
            () = &mut out_of_time => break TurnEnd::OutOfTime,
        }
    };
    // Waited for and not dropped: otherwise nobody would know whether it was persisted.
    finish(&mut underway).await?;
    said.note_persisted(underway);
    Ok(ended)
}

async fn finish(underway: &mut Option<Underway<'_>>) -> Result<(), LeaseLost> {
    match underway.as_mut() {
        Some(underway) => underway.writing.as_mut().await,
        None => Ok(()),
    }
}

impl Said {
    /// Takes an event in; whether there is something to persist.
    fn take(&mut self, event: ModelEvent, calls: &mut Vec<ToolCall>, log: &dyn RunLog) -> bool {
        match event {
            ModelEvent::Text(text) => {
                let text = without_nul(text);
                log.show(self.text.len(), &text);
                self.text.push_str(&text);
                true
            }
            ModelEvent::Reasoning(text) => {
                let text = without_nul(text);
                let has_room = self.reasoning.len() + text.len() <= MAX_REASONING_BYTES;
                if has_room {
                    self.reasoning.push_str(&text);
                }
                has_room
            }
            ModelEvent::ToolCall(mut call) => {
                call.arguments = without_nul(call.arguments);
                calls.push(call);
                false
            }
            ModelEvent::Carry(carry) => {
                self.carry = Some(carry);
                false
            }
            ModelEvent::Finished { .. } => false,
        }
    }

    fn note_persisted(&mut self, written: Option<Underway<'_>>) {
        if let Some(written) = written {
            self.persisted = written.text;
            self.reasoning_persisted = written.reasoning;
        }
    }
}
