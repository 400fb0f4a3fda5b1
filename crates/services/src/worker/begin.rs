//! The beginning of a run that was taken: from its first step, or from where it stands.

use std::sync::Arc;

use domain::agents::AgentConfig;
use domain::approvals::ApprovalReason;
use domain::events::{EventBody, FinishReason, RunBegin};
use domain::mcp_servers::McpToolState;
use domain::runs::Usage;
use domain::tools::ToolCallStatus;
use domain::{AgentId, ConversationId, Error, MessageId, RunId, Timestamp, WorkspaceId};
use engine::{AskedCall, CallState, Spent, complain};
use llm::ModelMessage;
use store::TenantTx;
use store::approvals::NewApproval;
use store::events::NewEvent;
use store::runs::{AnsweringAgent, Attempt, ClaimedRun, NewStep};

use super::budget::{BYTES_PER_TOKEN, broken_off};
use super::calls::{asked, asked_call, question};
use super::{Slot, StartedRun, Worker};
use crate::conversations::{answer_created, logged_text, new_event};
use crate::fault::OrFault;
use crate::history::{History, PRIOR_MESSAGES, asking_messages, history};
use crate::mint;
use crate::tool_servers::KnownTool;
use crate::tools::Schema;

/// Where a run stands.
#[derive(Default)]
struct Progress {
    /// What it wrote so far, as the model reads it.
    messages: Vec<ModelMessage>,
    /// The message that is open.
    open: Option<MessageId>,
    /// The last message that asked for tools, if nothing came after it.
    asking: Option<MessageId>,
    /// Its calls, if not all are over.
    pending: Vec<AskedCall>,
    /// Calls among them that were begun and are not safe to repeat.
    unknown: Vec<AskedCall>,
    /// Calls among them whose tool is another than the one that a person was shown.
    changed: Vec<AskedCall>,
    spent: Spent,
}

/// Writes the beginning of a taken run and executes it.
pub(super) async fn begin(worker: &Worker, slot: Slot, claimed: ClaimedRun) -> Result<(), Error> {
    let store = &worker.inner.store;
    let lease = claimed.lease;
    let agent = (claimed.agent_id, claimed.agent_version);
    let config = find_config(worker, lease.workspace_id, agent).await?;
    // Before the transaction: whoever holds one connection and waits for another may wait for itself.
    let tools = find_definitions(worker, lease.workspace_id, &config).await?;
    let mut tx = store.begin(lease.workspace_id).await.or_fault()?;
    let prior = tx
        .list_asked_messages(lease.conversation_id, lease.run_id, PRIOR_MESSAGES)
        .await
        .or_fault()?;
    let History {
        mut messages,
        pictures,
    } = history(prior);
    debug_assert!(messages.last().is_some_and(ModelMessage::is_user));
    let mut progress = read_progress(&mut tx, lease.run_id, &config).await?;
    find_changed(&tools, &mut progress);
    let now = mint::now();
    let mut events = Vec::new();
    let run_begin = RunBegin {
        agent_id: claimed.agent_id,
        agent_version: claimed.agent_version,
        attempt: claimed.attempt,
    };
    let is_new = progress.open.is_none() && progress.asking.is_none();
    if claimed.is_orphan {
        events.push(new_event(EventBody::RunAdopted(run_begin)));
    } else if is_new {
        events.push(new_event(EventBody::RunStarted(run_begin)));
    }
    let questions = ask_again(worker, &claimed, &progress, now, &mut events);
    let mut abandoned = None;
    let (answer_id, new_message) = match (progress.open, progress.asking) {
        (Some(open), _) => {
            let text = logged_text(&mut tx, lease.conversation_id, lease.run_id, open).await?;
            let used = estimate(worker, &mut tx, &config, &messages, &progress, &text).await?;
            progress.spent.usage = progress.spent.usage + used;
            abandoned = Some(used);
            // What a dead worker left half said is withdrawn.
            events.extend((!text.is_empty()).then(|| {
                new_event(EventBody::TextTruncated {
                    message_id: open,
                    offset: 0,
                })
            }));
            (open, None)
        }
        (None, Some(asking)) if !progress.pending.is_empty() => (asking, None),
        (None, asking) => {
            let id = match asking {
                Some(_) => mint::id(),
                None => claimed.answer_id,
            };
            events.push(answer_created(id));
            (id, Some(id))
        }
    };
    let step = NewStep {
        id: mint::id(),
        target: &config.model.name,
    };
    let attempt = Attempt {
        number: claimed.attempt,
        step: progress.pending.is_empty().then_some(step),
        new_message,
        now,
    };
    if !progress.pending.is_empty() {
        let lines: Vec<_> = progress.pending.iter().map(|_| mint::id()).collect();
        let booked = tx.book_interrupted_calls(&lease, &lines, now).await;
        progress.spent.usage.cost_usd_micros += booked.or_fault()?;
    }
    let logged = tx
        .begin_attempt(&lease, attempt, abandoned, &events)
        .await
        .or_fault()?;
    tx.create_approvals(&lease, &questions).await.or_fault()?;
    for question in &questions {
        tx.pin_call(question.call_id, &question.definition_hash)
            .await
            .or_fault()?;
    }
    tx.commit().await.or_fault()?;
    messages.extend(progress.messages);
    let run = StartedRun {
        lease,
        answer_id,
        agent: Arc::new(AnsweringAgent {
            id: claimed.agent_id,
            version: claimed.agent_version,
            config,
            // Only who remembers the run's conversation asks, and this one is not remembered.
            may_be_draft: false,
            connection_updated_at: None,
        }),
        messages,
        pictures,
        pending: progress.pending,
        spent: progress.spent,
        attempt: claimed.attempt,
        is_cancel_requested: claimed.is_cancel_requested,
        whole_log_until: None,
    };
    worker.begin(slot, run).written(&logged);
    Ok(())
}

/// What the version of the agent says that shall answer.
async fn find_config(
    worker: &Worker,
    workspace_id: WorkspaceId,
    (id, version): (AgentId, u32),
) -> Result<AgentConfig, Error> {
    let agents = &worker.inner.agents;
    if let Some(config) = agents.find(workspace_id, id, version).await {
        return Ok(config);
    }
    let mut tx = worker.inner.store.begin(workspace_id).await.or_fault()?;
    let config = tx.find_agent_version(id, version).await.or_fault()?;
    drop(tx);
    let config = config.ok_or(Error::NotFound)?;
    agents.keep(workspace_id, id, version, config.clone()).await;
    Ok(config)
}

/// Reads the journal: what is finished counts, what is not is done again or asked about.
async fn read_progress(
    tx: &mut TenantTx,
    run_id: RunId,
    config: &AgentConfig,
) -> Result<Progress, Error> {
    let written = tx.list_run_messages(run_id).await.or_fault()?;
    if written.is_empty() {
        return Ok(Progress::default());
    }
    let ids: Vec<MessageId> = written.iter().map(|message| message.id).collect();
    let mut stored = tx.list_calls_of_messages(&ids).await.or_fault()?;
    let (iterations, usage): (u32, Usage) = tx.sum_calls(run_id).await.or_fault()?;
    let mut progress = Progress {
        spent: Spent {
            iterations,
            usage,
            has_asked_again: false,
        },
        ..Progress::default()
    };
    let last = written.len() - 1;
    for (index, message) in written.into_iter().enumerate() {
        if message.finish_reason.is_none() {
            progress.open = Some(message.id);
            break;
        }
        let of_message: Vec<_> = stored
            .extract_if(.., |call| call.message_id == message.id)
            .collect();
        let mut unknown = Vec::new();
        let mut calls = Vec::with_capacity(of_message.len());
        for call in of_message {
            let is_unsafe = call.status == ToolCallStatus::Started && !call.is_repeatable;
            let mut call = asked_call(call);
            if is_unsafe {
                call.state = CallState::Waiting;
                unknown.push(call.clone());
            }
            calls.push(call);
        }
        let is_over = calls
            .iter()
            .all(|call| matches!(call.state, CallState::Done(_)));
        let complaint = match message.finish_reason {
            Some(FinishReason::Error) => Some(complain(&fault(config, &message.text))),
            _ => None,
        };
        let asking = asking_messages(message.text.into(), message.carry.map(Into::into), &calls);
        if index == last {
            progress.asking = Some(message.id);
            if !is_over {
                // The results follow when there are all of them.
                progress.messages.extend(asking.into_iter().take(1));
                progress.pending = calls;
                progress.unknown = unknown;
                break;
            }
        }
        progress.messages.extend(asking);
        progress.spent.has_asked_again |= complaint.is_some();
        progress.messages.extend(complaint);
    }
    Ok(progress)
}

/// What was wrong with an answer that did not end its run.
fn fault(config: &AgentConfig, answer: &str) -> String {
    let schema = config.output_schema.as_ref().map(Schema::new);
    let checked = schema.map_or(Ok(()), |schema| schema.check_text(answer));
    checked.err().unwrap_or_default()
}

/// What is known of the tools of servers that an agent uses.
async fn find_definitions(
    worker: &Worker,
    workspace_id: WorkspaceId,
    config: &AgentConfig,
) -> Result<Vec<KnownTool>, Error> {
    let wanted: Vec<_> = config
        .tools
        .iter()
        .filter_map(|tool| Some((tool.server_id?, tool.name.clone()?)))
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let servers = &worker.inner.tool_servers;
    servers.definitions(workspace_id, &wanted).await.or_fault()
}

/// Holds calls back whose tool has been defined anew, and accepted, since they were planned: what a
/// person has answered was about another tool.
fn find_changed(known: &[KnownTool], progress: &mut Progress) {
    let ready = |call: &&mut AskedCall| call.state == CallState::Ready;
    for call in progress.pending.iter_mut().filter(ready) {
        let tool = known.iter().find(|tool| {
            Some(tool.server_id) == call.plan.server_id && tool.definition.name == call.plan.tool
        });
        if let Some(tool) = tool
            && tool.state == McpToolState::Active
            && tool.definition_hash != call.plan.definition_hash
        {
            call.plan.definition_hash.clone_from(&tool.definition_hash);
            call.state = CallState::Waiting;
            progress.changed.push(call.clone());
        }
    }
}

/// Questions about calls whose outcome nobody knows, or whose tool is another by now.
fn ask_again(
    worker: &Worker,
    claimed: &ClaimedRun,
    progress: &Progress,
    now: Timestamp,
    events: &mut Vec<NewEvent>,
) -> Vec<NewApproval> {
    let unknown = progress.unknown.iter();
    let unknown = unknown.map(|call| (call, ApprovalReason::UnknownOutcome));
    let changed = progress.changed.iter();
    let changed = changed.map(|call| (call, ApprovalReason::ChangedDefinition));
    let open_for = worker.inner.approval_time;
    let questions: Vec<NewApproval> = unknown
        .chain(changed)
        .map(|(call, reason)| question(claimed.agent_id, open_for, call, reason, now))
        .collect();
    if let Some(message_id) = progress.asking {
        events.extend(questions.iter().map(|question| asked(question, message_id)));
    }
    questions
}

/// What the model call of a conversation's run used up that is under way, or died with its worker, as
/// far as one can tell; `None` if there is none.
pub(super) async fn used_so_far(
    worker: &Worker,
    tx: &mut TenantTx,
    id: ConversationId,
) -> Result<Option<Usage>, Error> {
    let Some((run_id, agent_id, version)) = tx.find_running_run(id).await.or_fault()? else {
        return Ok(None);
    };
    let config = find_config(worker, tx.workspace_id(), (agent_id, version)).await?;
    let progress = read_progress(tx, run_id, &config).await?;
    let Some(open) = progress.open else {
        return Ok(None);
    };
    let prior = tx.list_asked_messages(id, run_id, PRIOR_MESSAGES).await;
    let messages = history(prior.or_fault()?).messages;
    let text = logged_text(tx, id, run_id, open).await?;
    let used = estimate(worker, tx, &config, &messages, &progress, &text).await?;
    Ok(Some(used))
}

/// What a model call used up that broke off.
async fn estimate(
    worker: &Worker,
    tx: &mut TenantTx,
    config: &AgentConfig,
    messages: &[ModelMessage],
    progress: &Progress,
    text: &str,
) -> Result<Usage, Error> {
    let candidates = worker.inner.models.candidates(tx, config).await;
    let candidates = candidates.or_fault()?.unwrap_or_default();
    let price = candidates.first().and_then(|model| model.facts.price);
    let messages = messages.iter().chain(&progress.messages);
    let read: usize = messages.map(ModelMessage::size_bytes).sum();
    let read = (config.instructions.len() + read) as u64;
    let written = text.chars().count() as u64;
    Ok(broken_off(price, read / BYTES_PER_TOKEN, written))
}
