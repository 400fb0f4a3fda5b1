//! The written end of a run, and what is done once it is written.

use domain::events::{BudgetState, EventBody, FinishReason, RunEnd};
use domain::runs::RunStatus;
use engine::{Outcome, Said};
use store::events::EventColumns;
use store::runs::{Ending, Lease, WholeMessage};

use super::log::{Log, retrying};
use super::{StartedRun, Worker, title};
use crate::conversations::new_event;
use crate::mint;
use crate::recents::Recent;

/// Writes and shows the end of a run whose lease is held.
pub(super) async fn end(worker: &Worker, run: StartedRun, log: &Log, mut outcome: Outcome) {
    if outcome.said.is_none() {
        match log.close_calls().await {
            Some(total) => outcome.total = total,
            None => return,
        }
    }
    let run_end = RunEnd {
        usage: outcome.total,
        error: outcome.error.clone(),
    };
    let (status, last) = match outcome.finish_reason {
        FinishReason::Cancelled => (RunStatus::Cancelled, EventBody::RunCancelled(run_end)),
        FinishReason::Error => (RunStatus::Failed, EventBody::RunFailed(run_end)),
        _ => (RunStatus::Completed, EventBody::RunCompleted(run_end)),
    };
    let rest = outcome.said.as_ref().map(Said::rest);
    let mut events = log.said(rest.unwrap_or_default());
    events.extend(run_budget_exceeded(&run, &outcome).map(new_event));
    if let Some(said) = &outcome.said {
        events.push(new_event(EventBody::MessageCompleted {
            message_id: log.message_id(),
            text: said.text.clone(),
            finish_reason: outcome.finish_reason,
            usage: outcome.usage,
        }));
    }
    events.push(new_event(last));
    let answerer = log.answerer();
    let message = outcome.said.as_ref().map(|said| WholeMessage {
        answerer: Some(&answerer),
        id: log.message_id(),
        text: &said.text,
        reasoning: &said.reasoning,
        carry: said.carry.as_deref(),
        finish_reason: outcome.finish_reason,
        usage: outcome.usage,
    });
    let ending = Ending {
        message,
        status,
        usage: outcome.total,
        error: outcome.error.as_ref(),
        now: mint::now(),
    };
    let columns = EventColumns::new(&events);
    // What was said may be large, and the columns hold it.
    drop(events);
    let lease = run.lease;
    let written = retrying(|| worker.inner.store.end_run(&lease, &ending, &columns));
    let written = match written.await {
        // An earlier try may have got through, and its answer not.
        Err(store::Error::LeaseLost) => retrying(|| find_end(worker, &lease, &columns)).await,
        written => written,
    };
    match written {
        Ok(last_seq) => {
            let now = ending.now;
            let logged = columns.into_logged(last_seq, lease.conversation_id, lease.run_id, now);
            log.note(&logged);
            title::begin(worker, lease, &run.agent, &run.messages, &outcome);
            remember(worker, run, log, outcome);
            // Before it is shown: whoever is shown the end finds it counted.
            metrics::counter!("agentarea_runs_total", "status" => status.as_str()).increment(1);
            log.stage.publish(&logged);
        }
        Err(store::Error::LeaseLost) => {
            tracing::warn!(run.id = %run.lease.run_id, "run handed over at its end");
        }
        Err(error) => {
            // The lease runs out and the run is repeated.
            tracing::error!(run.id = %run.lease.run_id, error = %error, "write a run's end");
        }
    }
}

/// Number of a run's last event, if its end was written as `columns` have it.
async fn find_end(worker: &Worker, lease: &Lease, columns: &EventColumns) -> store::Result<i64> {
    let mut tx = worker.inner.store.begin(lease.workspace_id).await?;
    let last_seq = tx.find_last(columns).await?;
    let last_seq = last_seq.ok_or(store::Error::LeaseLost)?;
    tracing::info!(run.id = %lease.run_id, "a run's end was written, though its answer got lost");
    Ok(last_seq)
}

/// What to tell of a run that ended because its own limit was spent.
fn run_budget_exceeded(run: &StartedRun, outcome: &Outcome) -> Option<EventBody> {
    let limit = run.agent.config.limits.max_cost_usd_micros?;
    let spent = outcome.total.cost_usd_micros;
    let is_limit = outcome.error.as_ref().is_some_and(|it| it.kind == "limit");
    (is_limit && spent >= limit).then(|| {
        EventBody::BudgetExceeded(BudgetState {
            scope: "run".to_owned(),
            spent_usd_micros: spent,
            limit_usd_micros: limit,
        })
    })
}

/// Keeps the conversation for its next message, unless others wrote into it during the run or the
/// next message may go to another draft.
fn remember(worker: &Worker, run: StartedRun, log: &Log, outcome: Outcome) {
    if run.agent.may_be_draft {
        return;
    }
    let (Some(last_seq), Some(said)) = (log.whole_until(), outcome.said) else {
        return;
    };
    let recent = Recent {
        workspace_id: run.lease.workspace_id,
        last_seq,
        begun: log.begun,
        head: run.lease.run_id,
        agent: run.agent,
        messages: outcome.messages,
    };
    worker
        .inner
        .recents
        .keep(run.lease.conversation_id, recent, said.text);
}
