//! What servers log for their callers. Clients of 2025 know nothing else, so it is passed on although
//! later revisions discourage it.
#![expect(deprecated, reason = "clients of 2025 are told in this way")]

use rmcp::model::{
    LoggingLevel, LoggingMessageNotification, LoggingMessageNotificationParam, ServerCapabilities,
    ServerJsonRpcMessage, ServerNotification, SetLevelRequestParams,
};
use rmcp::service::{Peer, RoleServer};

pub(crate) type Level = LoggingLevel;
pub(crate) type Line = LoggingMessageNotificationParam;
pub(crate) type SetLevel = SetLevelRequestParams;

/// What a client hears that has not said what it wants.
pub(crate) const USUAL: Level = LoggingLevel::Info;

/// The level that a client sets.
pub(crate) fn level_of(request: &SetLevel) -> Level {
    request.level
}

/// Whether a line is of a level or more urgent.
pub(crate) fn is_at_least(line: &Line, level: Level) -> bool {
    rank(line.level) >= rank(level)
}

pub(crate) async fn tell(peer: &Peer<RoleServer>, line: Line) {
    // A client that is gone hears nothing.
    let _ = peer.notify_logging_message(line).await;
}

/// A line as it is sent.
pub(crate) fn message(line: Line) -> Option<Vec<u8>> {
    let notice = LoggingMessageNotification::new(line);
    let notice = ServerNotification::LoggingMessageNotification(notice);
    serde_json::to_vec(&ServerJsonRpcMessage::notification(notice)).ok()
}

/// Says that the gateway passes logs on.
pub(crate) fn enable(capabilities: &mut ServerCapabilities) {
    capabilities.logging = Some(Default::default());
}

fn rank(level: Level) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}
