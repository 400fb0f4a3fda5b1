//! What model and tool calls used up.

use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::runs::Usage;
use crate::{AgentId, Error, FieldErrors, Page, Paged, RunId, StepId, Timestamp, UserId};

/// Longest time that one report covers, in days.
pub const MAX_DAYS: u32 = 366;

/// What a workspace used up in the last days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageReport {
    /// All of it.
    pub total: UsageSum,
    /// By day (UTC), oldest first; days without a call are there, too.
    pub days: Vec<UsageRow>,
    /// By agent, the most expensive first, at most 50.
    pub agents: Vec<UsageRow>,
    /// By model, the most expensive first, at most 50.
    pub models: Vec<UsageRow>,
    /// By tool, the most expensive and then the most used first, at most 50.
    pub tools: Vec<UsageRow>,
    /// By person who ran agents or called tools, the most expensive first, at most 50.
    #[serde(default)]
    pub people: Vec<UsageRow>,
}

/// One call of a model or a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageCall {
    /// The id.
    pub id: StepId,
    /// When it ended.
    pub time: Timestamp,
    /// `model_call` or `tool_call`.
    pub kind: String,
    /// Who had it made.
    pub via: CallVia,
    /// The model's name, or the tool's with that of its server in front.
    pub target: String,
    /// The tool server, or `builtin`; `None` for models.
    pub server: Option<String>,
    /// The run that it was a step of.
    pub run_id: Option<RunId>,
    /// That run's agent.
    pub agent_id: Option<AgentId>,
    /// Who called, or asked the agent.
    pub author_id: UserId,
    /// Their e-mail address; empty if they are gone.
    pub author: String,
    /// Whether it failed.
    pub is_error: bool,
    /// Milliseconds that it took.
    pub duration_ms: u64,
    /// Tokens and money.
    #[serde(flatten)]
    pub usage: Usage,
}

/// Who has a call made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallVia {
    /// A run of an agent.
    Run,
    /// A client of the gateway.
    Gateway,
    /// A person who tries a tool on its page.
    Trial,
}

/// A part of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageRow {
    /// The day as `YYYY-MM-DD`, or the name of agent, model or tool.
    pub name: String,
    /// What it used up.
    #[serde(flatten)]
    pub sum: UsageSum,
}

/// What several calls used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageSum {
    /// Calls of models.
    pub model_calls: u64,
    /// Calls of tools.
    pub tool_calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Tokens and money.
    #[serde(flatten)]
    pub usage: Usage,
}

/// The ledger of the workspace.
#[async_trait]
pub trait Usages: Send + Sync {
    /// What was used up in the last `days` days, today included.
    ///
    /// # Errors
    /// `Invalid` for no day or more than [`MAX_DAYS`].
    async fn report_usage(&self, days: u32) -> Result<UsageReport, Error>;

    /// The ledger: every call, newest first. Calls without a run are in it a moment later.
    async fn list_usage_calls(&self, page: Page) -> Result<Paged<UsageCall>, Error>;
}

impl CallVia {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Gateway => "gateway",
            Self::Trial => "trial",
        }
    }
}

impl FromStr for CallVia {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Run, Self::Gateway, Self::Trial]
            .into_iter()
            .find(|via| via.as_str() == text)
            .ok_or_else(|| format!("nothing is called by {text:?}"))
    }
}

/// Checks the length of a report.
///
/// # Errors
/// `Invalid`.
pub fn check_days(days: u32) -> Result<(), Error> {
    let mut errors = FieldErrors::default();
    if !(1..=MAX_DAYS).contains(&days) {
        errors.push("days", format!("must be between 1 and {MAX_DAYS}"));
    }
    errors.finish()
}

impl UsageReport {
    /// A part of it by its name: `days`, `agents`, `models`, `tools` or `people`.
    pub fn part(&self, name: &str) -> Option<&[UsageRow]> {
        Some(match name {
            "days" => &self.days,
            "agents" => &self.agents,
            "models" => &self.models,
            "tools" => &self.tools,
            "people" => &self.people,
            _ => return None,
        })
    }
}

/// Rows as comma-separated values with a heading; `what` heads their names.
pub fn rows_csv(what: &str, rows: &[UsageRow]) -> String {
    let mut csv = format!("{what},model_calls,tool_calls,errors,{USAGE_HEADING}\n");
    for UsageRow { name, sum } in rows {
        csv.push_str(&format!(
            "{},{},{},{},{}\n",
            csv_text(name),
            sum.model_calls,
            sum.tool_calls,
            sum.errors,
            usage_csv(&sum.usage)
        ));
    }
    csv
}

/// Calls as comma-separated values with a heading.
pub fn calls_csv(calls: &[UsageCall]) -> String {
    let mut csv =
        format!("time,kind,via,server,target,run_id,author,is_error,duration_ms,{USAGE_HEADING}\n");
    for call in calls {
        csv.push_str(&format!(
            "{},{},{},{},{},{},{},{},{},{}\n",
            call.time,
            call.kind,
            call.via.as_str(),
            csv_text(call.server.as_deref().unwrap_or_default()),
            csv_text(&call.target),
            call.run_id.map(|id| id.to_string()).unwrap_or_default(),
            csv_text(&call.author),
            call.is_error,
            call.duration_ms,
            usage_csv(&call.usage)
        ));
    }
    csv
}

const USAGE_HEADING: &str =
    "input_tokens,output_tokens,cost_usd_micros,cached_input_tokens,cache_written_tokens";

fn usage_csv(usage: &Usage) -> String {
    format!(
        "{},{},{},{},{}",
        usage.input_tokens,
        usage.output_tokens,
        usage.cost_usd_micros,
        usage.cached_input_tokens,
        usage.cache_written_tokens
    )
}

/// A field that is text, and nothing that a spreadsheet would calculate.
fn csv_text(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => format!("{guard}{text}"),
    }
}
