//! What the loop knows of tools.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use domain::approvals::ApprovalReason;
use domain::{CallId, McpServerId};
use llm::{ToolCall, ToolSpec};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Server name of the tools inside this program.
pub const BUILTIN: &str = "builtin";

/// The tools of one run.
#[async_trait]
pub trait Toolbox: Send + Sync {
    /// What the model is offered.
    fn specs(&self) -> Arc<[ToolSpec]>;

    /// Finds the tool that the model asks for and checks the arguments, without calling it.
    fn plan(&self, call: &ToolCall) -> Plan;

    /// Calls a tool. Bounded in time and size; every failure is an output, too.
    /// What it costs is taken from `allowance` first.
    async fn call(
        &self,
        id: CallId,
        plan: &Plan,
        allowance: &Allowance,
        cancel: CancellationToken,
    ) -> ToolOutput;
}

/// What a call will be.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The tool server; `None` for tools inside this program, and for those that do not exist.
    pub server_id: Option<McpServerId>,
    /// Its name.
    pub server: String,
    /// The tool's bare name.
    pub tool: String,
    /// What it is called with.
    pub arguments: Value,
    /// Whether calling twice is as good as calling once.
    pub is_repeatable: bool,
    /// Hash of the tool's definition; empty for tools inside this program.
    pub definition_hash: String,
    /// What happens next.
    pub verdict: Verdict,
}

/// What happens with a planned call.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It goes ahead.
    Call,
    /// A person is asked first.
    Ask(ApprovalReason),
    /// It does not go ahead; the model is told why.
    Refuse(String),
}

/// What a tool gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutput {
    /// The text for the model.
    pub text: String,
    /// Whether the tool failed.
    pub is_error: bool,
    /// What the call costs.
    pub cost_usd_micros: u64,
}

/// The money that is left of what a run may cost by itself, for calls side by side.
#[derive(Debug)]
pub struct Allowance(Option<AtomicU64>);

/// One call on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedCall {
    /// The id.
    pub id: CallId,
    /// What the model asked for.
    pub asked: ToolCall,
    /// What became of it.
    pub plan: Plan,
    /// Where it stands.
    pub state: CallState,
}

/// Where a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallState {
    /// To be called.
    Ready,
    /// A person is asked.
    Waiting,
    /// Over; the model is told this.
    Done(CallResult),
}

/// What the model is told of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallResult {
    /// The text, cut to what models are shown.
    pub text: String,
    /// Whether it is an error.
    pub is_error: bool,
    /// The whole text, if it was cut.
    pub whole: Option<String>,
    /// Milliseconds that the tool took.
    pub duration_ms: u64,
    /// What the call costs, if it was made just now.
    pub cost_usd_micros: u64,
}

impl Allowance {
    /// `None` for as much as it takes.
    pub(crate) fn new(left_usd_micros: Option<u64>) -> Self {
        Self(left_usd_micros.map(AtomicU64::new))
    }

    /// Takes what a call costs; `false`, and nothing is taken, if there is not as much.
    pub fn take(&self, usd_micros: u64) -> bool {
        let Some(left) = &self.0 else {
            return true;
        };
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(usd_micros)
        });
        taken.is_ok()
    }
}

impl ToolOutput {
    /// A failure that the model can act on.
    pub fn error(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_error: true,
            cost_usd_micros: 0,
        }
    }

    /// A success.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_error: false,
            cost_usd_micros: 0,
        }
    }
}

impl CallResult {
    /// The end of a call that was never made.
    pub fn refused(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_error: true,
            whole: None,
            duration_ms: 0,
            cost_usd_micros: 0,
        }
    }

    /// What a tool gave after `duration_ms`, cut to what models are shown.
    pub fn of(output: ToolOutput, duration_ms: u64) -> Self {
        let (text, whole) = crate::cap::cap(without_nul(output.text));
        Self {
            text,
            is_error: output.is_error,
            whole,
            duration_ms,
            cost_usd_micros: output.cost_usd_micros,
        }
    }
}

/// The text with a mark in place of each NUL, which Postgres does not store.
pub(crate) fn without_nul(text: String) -> String {
    match text.contains('\0') {
        true => text.replace('\0', "\u{fffd}"),
        false => text,
    }
}
