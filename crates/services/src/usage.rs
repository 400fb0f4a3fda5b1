//! The ledger of the workspace.

use async_trait::async_trait;
use domain::usage::{UsageCall, UsageReport, UsageRow, UsageSum, Usages, check_days};
use domain::{Action, Error, Page, Paged};

use crate::fault::OrFault;
use crate::{Session, mint};

#[async_trait]
impl Usages for Session {
    async fn report_usage(&self, days: u32) -> Result<UsageReport, Error> {
        check_days(days)?;
        let mut tx = self.begin_reading(Action::Read).await?;
        let now = mint::now();
        let first = now.date_time().date() - time::Duration::days(i64::from(days) - 1);
        let since = first.midnight().assume_utc().into();
        let days = tx.sum_usage_by_day(since, now).await.or_fault()?;
        Ok(UsageReport {
            total: days.iter().fold(UsageSum::default(), add),
            agents: tx.sum_usage_by_agent(since).await.or_fault()?,
            models: tx
                .sum_usage_by_target("model_call", since)
                .await
                .or_fault()?,
            tools: tx
                .sum_usage_by_target("tool_call", since)
                .await
                .or_fault()?,
            people: tx.sum_usage_by_person(since).await.or_fault()?,
            days,
        })
    }

    async fn list_usage_calls(&self, page: Page) -> Result<Paged<UsageCall>, Error> {
        let mut tx = self.begin_reading(Action::Read).await?;
        tx.list_usage_calls(&page).await.or_fault()
    }
}

fn add(mut sum: UsageSum, row: &UsageRow) -> UsageSum {
    sum.model_calls += row.sum.model_calls;
    sum.tool_calls += row.sum.tool_calls;
    sum.errors += row.sum.errors;
    sum.usage.input_tokens += row.sum.usage.input_tokens;
    sum.usage.output_tokens += row.sum.usage.output_tokens;
    sum.usage.cost_usd_micros += row.sum.usage.cost_usd_micros;
    sum.usage.cached_input_tokens += row.sum.usage.cached_input_tokens;
    sum.usage.cache_written_tokens += row.sum.usage.cache_written_tokens;
    sum
}
