//! One run, from its written beginning to its written end.

use std::sync::Arc;
use std::time::Duration;

use domain::events::{EventBody, FinishReason, RunEnd, TextDelta};
use domain::runs::{RunError, RunStatus};
use engine::{Outcome, Turn, run_turn, window};
use llm::{ChatModel, ModelRequest};
use store::events::LoggedEvent;
use store::runs::Ending;
use tokio::time::Instant;

use super::log::{Log, retrying};
use super::stage::Stage;
use super::{StartedRun, Stops, Worker};
use crate::conversations::new_event;
use crate::mint;
use crate::models::missing_connection;
use crate::recents::Recent;

/// Executes a run. Returns early, writing nothing more, when the lease is lost.
pub(super) async fn execute(worker: &Worker, run: StartedRun, stage: Arc<Stage>, stops: Stops) {
    let log = Log {
        store: worker.inner.store.clone(),
        lease: run.lease,
        message_id: run.answer_id,
        stage,
        whole_until: run.whole_log_until.into(),
    };
    let outcome = match find_model(worker, &run).await {
        Ok(model) => {
            let config = &run.agent.config;
            let turn = Turn {
                model,
                request: ModelRequest {
                    model: config.model.name.clone(),
                    instructions: config.instructions.clone(),
                    messages: window(run.messages.clone()),
                    temperature: config.model.temperature,
                    max_output_tokens: max_output_tokens(&run),
                    tools: Arc::new([]),
                },
                deadline: Instant::now()
                    + Duration::from_secs(u64::from(config.limits.max_seconds)),
                cancel: stops.cancel,
            };
            // Only the turn can be abandoned. Once it is over its end is written and shown whole:
            // the fence decides whether it counts.
            let turn = tokio::select! {
                () = stops.abandon.cancelled() => return,
                turn = run_turn(turn, &log) => turn,
            };
            match turn {
                Ok(outcome) => outcome,
                Err(lost) => {
                    tracing::info!(run.id = %run.lease.run_id, reason = %lost, "run let go");
                    return;
                }
            }
        }
        Err(error) => failed(error),
    };
    tokio::select! {
        () = stops.abandon.cancelled() => return,
        () = log.stage.opened() => {}
    }
    end(worker, run, &log, &outcome).await;
}

async fn find_model(worker: &Worker, run: &StartedRun) -> Result<Arc<dyn ChatModel>, RunError> {
    let workspace_id = run.lease.workspace_id;
    let connection_id = run.agent.config.model.connection_id;
    let models = &worker.inner.models;
    if let Some(updated_at) = run.agent.connection_updated_at
        && let Some(client) = models.kept(workspace_id, connection_id, updated_at)
    {
        return Ok(client);
    }
    let found = retrying(|| async {
        let mut tx = worker.inner.store.begin(workspace_id).await?;
        models.client(&mut tx, connection_id).await
    });
    match found.await {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(run.id = %run.lease.run_id, error = %error, "find a run's model");
            let mut error = missing_connection();
            error.message =
                "the model connection cannot be read; an admin finds the cause in the log".into();
            Err(error)
        }
    }
}

fn max_output_tokens(run: &StartedRun) -> Option<u32> {
    let config = &run.agent.config;
    let of_run = config
        .limits
        .max_tokens
        .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
    match (config.model.max_output_tokens, of_run) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn failed(error: RunError) -> Outcome {
    Outcome {
        text: String::new(),
        persisted: 0,
        finish_reason: FinishReason::Error,
        usage: Default::default(),
        error: Some(error),
    }
}

async fn end(worker: &Worker, run: StartedRun, log: &Log, outcome: &Outcome) {
    let run_end = RunEnd {
        usage: outcome.usage,
        error: outcome.error.clone(),
    };
    let (status, last) = match outcome.finish_reason {
        FinishReason::Cancelled => (RunStatus::Cancelled, EventBody::RunCancelled(run_end)),
        FinishReason::Error => (RunStatus::Failed, EventBody::RunFailed(run_end)),
        _ => (RunStatus::Completed, EventBody::RunCompleted(run_end)),
    };
    let mut events = Vec::with_capacity(3);
    if outcome.persisted < outcome.text.len() {
        events.push(new_event(EventBody::TextDelta(TextDelta {
            message_id: run.answer_id,
            offset: outcome.persisted as u64,
            text: outcome.text[outcome.persisted..].to_owned(),
        })));
    }
    events.push(new_event(EventBody::MessageCompleted {
        message_id: run.answer_id,
        text: outcome.text.clone(),
        finish_reason: outcome.finish_reason,
        usage: outcome.usage,
    }));
    events.push(new_event(last));
    let ending = Ending {
        answer_id: run.answer_id,
        status,
        text: &outcome.text,
        finish_reason: outcome.finish_reason,
        usage: outcome.usage,
        error: outcome.error.as_ref(),
        now: mint::now(),
    };
    let written = retrying(|| async {
        let mut tx = worker.inner.store.begin(run.lease.workspace_id).await?;
        let logged = tx.end_run(&run.lease, &ending, &events).await?;
        tx.commit().await?;
        Ok(logged)
    });
    match written.await {
        Ok(logged) => {
            remember(worker, run, log, &logged, &outcome.text);
            log.stage.publish(&logged);
            metrics::counter!("agentarea_runs_total", "status" => status.as_str()).increment(1);
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

/// Keeps the conversation for its next message, unless others wrote into it during the run.
fn remember(worker: &Worker, run: StartedRun, log: &Log, logged: &[LoggedEvent], answer: &str) {
    log.note(logged);
    let Some(last_seq) = log.whole_until() else {
        return;
    };
    let recent = Recent {
        workspace_id: run.lease.workspace_id,
        last_seq,
        agent: run.agent,
        messages: run.messages,
    };
    worker
        .inner
        .recents
        .keep(run.lease.conversation_id, recent, answer);
}
