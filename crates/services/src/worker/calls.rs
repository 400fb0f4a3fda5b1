//! Tool calls on their way between the runtime, the journal and the log.

use std::time::Duration;

use domain::approvals::ApprovalReason;
use domain::events::{ApprovalRequested, EventBody, ToolCallCompleted};
use domain::tools::ToolCallStatus;
use domain::{AgentId, CallId, FileId, MessageId};
use engine::{AskedCall, CallResult, CallState, Plan, Verdict};
use llm::ToolCall;
use store::approvals::NewApproval;
use store::events::NewEvent;
use store::tool_calls::StoredCall;

use crate::conversations::new_event;
use crate::mint;

/// The question that a call asks, and that waits for so long.
pub(super) fn question(
    agent_id: AgentId,
    open_for: Duration,
    call: &AskedCall,
    reason: ApprovalReason,
    now: domain::Timestamp,
) -> NewApproval {
    let expires_at = now.date_time() + open_for;
    NewApproval {
        id: mint::id(),
        call_id: call.id,
        agent_id,
        server_id: call.plan.server_id,
        server: call.plan.server.clone(),
        tool: call.plan.tool.clone(),
        arguments: call.plan.arguments.clone(),
        definition_hash: call.plan.definition_hash.clone(),
        reason,
        created_at: now,
        expires_at: expires_at.into(),
    }
}

/// The event of a question.
pub(super) fn asked(approval: &NewApproval, message_id: MessageId) -> NewEvent {
    new_event(EventBody::ApprovalRequested(ApprovalRequested {
        approval_id: approval.id,
        call_id: approval.call_id,
        message_id,
        reason: approval.reason,
        server: approval.server.clone(),
        tool: approval.tool.clone(),
        arguments: approval.arguments.clone(),
        expires_at: approval.expires_at,
    }))
}

/// The event of a result.
pub(super) fn completed(
    call_id: CallId,
    result: &CallResult,
    artifact_id: Option<FileId>,
) -> NewEvent {
    new_event(EventBody::ToolCallCompleted(ToolCallCompleted {
        call_id,
        is_error: result.is_error,
        result: result.text.clone(),
        duration_ms: result.duration_ms,
        artifact_id,
    }))
}

/// A call as the journal keeps it.
pub(super) fn stored(call: &AskedCall, message_id: MessageId) -> StoredCall {
    let (status, result) = match &call.state {
        CallState::Ready => (ToolCallStatus::Requested, None),
        CallState::Waiting => (ToolCallStatus::Waiting, None),
        CallState::Done(result) => (ToolCallStatus::Completed, Some(result)),
    };
    StoredCall {
        id: call.id,
        message_id,
        asked_id: call.asked.id.clone(),
        asked_name: call.asked.name.clone(),
        asked_arguments: call.asked.arguments.clone(),
        server_id: call.plan.server_id,
        server: call.plan.server.clone(),
        tool: call.plan.tool.clone(),
        arguments: call.plan.arguments.clone(),
        is_repeatable: call.plan.is_repeatable,
        definition_hash: call.plan.definition_hash.clone(),
        status,
        is_error: result.is_some_and(|result| result.is_error),
        result: result.map(|result| result.text.clone()).unwrap_or_default(),
        artifact_id: None,
        duration_ms: 0,
        approval_id: None,
    }
}

/// A call of the journal, for the runtime. One that was begun counts as not begun: whoever reads
/// it decides first whether that is safe.
pub(crate) fn asked_call(call: StoredCall) -> AskedCall {
    let state = match call.status {
        ToolCallStatus::Requested | ToolCallStatus::Started => CallState::Ready,
        ToolCallStatus::Waiting => CallState::Waiting,
        ToolCallStatus::Completed => CallState::Done(CallResult {
            text: call.result,
            is_error: call.is_error,
            whole: None,
            duration_ms: call.duration_ms,
            // The journal has it.
            cost_usd_micros: 0,
        }),
    };
    AskedCall {
        id: call.id,
        asked: ToolCall {
            id: call.asked_id,
            name: call.asked_name,
            arguments: call.asked_arguments,
        },
        plan: Plan {
            server_id: call.server_id,
            server: call.server,
            tool: call.tool,
            arguments: call.arguments,
            is_repeatable: call.is_repeatable,
            definition_hash: call.definition_hash,
            verdict: Verdict::Call,
        },
        state,
    }
}
