//! Waiting for a server, and asking it.

use std::time::{Duration, Instant};

use mcp::{Answer, Ask, CallError, CallOptions, Patience, Progress, Subject};

use super::leasing::Lease;
use super::{ToolCallOptions, refused};

/// How often whoever waits for a server that starts is told so.
const STARTING: Duration = Duration::from_secs(2);

/// Waits for a server that may have to be started first; whoever waits is told again and again.
pub(super) async fn told_meanwhile<T>(
    starting: impl Future<Output = T>,
    options: &ToolCallOptions<'_>,
) -> Result<T, CallError> {
    tokio::pin!(starting);
    let mut progress = 0.0;
    loop {
        tokio::select! {
            biased;
            started = &mut starting => return Ok(started),
            () = options.cancel.cancelled() => return Err(CallError::Cancelled),
            () = tokio::time::sleep(STARTING) => {
                // The server's own steps count from zero, and each has to be more than the last.
                progress += 1e-6;
                if let Some(tell) = options.on_progress {
                    tell(Progress {
                        progress,
                        total: None,
                        message: Some("the server is starting".to_owned()),
                    });
                }
            }
        }
    }
}

/// Asks by a connection; what the server was refused meanwhile is told with the answer.
pub(super) async fn ask_through(
    lease: &Lease,
    ask: Ask,
    options: &ToolCallOptions<'_>,
    deadline: Instant,
) -> Result<Answer, CallError> {
    let call = CallOptions {
        patience: Patience {
            silence: options.patience.silence,
            longest: deadline.saturating_duration_since(Instant::now()),
        },
        cancel: options.cancel,
        on_progress: options.on_progress,
        on_log: options.on_log,
        on_question: options.on_question,
    };
    let is_call = ask.subject() == Subject::Tool;
    if is_call {
        lease.look_out().await;
    }
    let refusals = lease.refusals().filter(|_| is_call);
    let watched = refusals.map(|refusals| (refusals, refusals.last()));
    let mut result = lease.connection().ask(ask, call).await;
    if let Some((refusals, before)) = watched
        && let Some(note) = refused::note(&refusals.after(before))
    {
        refused::tell(&mut result, &note);
    }
    result
}
