//! The ledger of model and tool calls.

use domain::runs::Usage;
use domain::usage::{UsageCall, UsageRow, UsageSum};
use domain::{Cursor, Page, Paged, Timestamp};

use crate::Result;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;
use crate::runs::unreadable;

/// Rows of one part of a report.
const ROWS: i64 = 50;

struct SumRow {
    name: String,
    model_calls: i64,
    tool_calls: i64,
    errors: i64,
    input_tokens: i64,
    output_tokens: i64,
    cost_usd_micros: i64,
    cached_input_tokens: i64,
    cache_written_tokens: i64,
}

impl TenantTx {
    /// What was used up by day (UTC) from `since` to `until`, oldest first, empty days included.
    pub async fn sum_usage_by_day(
        &mut self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<UsageRow>> {
        let rows = sqlx::query_as!(
            SumRow,
            r#"select to_char(day, 'YYYY-MM-DD') as "name!",
                 count(u.id) filter (where kind = 'model_call') as "model_calls!",
                 count(u.id) filter (where kind = 'tool_call') as "tool_calls!",
                 count(u.id) filter (where is_error) as "errors!",
                 coalesce(sum(input_tokens), 0)::bigint as "input_tokens!",
                 coalesce(sum(output_tokens), 0)::bigint as "output_tokens!",
                 coalesce(sum(cost_usd_micros), 0)::bigint as "cost_usd_micros!",
                 coalesce(sum(cached_input_tokens), 0)::bigint as "cached_input_tokens!",
                 coalesce(sum(cache_written_tokens), 0)::bigint as "cache_written_tokens!"
               from generate_series(date_trunc('day', $2 at time zone 'UTC'),
                 date_trunc('day', $3 at time zone 'UTC'), interval '1 day') as day
               left join usage_entries u on u.workspace_id = $1
                 and u.time >= day at time zone 'UTC'
                 and u.time < (day + interval '1 day') at time zone 'UTC'
               group by day order by day"#,
            self.workspace_id().uuid(),
            since.date_time(),
            until.date_time()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(SumRow::into_row).collect())
    }

    /// What was used up since then, by agent, the most expensive first.
    pub async fn sum_usage_by_agent(&mut self, since: Timestamp) -> Result<Vec<UsageRow>> {
        let rows = sqlx::query_as!(
            SumRow,
            r#"select v.config->>'name' as "name!",
                 count(*) filter (where kind = 'model_call') as "model_calls!",
                 count(*) filter (where kind = 'tool_call') as "tool_calls!",
                 count(*) filter (where is_error) as "errors!",
                 sum(input_tokens)::bigint as "input_tokens!",
                 sum(output_tokens)::bigint as "output_tokens!",
                 sum(cost_usd_micros)::bigint as "cost_usd_micros!",
                 sum(cached_input_tokens)::bigint as "cached_input_tokens!",
                 sum(cache_written_tokens)::bigint as "cache_written_tokens!"
               from usage_entries u
               join agents a on a.workspace_id = u.workspace_id and a.id = u.agent_id
               join agent_versions v on v.workspace_id = a.workspace_id and v.agent_id = a.id
                 and v.version = a.version
               where u.workspace_id = $1 and u.time >= $2
               group by a.id, v.config->>'name'
               order by 7 desc, 2 desc, 1 limit $3"#,
            self.workspace_id().uuid(),
            since.date_time(),
            ROWS
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(SumRow::into_row).collect())
    }

    /// What was used up since then, by person, the most expensive first.
    pub async fn sum_usage_by_person(&mut self, since: Timestamp) -> Result<Vec<UsageRow>> {
        let rows = sqlx::query_as!(
            SumRow,
            r#"select coalesce(u.email, '') as "name!",
                 count(*) filter (where kind = 'model_call') as "model_calls!",
                 count(*) filter (where kind = 'tool_call') as "tool_calls!",
                 count(*) filter (where is_error) as "errors!",
                 sum(input_tokens)::bigint as "input_tokens!",
                 sum(output_tokens)::bigint as "output_tokens!",
                 sum(cost_usd_micros)::bigint as "cost_usd_micros!",
                 sum(cached_input_tokens)::bigint as "cached_input_tokens!",
                 sum(cache_written_tokens)::bigint as "cache_written_tokens!"
               from usage_entries e left join users u on u.id = e.author_id
               where e.workspace_id = $1 and e.time >= $2
               group by u.email
               order by 7 desc, 2 desc, 3 desc, 1 limit $3"#,
            self.workspace_id().uuid(),
            since.date_time(),
            ROWS
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(SumRow::into_row).collect())
    }

    /// Every call, newest first.
    pub async fn list_usage_calls(&mut self, page: &Page) -> Result<Paged<UsageCall>> {
        let after = parse_cursor(page)?;
        let rows = sqlx::query!(
            r#"select e.id, e.time, e.kind, e.via, e.target, e.server, e.run_id, e.agent_id,
                 e.author_id, coalesce(u.email, '') as "author!", e.is_error, e.duration_ms,
                 e.input_tokens, e.output_tokens, e.cost_usd_micros, e.cached_input_tokens,
                 e.cache_written_tokens
               from usage_entries e left join users u on u.id = e.author_id
               where e.workspace_id = $1 and ($2::uuid is null or e.id < $2)
               order by e.id desc limit $3"#,
            self.workspace_id().uuid(),
            after,
            i64::from(page.limit) + 1
        )
        .fetch_all(self.connection())
        .await?;
        let calls = rows
            .into_iter()
            .map(|row| {
                Ok(UsageCall {
                    id: row.id.into(),
                    time: row.time.into(),
                    kind: row.kind,
                    via: row.via.parse().map_err(unreadable)?,
                    target: row.target,
                    server: row.server,
                    run_id: row.run_id.map(Into::into),
                    agent_id: row.agent_id.map(Into::into),
                    author_id: row.author_id.into(),
                    author: row.author,
                    is_error: row.is_error,
                    duration_ms: row.duration_ms as u64,
                    usage: Usage {
                        input_tokens: row.input_tokens as u64,
                        output_tokens: row.output_tokens as u64,
                        cost_usd_micros: row.cost_usd_micros as u64,
                        cached_input_tokens: row.cached_input_tokens as u64,
                        cache_written_tokens: row.cache_written_tokens as u64,
                    },
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(calls, page.limit, |call: &UsageCall| {
            Cursor(call.id.to_string())
        }))
    }

    /// What was used up since then by model (`model_call`) or tool (`tool_call`).
    pub async fn sum_usage_by_target(
        &mut self,
        kind: &str,
        since: Timestamp,
    ) -> Result<Vec<UsageRow>> {
        let rows = sqlx::query_as!(
            SumRow,
            r#"select target as name,
                 count(*) filter (where kind = 'model_call') as "model_calls!",
                 count(*) filter (where kind = 'tool_call') as "tool_calls!",
                 count(*) filter (where is_error) as "errors!",
                 sum(input_tokens)::bigint as "input_tokens!",
                 sum(output_tokens)::bigint as "output_tokens!",
                 sum(cost_usd_micros)::bigint as "cost_usd_micros!",
                 sum(cached_input_tokens)::bigint as "cached_input_tokens!",
                 sum(cache_written_tokens)::bigint as "cache_written_tokens!"
               from usage_entries
               where workspace_id = $1 and time >= $2 and kind = $3
               group by target
               order by 7 desc, 2 desc, 3 desc, 1 limit $4"#,
            self.workspace_id().uuid(),
            since.date_time(),
            kind,
            ROWS
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(SumRow::into_row).collect())
    }
}

impl SumRow {
    fn into_row(self) -> UsageRow {
        UsageRow {
            name: self.name,
            sum: UsageSum {
                model_calls: self.model_calls as u64,
                tool_calls: self.tool_calls as u64,
                errors: self.errors as u64,
                usage: Usage {
                    input_tokens: self.input_tokens as u64,
                    output_tokens: self.output_tokens as u64,
                    cost_usd_micros: self.cost_usd_micros as u64,
                    cached_input_tokens: self.cached_input_tokens as u64,
                    cache_written_tokens: self.cache_written_tokens as u64,
                },
            },
        }
    }
}
