//! How events change the tool calls of a thread.

use domain::approvals::Decision;
use domain::events::{ApprovalDecided, ApprovalRequested, ToolCallCompleted, ToolCallStarted};
use domain::tools::{ToolCall, ToolCallStatus};
use domain::{CallId, MessageId, RunId};

use crate::pages::conversations::thread_state::{Change, ThreadState};

impl ThreadState {
    pub(super) fn start_call(&mut self, started: ToolCallStarted) -> Vec<Change> {
        let call = ToolCall {
            status: ToolCallStatus::Started,
            ..new_call(
                started.call_id,
                started.server,
                started.tool,
                started.arguments,
            )
        };
        self.put_call(started.message_id, call)
    }

    pub(super) fn hold_call(&mut self, asked: ApprovalRequested) -> Vec<Change> {
        let call = ToolCall {
            status: ToolCallStatus::Waiting,
            approval_id: Some(asked.approval_id),
            ..new_call(asked.call_id, asked.server, asked.tool, asked.arguments)
        };
        self.put_call(asked.message_id, call)
    }

    pub(super) fn release_call(&mut self, decided: &ApprovalDecided) -> Vec<Change> {
        let is_approved = decided.decision == Decision::Approve;
        self.change_call(decided.call_id, |call| {
            call.approval_id = None;
            if is_approved {
                call.status = ToolCallStatus::Requested;
            }
        })
    }

    pub(super) fn complete_call(&mut self, completed: ToolCallCompleted) -> Vec<Change> {
        self.change_call(completed.call_id, |call| {
            call.status = ToolCallStatus::Completed;
            call.is_error = completed.is_error;
            call.result = completed.result;
            call.duration_ms = completed.duration_ms;
            call.artifact_id = completed.artifact_id;
            call.approval_id = None;
        })
    }

    /// Ends what a run left open.
    pub(super) fn close_calls(&mut self, run: RunId) -> Vec<Change> {
        let mut changes = Vec::new();
        for message in self.messages.iter_mut().filter(|it| it.run_id == run) {
            let open = message
                .tool_calls
                .iter_mut()
                .filter(|call| call.status != ToolCallStatus::Completed);
            let mut is_changed = false;
            for call in open {
                call.status = ToolCallStatus::Completed;
                call.is_error = true;
                call.approval_id = None;
                is_changed = true;
            }
            if is_changed {
                changes.push(Change::Tools(message.id));
            }
        }
        changes
    }

    fn put_call(&mut self, message: MessageId, call: ToolCall) -> Vec<Change> {
        let Some(found) = self.message_mut(message) else {
            return Vec::new();
        };
        match found
            .tool_calls
            .iter_mut()
            .find(|known| known.id == call.id)
        {
            Some(known) => *known = call,
            None => found.tool_calls.push(call),
        }
        vec![Change::Tools(message)]
    }

    fn change_call(&mut self, id: CallId, change: impl FnOnce(&mut ToolCall)) -> Vec<Change> {
        let found = self.messages.iter_mut().rev().find_map(|message| {
            let call = message.tool_calls.iter_mut().find(|call| call.id == id)?;
            Some((message.id, call))
        });
        match found {
            Some((message, call)) => {
                change(call);
                vec![Change::Tools(message)]
            }
            None => Vec::new(),
        }
    }
}

fn new_call(id: CallId, server: String, tool: String, arguments: serde_json::Value) -> ToolCall {
    ToolCall {
        id,
        server,
        tool,
        arguments,
        status: ToolCallStatus::Requested,
        is_error: false,
        result: String::new(),
        artifact_id: None,
        duration_ms: 0,
        approval_id: None,
    }
}
