//! Server functions of the usage page.

use domain::budgets::BudgetPeriod;
use domain::usage::UsageReport;
use domain::{BudgetId, Cursor, Error};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pages::settings::Entry;
#[cfg(feature = "ssr")]
use crate::{money::micros, pages::models::dollars, time::until};
#[cfg(feature = "ssr")]
use domain::{
    Page, Timestamp,
    agents::AgentFilter,
    budgets::{Budget, CreateBudget as NewBudget, UpdateBudget},
};

/// What was used up in the last days.
#[server]
pub async fn get_usage(days: u32) -> Result<UsageReport, Error> {
    crate::context::platform()?.report_usage(days).await
}

/// Budgets, and agents that could have one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BudgetList {
    /// The budgets; the state is the part that is spent or set aside, in percent.
    pub budgets: Vec<Entry>,
    /// Ids and names of the newest hundred agents.
    pub agents: Vec<(String, String)>,
    /// Where the next page begins.
    pub next: Option<Cursor>,
}

/// A page of budgets, newest first.
#[server]
pub async fn list_budgets(after: Option<String>) -> Result<BudgetList, Error> {
    let platform = crate::context::platform()?;
    let budgets = platform.list_budgets(Page::new(None, after)?).await?;
    let agents = platform
        .list_agents(AgentFilter::default(), Page::first(100))
        .await?;
    let now = crate::context::now();
    Ok(BudgetList {
        budgets: budgets
            .items
            .into_iter()
            .map(|budget| entry(budget, now))
            .collect(),
        agents: agents
            .items
            .into_iter()
            .map(|agent| (agent.id.to_string(), agent.name))
            .collect(),
        next: budgets.next,
    })
}

/// In place of an agent's id: the budget is for everything.
pub const WHOLE_WORKSPACE: &str = "workspace";

/// Sets a budget of so many dollars, for an agent or [`WHOLE_WORKSPACE`].
#[server]
pub async fn create_budget(
    agent_id: String,
    period: BudgetPeriod,
    limit: String,
) -> Result<(), Error> {
    let platform = crate::context::platform()?;
    let agent_id =
        match agent_id.as_str() {
            WHOLE_WORKSPACE => None,
            id => Some(id.parse().map_err(|_| {
                Error::invalid("agent_id", "there is no such agent in this workspace")
            })?),
        };
    let input = NewBudget {
        agent_id,
        period,
        limit_usd_micros: parse_limit(&limit)?,
    };
    platform.create_budget(input).await.map_err(at_limit)?;
    Ok(())
}

/// Changes a budget's limit, in dollars.
#[server]
pub async fn change_budget(id: BudgetId, limit: String) -> Result<(), Error> {
    let platform = crate::context::platform()?;
    let input = UpdateBudget {
        limit_usd_micros: parse_limit(&limit)?,
    };
    platform.update_budget(id, input).await.map_err(at_limit)?;
    Ok(())
}

/// Lifts a budget.
#[server]
pub async fn delete_budget(id: BudgetId) -> Result<(), Error> {
    crate::context::platform()?.delete_budget(id).await
}

#[cfg(feature = "ssr")]
fn parse_limit(text: &str) -> Result<u64, Error> {
    micros(text).ok_or_else(|| Error::invalid("limit", "must be an amount such as 25.00"))
}

/// Errors of the form name its own field.
#[cfg(feature = "ssr")]
fn at_limit(mut error: Error) -> Error {
    if let Error::Invalid { fields } = &mut error {
        for field in fields
            .iter_mut()
            .filter(|it| it.field == "limit_usd_micros")
        {
            field.field = "limit".to_owned();
        }
    }
    error
}

#[cfg(feature = "ssr")]
fn entry(budget: Budget, now: Timestamp) -> Entry {
    let used = budget.spent_usd_micros + budget.reserved_usd_micros;
    let percent = u128::from(used) * 100 / u128::from(budget.limit_usd_micros.max(1));
    let kind = match budget.agent_id {
        Some(_) => "agent, ",
        None => "",
    };
    Entry {
        id: budget.id.to_string(),
        title: budget
            .agent_name
            .unwrap_or_else(|| "Whole workspace".to_owned()),
        note: format!(
            "{kind}per {} · renews {}",
            budget.period,
            until(budget.renews_at, now)
        ),
        detail: format!(
            "{} of {}",
            dollars(budget.spent_usd_micros),
            dollars(budget.limit_usd_micros)
        ),
        state: percent.to_string(),
        ..Entry::default()
    }
}
