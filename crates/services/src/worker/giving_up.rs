//! The end of runs that nobody can go on with.

use domain::events::{EventBody, FinishReason, RunEnd};
use domain::runs::{RunError, RunStatus, Usage};
use domain::{Error, MessageId};
use store::events::{EventColumns, NewEvent};
use store::panics::unless_panicking;
use store::runs::{Attempt, Ending, Lease, WholeMessage};

use super::Worker;
use crate::conversations::{answer_created, logged, new_event};
use crate::fault::OrFault;
use crate::{mint, watch};

/// How often a run is begun. Each time may ask the model once more, which costs.
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// Ends a run with what its log has of the message that is open: as failed, or without an error as
/// cancelled.
pub(super) async fn give_up(
    worker: &Worker,
    lease: Lease,
    answer_id: MessageId,
    error: Option<RunError>,
) -> Result<(), Error> {
    let (status, finish_reason) = match &error {
        Some(_) => (RunStatus::Failed, FinishReason::Error),
        None => (RunStatus::Cancelled, FinishReason::Cancelled),
    };
    let inner = &worker.inner;
    let now = mint::now();
    let mut tx = inner.store.begin(lease.workspace_id).await.or_fault()?;
    let written = tx.list_run_messages(lease.run_id).await.or_fault()?;
    let mut logged_events = Vec::new();
    let open = match written.last() {
        // Even a run that never began has an answer, for its error to be seen.
        None => {
            let attempt = Attempt {
                number: 0,
                step: None,
                new_message: Some(answer_id),
                now,
            };
            let events = [answer_created(answer_id)];
            let begun = tx.begin_attempt(&lease, attempt, None, &events).await;
            logged_events = begun.or_fault()?;
            Some(answer_id)
        }
        Some(last) => last.finish_reason.is_none().then_some(last.id),
    };
    let said = match open {
        Some(id) => logged(&mut tx, lease.conversation_id, lease.run_id, id).await?,
        None => Default::default(),
    };
    // What the call used up that nobody heard the end of.
    let used = match (&open, written.is_empty()) {
        (Some(_), false) => {
            let used = worker.used_so_far(&mut tx, lease.conversation_id);
            // What the run panicked at may be in the way of an estimate, but not of an end.
            unless_panicking(used)
                .await
                .transpose()?
                .unwrap_or_default()
        }
        _ => Usage::default(),
    };
    let total = match open {
        Some(_) => tx.sum_calls(lease.run_id).await.or_fault()?.1 + used,
        None => tx.close_calls(&lease, now).await.or_fault()?,
    };
    let mut events: Vec<NewEvent> = Vec::new();
    events.extend(open.map(|message_id| {
        new_event(EventBody::MessageCompleted {
            message_id,
            text: said.text.clone(),
            finish_reason,
            usage: used,
        })
    }));
    let run_end = RunEnd {
        usage: total,
        error: error.clone(),
    };
    events.push(new_event(match error {
        Some(_) => EventBody::RunFailed(run_end),
        None => EventBody::RunCancelled(run_end),
    }));
    let ending = Ending {
        message: open.map(|id| WholeMessage {
            id,
            text: &said.text,
            reasoning: &said.reasoning,
            carry: None,
            finish_reason,
            usage: used,
            answerer: None,
        }),
        status,
        usage: total,
        error: error.as_ref(),
        now,
    };
    let columns = EventColumns::new(&events);
    let last_seq = tx.end_run(&lease, &ending, &columns).await.or_fault()?;
    tx.commit().await.or_fault()?;
    if let Some(error) = &error {
        tracing::error!(run.id = %lease.run_id, kind = error.kind, "run given up");
    }
    metrics::counter!("agentarea_runs_total", "status" => status.as_str()).increment(1);
    let ended = columns.into_logged(last_seq, lease.conversation_id, lease.run_id, now);
    logged_events.extend(ended);
    watch::publish(&inner.bus.publisher(lease.conversation_id), &logged_events);
    Ok(())
}

/// Why a run ends that was taken over too often.
pub(super) fn interrupted_too_often() -> RunError {
    RunError {
        kind: "interrupted".to_owned(),
        message: format!(
            "the server stopped in the middle of this answer {MAX_ATTEMPTS} times; ask again, and \
             have an admin look into the log if it happens again"
        ),
        retryable: true,
    }
}

/// Why a run ends that hit a fault of this program.
pub(super) fn internal_fault() -> RunError {
    RunError {
        kind: "internal".to_owned(),
        message: "the server made a mistake while it answered; ask again, and have an admin look \
                  into the log if it happens again"
            .to_owned(),
        retryable: true,
    }
}
