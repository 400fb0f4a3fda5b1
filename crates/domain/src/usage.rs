//! What model and tool calls used up.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::runs::Usage;
use crate::{Error, FieldErrors};

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
    /// By tool, the most used first, at most 50.
    pub tools: Vec<UsageRow>,
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
    /// The days as comma-separated values with a heading.
    pub fn days_csv(&self) -> String {
        let mut csv = String::from(
            "day,model_calls,tool_calls,errors,input_tokens,output_tokens,cost_usd_micros,\
             cached_input_tokens,cache_written_tokens\n",
        );
        for UsageRow { name, sum } in &self.days {
            csv.push_str(&format!(
                "{name},{},{},{},{},{},{},{},{}\n",
                sum.model_calls,
                sum.tool_calls,
                sum.errors,
                sum.usage.input_tokens,
                sum.usage.output_tokens,
                sum.usage.cost_usd_micros,
                sum.usage.cached_input_tokens,
                sum.usage.cache_written_tokens
            ));
        }
        csv
    }
}
