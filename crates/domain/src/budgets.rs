//! What a workspace or an agent may spend; the model call that would be too much is refused.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::{Duration, Time};

use crate::{AgentId, BudgetId, Error, FieldErrors, Page, Paged, Timestamp};

/// Largest limit: a billion dollars.
pub const MAX_LIMIT_USD_MICROS: u64 = 1_000_000_000_000_000;
/// Part of a budget, in percent, after which people are warned.
pub const WARNING_PERCENT: u64 = 80;

/// What may be spent, and what was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Budget {
    /// The id.
    pub id: BudgetId,
    /// Whose it is; `None` is the whole workspace.
    pub agent_id: Option<AgentId>,
    /// That agent's name.
    pub agent_name: Option<String>,
    /// How often it begins anew.
    pub period: BudgetPeriod,
    /// What may be spent in one period.
    pub limit_usd_micros: u64,
    /// What was spent since the period began.
    pub spent_usd_micros: u64,
    /// What calls under way may cost at most.
    pub reserved_usd_micros: u64,
    /// When the current period ends.
    pub renews_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How often a budget begins anew; all in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    /// At midnight.
    Day,
    /// On the first of the month.
    Month,
}

/// Input for a new budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateBudget {
    /// Whose it is; `None` is the whole workspace.
    #[serde(default)]
    pub agent_id: Option<AgentId>,
    /// How often it begins anew.
    pub period: BudgetPeriod,
    /// What may be spent in one period, at least 1.
    pub limit_usd_micros: u64,
}

/// Changes of a budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateBudget {
    /// What may be spent in one period, at least 1.
    pub limit_usd_micros: u64,
}

/// The workspace's budgets.
#[async_trait]
pub trait Budgets: Send + Sync {
    /// Lists the budgets, newest first.
    async fn list_budgets(&self, page: Page) -> Result<Paged<Budget>, Error>;

    /// One budget.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get_budget(&self, id: BudgetId) -> Result<Budget, Error>;

    /// Sets a budget. It counts what was spent before, too.
    ///
    /// # Errors
    /// `Invalid`; `Conflict` if there is one for the same agent and period.
    async fn create_budget(&self, input: CreateBudget) -> Result<Budget, Error>;

    /// Changes a limit.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`.
    async fn update_budget(&self, id: BudgetId, input: UpdateBudget) -> Result<Budget, Error>;

    /// Lifts a budget.
    ///
    /// # Errors
    /// `NotFound`.
    async fn delete_budget(&self, id: BudgetId) -> Result<(), Error>;
}

impl BudgetPeriod {
    /// Every period, in the order of the form.
    pub const ALL: [Self; 2] = [Self::Month, Self::Day];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// When the period around `now` began.
    pub fn start(self, now: Timestamp) -> Timestamp {
        let now = now.date_time();
        let date = match self {
            Self::Day => now.date(),
            Self::Month => now.date() - Duration::days(i64::from(now.day()) - 1),
        };
        date.with_time(Time::MIDNIGHT).assume_utc().into()
    }

    /// When the period around `now` ends.
    pub fn end(self, now: Timestamp) -> Timestamp {
        let within_next = match self {
            Self::Day => self.start(now).date_time() + Duration::days(1),
            Self::Month => self.start(now).date_time() + Duration::days(31),
        };
        self.start(within_next.into())
    }
}

impl fmt::Display for BudgetPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BudgetPeriod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|period| period.as_str() == text)
            .ok_or_else(|| format!("no period is called {text:?}"))
    }
}

impl CreateBudget {
    /// Checks every field.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn validate(&self) -> Result<(), Error> {
        check_limit(self.limit_usd_micros)
    }
}

impl UpdateBudget {
    /// Checks every field.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn validate(&self) -> Result<(), Error> {
        check_limit(self.limit_usd_micros)
    }
}

fn check_limit(limit: u64) -> Result<(), Error> {
    let mut errors = FieldErrors::default();
    if !(1..=MAX_LIMIT_USD_MICROS).contains(&limit) {
        errors.push(
            "limit_usd_micros",
            "must be more than nothing and at most a billion dollars",
        );
    }
    errors.finish()
}

/// An amount for people: to the cent, or as exactly as it takes.
pub fn dollars(usd_micros: u64) -> String {
    let fraction = format!("{:06}", usd_micros % 1_000_000);
    let shown = fraction.trim_end_matches('0').len().max(2);
    format!("${}.{}", usd_micros / 1_000_000, &fraction[..shown])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_at_midnight_utc() {
        let at = |text: &str| -> Timestamp { serde_json::from_value(text.into()).expect("a time") };
        for (now, day, next_day, month, next_month) in [
            (
                "2026-02-28T23:59:59.999Z",
                "2026-02-28T00:00:00.000Z",
                "2026-03-01T00:00:00.000Z",
                "2026-02-01T00:00:00.000Z",
                "2026-03-01T00:00:00.000Z",
            ),
            (
                "2026-12-31T12:00:00.000Z",
                "2026-12-31T00:00:00.000Z",
                "2027-01-01T00:00:00.000Z",
                "2026-12-01T00:00:00.000Z",
                "2027-01-01T00:00:00.000Z",
            ),
        ] {
            assert_eq!(BudgetPeriod::Day.start(at(now)), at(day));
            assert_eq!(BudgetPeriod::Day.end(at(now)), at(next_day));
            assert_eq!(BudgetPeriod::Month.start(at(now)), at(month));
            assert_eq!(BudgetPeriod::Month.end(at(now)), at(next_month));
        }
    }
}
