//! One turn: ask the model, pass its text on at once, have it persisted in small batches.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::events::FinishReason;
use domain::runs::{RunError, Usage};
use futures::StreamExt;
use llm::{ChatModel, ModelError, ModelEvent, ModelRequest};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Longest time that text waits to be persisted.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// What to do.
pub struct Turn {
    /// Who answers.
    pub model: Arc<dyn ChatModel>,
    /// What is asked.
    pub request: ModelRequest,
    /// When the turn must be over.
    pub deadline: Instant,
    /// Ends the turn early; the text so far is kept.
    pub cancel: CancellationToken,
}

/// Where the turn's text goes.
#[async_trait]
pub trait TurnLog: Send + Sync {
    /// Shows text to those who watch, before it is persisted. Must not block.
    fn show(&self, offset: usize, text: &str);

    /// Persists text that begins at byte `offset` of the message. Called one at a time, in order.
    ///
    /// # Errors
    /// `LeaseLost` if the run is somebody else's by now.
    async fn persist(&self, offset: usize, text: String) -> Result<(), LeaseLost>;
}

/// Another worker has the run; nothing more may be written.
#[derive(Debug, thiserror::Error)]
#[error("the run's lease was lost")]
pub struct LeaseLost;

/// How the turn ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything that was said.
    pub text: String,
    /// Bytes of `text` that are persisted already.
    pub persisted: usize,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// What it used up.
    pub usage: Usage,
    /// What went wrong, with `finish_reason` error.
    pub error: Option<RunError>,
}

/// Runs a turn to its end. Text reaches `log.show` as soon as the model gives it.
///
/// # Errors
/// `LeaseLost` as soon as the log says so.
pub async fn run_turn(turn: Turn, log: &dyn TurnLog) -> Result<Outcome, LeaseLost> {
    let mut said = Said::default();
    let ended = converse(turn, &mut said, log).await?;
    Ok(said.end(ended))
}

#[derive(Default)]
struct Said {
    text: String,
    /// Bytes handed to `persist`, which may still be under way.
    handed_over: usize,
    persisted: usize,
}

enum Ended {
    Finished { reason: FinishReason, usage: Usage },
    Failed(ModelError),
    Cancelled,
    OutOfTime,
}

type Writing<'a> = Pin<Box<dyn Future<Output = Result<(), LeaseLost>> + Send + 'a>>;

async fn converse(turn: Turn, said: &mut Said, log: &dyn TurnLog) -> Result<Ended, LeaseLost> {
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
        () = cancel.cancelled() => return Ok(Ended::Cancelled),
        stream = model.stream(request) => match stream {
            Ok(stream) => stream,
            Err(error) => return Ok(Ended::Failed(error)),
        },
        () = &mut out_of_time => return Ok(Ended::OutOfTime),
    };
    let mut writing: Option<Writing<'_>> = None;
    let mut flush_at: Option<Instant> = None;
    let ended = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break Ended::Cancelled,
            event = stream.next() => match event {
                Some(Ok(ModelEvent::Text(text))) => {
                    log.show(said.text.len(), &text);
                    said.text.push_str(&text);
                    flush_at.get_or_insert_with(|| Instant::now() + FLUSH_AFTER);
                }
                // No tools are offered, and thoughts are not shown.
                Some(Ok(
                    ModelEvent::Reasoning(_) | ModelEvent::ToolCall(_) | ModelEvent::Carry(_),
                )) => {}
                Some(Ok(ModelEvent::Finished { reason, usage })) => {
                    break Ended::Finished { reason, usage };
                }
                Some(Err(error)) => break Ended::Failed(error),
                None => break Ended::Failed(ModelError::Interrupted),
            },
            result = finish(&mut writing), if writing.is_some() => {
                writing = None;
                result?;
                said.persisted = said.handed_over;
            }
            () = sleep_until(flush_at.unwrap_or_else(Instant::now)),
                if flush_at.is_some() && writing.is_none() =>
            {
                let tail = said.text[said.handed_over..].to_owned();
                writing = Some(log.persist(said.handed_over, tail));
                said.handed_over = said.text.len();
                flush_at = None;
            }
            () = &mut out_of_time => break Ended::OutOfTime,
        }
    };
    // Waited for and not dropped: otherwise nobody would know whether it was persisted.
    if let Some(writing) = writing {
        writing.await?;
        said.persisted = said.handed_over;
    }
    Ok(ended)
}

async fn finish(writing: &mut Option<Writing<'_>>) -> Result<(), LeaseLost> {
    match writing.as_mut() {
        Some(writing) => writing.await,
        None => Ok(()),
    }
}

impl Said {
    fn end(self, ended: Ended) -> Outcome {
        let (finish_reason, usage, error) = match ended {
            Ended::Finished { reason, usage } => (reason, usage, None),
            Ended::Cancelled => (FinishReason::Cancelled, Usage::default(), None),
            Ended::Failed(error) => (
                FinishReason::Error,
                Usage::default(),
                Some(error.to_run_error()),
            ),
            Ended::OutOfTime => (FinishReason::Error, Usage::default(), Some(out_of_time())),
        };
        Outcome {
            text: self.text,
            persisted: self.persisted,
            finish_reason,
            usage,
            error,
        }
    }
}

fn out_of_time() -> RunError {
    RunError {
        kind: "time_limit".to_owned(),
        message: "the run reached its time limit; raise the limit in the agent's settings"
            .to_owned(),
        retryable: true,
    }
}
