//! What a server says while it is at work on a call.

use rmcp::model::{
    CallToolResult, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerNotification,
    ServerResult,
};
use rmcp::service::ServiceError;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ask::{Answer, LogLine, nonsense};
use crate::connection::Progress;
use crate::error::CallError;
use crate::handler::Aside;

/// What one message of an answer's stream is.
pub(super) enum Heard {
    Answer(Result<Answer, CallError>),
    Aside(Aside),
    /// The server's lists have changed.
    Changed,
    Nothing,
}

pub(super) fn read(data: &str, id: &RequestId) -> Heard {
    if let Some(answer) = read_result(data, id) {
        return Heard::Answer(Ok(answer));
    }
    // What makes no sense is passed over, as servers send all kinds of things.
    let Ok(message) = serde_json::from_str::<ServerJsonRpcMessage>(data) else {
        return Heard::Nothing;
    };
    let notice = match message {
        JsonRpcMessage::Notification(notice) => notice.notification,
        JsonRpcMessage::Request(_) => return Heard::Nothing,
        answer => return Heard::Answer(answer_of(answer, id)),
    };
    match notice {
        ServerNotification::ProgressNotification(step) => {
            let step = step.params;
            match step.progress_token.0 == *id {
                true => Heard::Aside(Aside::Step(Progress {
                    progress: step.progress,
                    total: step.total,
                    message: step.message,
                })),
                false => Heard::Nothing,
            }
        }
        ServerNotification::LoggingMessageNotification(line) => {
            Heard::Aside(Aside::Log(LogLine(line.params)))
        }
        ServerNotification::ToolListChangedNotification(_)
        | ServerNotification::PromptListChangedNotification(_)
        | ServerNotification::ResourceListChangedNotification(_) => Heard::Changed,
        _ => Heard::Nothing,
    }
}

/// The usual answer, without trying what else it could be.
fn read_result(data: &str, id: &RequestId) -> Option<Answer> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Usual<'a> {
        #[serde(rename = "jsonrpc")]
        _version: &'a str,
        id: RequestId,
        #[serde(borrow)]
        result: &'a RawValue,
    }
    let usual: Usual<'_> = serde_json::from_str(data).ok()?;
    let result: CallToolResult = serde_json::from_str(usual.result.get()).ok()?;
    (usual.id == *id).then_some(Answer(ServerResult::CallToolResult(result)))
}

pub(super) fn answer_of(
    message: ServerJsonRpcMessage,
    id: &RequestId,
) -> Result<Answer, CallError> {
    match message {
        JsonRpcMessage::Response(response) if response.id == *id => Ok(Answer(response.result)),
        JsonRpcMessage::Error(error) if error.id.as_ref().is_none_or(|it| it == id) => {
            Err(ServiceError::McpError(error.error).into())
        }
        _ => Err(nonsense()),
    }
}
