//! What lists and pages show of runs.

use domain::runs::{Run, RunError, RunStep, RunSummary, Usage};
use domain::{Cursor, Page, Paged, RunId};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Result;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;

struct RunRow {
    id: Uuid,
    conversation_id: Uuid,
    title: String,
    agent_id: Uuid,
    agent_name: String,
    agent_version: i32,
    status: String,
    attempt: i32,
    input_tokens: i64,
    output_tokens: i64,
    cost_usd_micros: i64,
    cached_input_tokens: i64,
    cache_written_tokens: i64,
    error: Option<Json<RunError>>,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
}

impl TenantTx {
    /// Runs, newest first.
    pub async fn list_runs(&mut self, page: &Page) -> Result<Paged<RunSummary>> {
        let after = parse_cursor(page)?;
        let rows = sqlx::query_as!(
            RunRow,
            r#"select r.id, r.conversation_id, c.title, r.agent_id,
                 v.config->>'name' as "agent_name!", r.agent_version, r.status, r.attempt,
                 r.input_tokens, r.output_tokens, r.cost_usd_micros, r.cached_input_tokens,
                 r.cache_written_tokens,
                 r.error as "error: Json<RunError>", r.created_at, r.started_at, r.finished_at
               from runs r
               join conversations c on c.workspace_id = r.workspace_id and c.id = r.conversation_id
               join agent_versions v on v.workspace_id = r.workspace_id and v.agent_id = r.agent_id
                 and v.version = r.agent_version
               where r.workspace_id = $1 and ($2::uuid is null or r.id < $2)
               order by r.id desc limit $3"#,
            self.workspace_id().uuid(),
            after,
            i64::from(page.limit) + 1
        )
        .fetch_all(self.connection())
        .await?;
        let runs = rows
            .into_iter()
            .map(RunRow::into_summary)
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(runs, page.limit, |run: &RunSummary| {
            Cursor(run.id.to_string())
        }))
    }

    /// One run with its journal.
    pub async fn find_run(&mut self, id: RunId) -> Result<Option<Run>> {
        let row = sqlx::query_as!(
            RunRow,
            r#"select r.id, r.conversation_id, c.title, r.agent_id,
                 v.config->>'name' as "agent_name!", r.agent_version, r.status, r.attempt,
                 r.input_tokens, r.output_tokens, r.cost_usd_micros, r.cached_input_tokens,
                 r.cache_written_tokens,
                 r.error as "error: Json<RunError>", r.created_at, r.started_at, r.finished_at
               from runs r
               join conversations c on c.workspace_id = r.workspace_id and c.id = r.conversation_id
               join agent_versions v on v.workspace_id = r.workspace_id and v.agent_id = r.agent_id
                 and v.version = r.agent_version
               where r.workspace_id = $1 and r.id = $2"#,
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Run {
            summary: row.into_summary()?,
            steps: self.list_run_steps(id).await?,
        }))
    }

    async fn list_run_steps(&mut self, id: RunId) -> Result<Vec<RunStep>> {
        let rows = sqlx::query!(
            r#"select id, number, kind, attempt, status, target, input_tokens, output_tokens,
                 cost_usd_micros, cached_input_tokens, cache_written_tokens, error as "error: Json<RunError>",
                 started_at, finished_at
               from run_steps where workspace_id = $1 and run_id = $2
               order by number limit 1000"#,
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(RunStep {
                    id: row.id.into(),
                    number: row.number as u32,
                    kind: row.kind.parse().map_err(unreadable)?,
                    attempt: row.attempt as u32,
                    status: row.status.parse().map_err(unreadable)?,
                    target: row.target,
                    usage: Usage {
                        input_tokens: row.input_tokens as u64,
                        output_tokens: row.output_tokens as u64,
                        cost_usd_micros: row.cost_usd_micros as u64,
                        cached_input_tokens: row.cached_input_tokens as u64,
                        cache_written_tokens: row.cache_written_tokens as u64,
                    },
                    error: row.error.map(|error| error.0),
                    started_at: row.started_at.into(),
                    finished_at: row.finished_at.map(Into::into),
                })
            })
            .collect()
    }
}

impl RunRow {
    fn into_summary(self) -> Result<RunSummary> {
        Ok(RunSummary {
            id: self.id.into(),
            conversation_id: self.conversation_id.into(),
            conversation_title: self.title,
            agent_id: self.agent_id.into(),
            agent_name: self.agent_name,
            agent_version: self.agent_version as u32,
            status: self.status.parse().map_err(unreadable)?,
            attempt: self.attempt as u32,
            usage: Usage {
                input_tokens: self.input_tokens as u64,
                output_tokens: self.output_tokens as u64,
                cost_usd_micros: self.cost_usd_micros as u64,
                cached_input_tokens: self.cached_input_tokens as u64,
                cache_written_tokens: self.cache_written_tokens as u64,
            },
            error: self.error.map(|error| error.0),
            created_at: self.created_at.into(),
            started_at: self.started_at.map(Into::into),
            finished_at: self.finished_at.map(Into::into),
        })
    }
}

pub(crate) fn unreadable(error: String) -> anyhow::Error {
    anyhow::anyhow!(error)
}
