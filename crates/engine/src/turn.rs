//! One model call: passes its text on at once, has it persisted in small batches.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use domain::events::FinishReason;
use domain::runs::Usage;
use futures::StreamExt;
use llm::{ChatModel, ModelError, ModelEvent, ModelRequest, ModelStream, ToolCall};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::log::{LeaseLost, RunLog, Said};
use crate::pace::{Pace, on_grid};
use crate::toolbox::without_nul;

/// Longest time that text waits to be persisted.
const FLUSH_AFTER: Duration = Duration::from_millis(500);
/// Distance of the moments at which it is.
const FLUSH_GRID: Duration = Duration::from_millis(250);
/// Most events taken from the model before its text is shown.
const MAX_AT_ONCE: usize = 256;
/// Longest text of one message, in MiB; it goes into one row and one event.
const MAX_TEXT_MIB: u32 = 8;
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
    let mut pace = Pace::new(log);
    let mut events = Vec::new();
    let ended = loop {
        tokio::select! {
            biased;
            () = &mut cancelled => break TurnEnd::Cancelled,
            () = pace.pause(), if pace.pauses() => pace.go_on(said),
            mut end = next_events(&mut stream, &mut events), if pace.reads() => {
                let is_full = events.len() >= MAX_AT_ONCE;
                let mut has_grown = false;
                for event in events.drain(..) {
                    if !said.has_room(&event) {
                        end = Some(TurnEnd::Failed(ModelError::TooLarge { limit_mib: MAX_TEXT_MIB }));
                        break;
                    }
                    has_grown |= said.take(event, calls);
                }
                let now = Instant::now();
                if has_grown && !must_flush {
                    flush.as_mut().reset(on_grid(now, FLUSH_AFTER, FLUSH_GRID));
                    must_flush = true;
                }
                if let Some(end) = end {
                    pace.show(said);
                    break end;
                }
                // Whoever floods leaves no other moment to look.
                if now >= deadline {
                    pace.show(said);
                    break TurnEnd::OutOfTime;
                }
                pace.came(now, said, has_grown, is_full);
            }
            result = finish(&mut underway), if underway.is_some() => {
                result?;
                said.note_persisted(underway.take());
            }
            () = &mut flush, if must_flush && underway.is_none() => {
                // What is logged was shown: early text never comes behind it.
                pace.show(said);
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

/// Waits for the model's next event and takes those along that are there already; says how the
/// answer ended if it did. Safe to cancel.
async fn next_events(stream: &mut ModelStream, events: &mut Vec<ModelEvent>) -> Option<TurnEnd> {
    poll_fn(|cx| {
        while events.len() < MAX_AT_ONCE {
            let end = match stream.poll_next_unpin(cx) {
                Poll::Pending if events.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Some(Ok(ModelEvent::Finished { reason, usage }))) => {
                    TurnEnd::Finished { reason, usage }
                }
                Poll::Ready(Some(Ok(event))) => {
                    events.push(event);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => TurnEnd::Failed(error),
                Poll::Ready(None) => TurnEnd::Failed(ModelError::Interrupted),
            };
            return Poll::Ready(Some(end));
        }
        Poll::Ready(None)
    })
    .await
}

async fn finish(underway: &mut Option<Underway<'_>>) -> Result<(), LeaseLost> {
    match underway.as_mut() {
        Some(underway) => underway.writing.as_mut().await,
        None => Ok(()),
    }
}

impl Said {
    /// Whether the text stays within its bound.
    fn has_room(&self, event: &ModelEvent) -> bool {
        let added = match event {
            ModelEvent::Text(text) => text.len(),
            _ => 0,
        };
        self.text.len() + added <= MAX_TEXT_MIB as usize * 1024 * 1024
    }

    /// Takes an event in; whether there is something to persist.
    fn take(&mut self, event: ModelEvent, calls: &mut Vec<ToolCall>) -> bool {
        match event {
            ModelEvent::Text(text) => {
                self.text.push_str(&without_nul(text));
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
