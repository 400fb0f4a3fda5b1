//! One run, from its written beginning to its written end.

use std::sync::Arc;
use std::time::Duration;

use domain::events::FinishReason;
use domain::models::ModelFacts;
use domain::runs::RunError;
use engine::{AgentRun, AnswerCheck, Ended, Limits, Outcome, Said, Toolbox, run_agent};
use llm::chain::{Candidate, Chain, LastAsked};
use llm::{ChatModel, ModelRequest};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::artifacts::Artifacts;
use super::budget::{Calls, RunBudget};
use super::end::end;
use super::log::{Log, retrying};
use super::stage::Stage;
use super::{StartedRun, Stops, Worker};
use crate::attachments::load_pictures;
use crate::call_costs::CallCosts;
use crate::mint;
use crate::models::missing_connection;
use crate::tools::{ConversationFiles, RunToolbox, Schema, ServerTools};

/// Bytes of conversation sent to a model of which nothing is known; about 100,000 tokens of English.
const UNKNOWN_WINDOW_BYTES: usize = 400_000;
/// Of text, guessed low.
const BYTES_PER_TOKEN: usize = 3;
/// Room kept for an answer where nobody says how long it may be, in tokens.
const USUAL_ANSWER: usize = 4_096;

/// Executes a run. Returns early, writing nothing more, when the lease is lost or the run waits for
/// people.
pub(super) async fn execute(worker: &Worker, mut run: StartedRun, stage: Arc<Stage>, stops: Stops) {
    let log = Log {
        store: worker.inner.store.clone(),
        texts: worker.inner.texts.clone(),
        lease: run.lease,
        begun: std::time::Instant::now(),
        agent_id: run.agent.id,
        approval_time: worker.inner.approval_time,
        target: run.agent.config.model.name.clone(),
        attempt: run.attempt,
        message_id: run.answer_id.into(),
        stage,
        switches: Arc::default(),
        asked: LastAsked::default(),
        notices: Arc::default(),
        artifacts: Artifacts {
            store: worker.inner.store.clone(),
            blobs: worker.inner.blobs.clone(),
            workspace_bytes: worker.inner.workspace_file_bytes,
        },
        whole_until: run.whole_log_until.into(),
    };
    let deadline =
        Instant::now() + Duration::from_secs(u64::from(run.agent.config.limits.max_seconds));
    if !run.pictures.is_empty() {
        let pictures = std::mem::take(&mut run.pictures);
        let (blobs, workspace_id) = (&worker.inner.blobs, run.lease.workspace_id);
        let loading = load_pictures(blobs, workspace_id, &pictures, &mut run.messages);
        tokio::select! {
            () = stops.abandon.cancelled() => return,
            // What comes next ends at once, as it does at the deadline.
            () = stops.cancel.cancelled() => {}
            _ = timeout_at(deadline, loading) => {}
        }
    }
    let prepared = match find_model(worker, &run, deadline, &log).await {
        Ok(model) => find_tools(worker, &run, &log)
            .await
            .map(|tools| (model, tools)),
        Err(error) => Err(error),
    };
    let outcome = match prepared {
        Ok((model, toolbox)) => {
            let agent_run = agent_run(&run, model, toolbox, deadline, &stops);
            // Only this can be abandoned. Once it is over its end is written and shown whole: the
            // fence decides whether it counts.
            let ended = tokio::select! {
                () = stops.abandon.cancelled() => return,
                ended = run_agent(agent_run, &log) => ended,
            };
            match ended {
                Ok(Ended::Over(outcome)) => *outcome,
                Ok(Ended::Waiting) => return,
                Err(lost) => {
                    tracing::info!(run.id = %run.lease.run_id, reason = %lost, "run let go");
                    return;
                }
            }
        }
        Err(error) => failed(error, &run),
    };
    tokio::select! {
        () = stops.abandon.cancelled() => return,
        () = log.stage.opened() => {}
    }
    end(worker, run, &log, outcome).await;
}

fn agent_run(
    run: &StartedRun,
    (model, budget): (Arc<dyn ChatModel>, RunBudget),
    toolbox: RunToolbox,
    deadline: Instant,
    stops: &Stops,
) -> AgentRun {
    let config = &run.agent.config;
    AgentRun {
        model,
        request: ModelRequest {
            model: config.model.name.clone(),
            instructions: config.instructions.clone(),
            messages: run.messages.clone(),
            temperature: config.model.temperature,
            max_output_tokens: config.model.max_output_tokens,
            output_tokens_left: None,
            supports_reasoning: None,
            tools: Default::default(),
            output_schema: config.output_schema.clone().map(Arc::new),
        },
        window_bytes: window_bytes(run, &budget.models, &toolbox),
        check: config.output_schema.as_ref().map(answer_check),
        toolbox: Arc::new(toolbox),
        budget: Arc::new(budget),
        pending: run.pending.clone(),
        limits: Limits {
            max_iterations: config.limits.max_iterations,
            max_tokens: config.limits.max_tokens,
            max_cost_usd_micros: config.limits.max_cost_usd_micros,
        },
        spent: run.spent,
        deadline,
        cancel: stops.cancel.clone(),
        new_call_id: mint::id,
    }
}

/// How much of the conversation fits into the largest of the models that may answer, with room for an
/// answer; how many tokens a text has is guessed low, since that differs from language to language.
fn window_bytes(run: &StartedRun, models: &[ModelFacts], toolbox: &RunToolbox) -> usize {
    let config = &run.agent.config;
    let windows = models.iter().map(|facts| {
        let window = facts.context_window? as usize;
        let answer = config.model.max_output_tokens.or(facts.max_output_tokens);
        let answer = answer.map_or(USUAL_ANSWER, |tokens| tokens as usize);
        Some((window - answer.min(window / 4)) * BYTES_PER_TOKEN)
    });
    // Nothing is known of one of them: it may be large.
    let Some(window) = windows
        .collect::<Option<Vec<_>>>()
        .and_then(|it| it.into_iter().max())
    else {
        return UNKNOWN_WINDOW_BYTES;
    };
    let specs = toolbox.specs();
    let tools = specs
        .iter()
        .map(|tool| tool.description.len() + tool.input_schema.to_string().len());
    window.saturating_sub(config.instructions.len() + tools.sum::<usize>())
}

/// Tells what is wrong with an answer that shall fit a schema.
fn answer_check(schema: &Value) -> AnswerCheck {
    let schema = Schema::new(schema);
    Arc::new(move |answer| schema.check_text(answer))
}

/// The agent's model with its fallbacks, as one, and who pays for it.
async fn find_model(
    worker: &Worker,
    run: &StartedRun,
    deadline: Instant,
    log: &Log,
) -> Result<(Arc<dyn ChatModel>, RunBudget), RunError> {
    let candidates = find_candidates(worker, run).await?;
    let budget = RunBudget {
        store: worker.inner.store.clone(),
        lease: run.lease,
        agent_id: run.agent.id,
        calls: Calls::Steps(log.stage.clone()),
        max_cost_usd_micros: run.agent.config.limits.max_cost_usd_micros,
        budgeted: worker.inner.budgeted.clone(),
        models: candidates.iter().map(|it| it.facts).collect(),
        asked: log.asked.clone(),
        notices: log.notices.clone(),
    };
    let switches = log.switches.clone();
    let on_switch = move |switch| switches.lock().expect("no holder panics").push(switch);
    let chain = Chain::new(candidates, deadline, Box::new(on_switch));
    let chain = chain.noting(log.asked.clone());
    Ok((Arc::new(chain), budget))
}

async fn find_candidates(worker: &Worker, run: &StartedRun) -> Result<Vec<Candidate>, RunError> {
    let workspace_id = run.lease.workspace_id;
    let config = &run.agent.config;
    let models = &worker.inner.models;
    if let Some(updated_at) = run.agent.connection_updated_at
        && let Some(candidate) = models.kept_candidate(workspace_id, config, updated_at)
    {
        return Ok(vec![candidate]);
    }
    let found = retrying(|| async {
        let mut tx = worker.inner.store.begin(workspace_id).await?;
        models.candidates(&mut tx, config).await
    });
    match found.await {
        Ok(candidates) => candidates,
        Err(error) => {
            tracing::error!(run.id = %run.lease.run_id, error = %error, "find a run's model");
            let mut error = missing_connection();
            error.message =
                "the model connection cannot be read; an admin finds the cause in the log".into();
            Err(error)
        }
    }
}

/// The run's tools. An agent without any costs no look-up.
async fn find_tools(worker: &Worker, run: &StartedRun, log: &Log) -> Result<RunToolbox, RunError> {
    let tools = &run.agent.config.tools;
    let workspace_id = run.lease.workspace_id;
    let files = ConversationFiles {
        store: worker.inner.store.clone(),
        blobs: worker.inner.blobs.clone(),
        workspace_id,
        conversation_id: run.lease.conversation_id,
        workspace_bytes: worker.inner.workspace_file_bytes,
    };
    let builtins = (worker.inner.builtins.clone(), files);
    let servers = ServerTools {
        servers: worker.inner.tool_servers.clone(),
        workspace_id,
        agent_id: run.agent.id,
        costs: CallCosts {
            store: worker.inner.store.clone(),
            budgeted: worker.inner.budgeted.clone(),
        },
        notices: log.notices.clone(),
    };
    if tools.is_empty() {
        return Ok(RunToolbox::new(&[], Vec::new(), [], builtins, servers));
    }
    let wanted: Vec<_> = tools
        .iter()
        .filter_map(|tool| Some((tool.server_id?, tool.name.clone()?)))
        .collect();
    let found = retrying(|| async {
        let known = servers.servers.definitions(workspace_id, &wanted).await?;
        let mut tx = worker.inner.store.begin(workspace_id).await?;
        let approved = tx.list_approved_tools(run.lease.conversation_id).await?;
        Ok((known, approved))
    });
    match found.await {
        Ok((known, approved)) => Ok(RunToolbox::new(tools, known, approved, builtins, servers)),
        Err(error) => {
            tracing::error!(run.id = %run.lease.run_id, error = %error, "find a run's tools");
            Err(RunError {
                kind: "tools".to_owned(),
                message: "the agent's tools cannot be read; an admin finds the cause in the log"
                    .to_owned(),
                retryable: true,
            })
        }
    }
}

fn failed(error: RunError, run: &StartedRun) -> Outcome {
    Outcome {
        said: run.pending.is_empty().then(Said::default),
        finish_reason: FinishReason::Error,
        usage: Default::default(),
        total: run.spent.usage,
        error: Some(error),
        messages: run.messages.clone(),
    }
}
