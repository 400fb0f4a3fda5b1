//! The end of a run, in one statement.

use domain::Timestamp;
use domain::runs::{RunError, RunStatus, StepStatus, Usage};
use sqlx::types::Json;

use super::{Lease, WholeMessage};
use crate::database::TenantTx;
use crate::events::EventColumns;
use crate::{Error, Result};

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// The message that ends with it.
    pub message: Option<WholeMessage<'a>>,
    /// A final status.
    pub status: RunStatus,
    /// What the whole run used up.
    pub usage: Usage,
    /// Why it failed.
    pub error: Option<&'a RunError>,
    /// When.
    pub now: Timestamp,
}

impl TenantTx {
    /// Ends a run: last events, the open message, the final status. The message gets its text from
    /// its `message_completed`. Between two messages [`TenantTx::close_calls`] comes first. Gives the
    /// number of the last event.
    ///
    /// # Errors
    /// `LeaseLost`; nothing is written then.
    pub async fn end_run(
        &mut self,
        lease: &Lease,
        ending: &Ending<'_>,
        events: &EventColumns,
    ) -> Result<i64> {
        // The message's text is sent once, in its event: it may be large.
        let completed = events
            .kinds
            .iter()
            .position(|kind| kind == "message_completed");
        let step_status = match ending.error {
            Some(_) => StepStatus::Failed,
            None => StepStatus::Completed,
        };
        let message = ending.message.as_ref();
        let step_usage = message.map(|message| message.usage).unwrap_or_default();
        // Gives the new end of the log, or no row if the fence does not hold. One statement, since
        // everybody who waits for the answer waits for it.
        sqlx::query_scalar!(
            "with ended as (
               update runs set status = $4, input_tokens = $5, output_tokens = $6,
                 cost_usd_micros = $7, cached_input_tokens = $24, cache_written_tokens = $25,
                 error = $8, finished_at = $9, lease_owner = null, lease_expires_at = null
               where workspace_id = $1 and id = $2 and fence = $3 and status = 'running'
               returning agent_id, author_id
             ), log as (
               update conversations set last_seq = last_seq + $10
               where workspace_id = $1 and id = $11 and exists (select from ended)
               returning last_seq
             ), written as (
               insert into events (workspace_id, conversation_id, seq, id, run_id, type, time, data)
               select $1, $11, log.last_seq - $10 + new.number, new.id, $2, new.type, $9,
                 new.data::json
               from log, unnest($12::uuid[], $13::text[], $14::text[])
                 with ordinality as new (id, type, data, number)
             ), message as (
               update messages set text = (($14::text[])[$16])::json->>'text', finish_reason = $17, reasoning = $18, carry = $19
               where workspace_id = $1 and id = $15 and exists (select from ended)
             ), step as (
               update run_steps set status = $20, input_tokens = $21, output_tokens = $22,
                 cost_usd_micros = $23, cached_input_tokens = $26, cache_written_tokens = $27,
                 error = $8, finished_at = $9, target = coalesce($28, target)
               where workspace_id = $1 and run_id = $2 and status = 'started'
                 and $15::uuid is not null and exists (select from ended)
               returning id, kind, target, started_at
             ), used as (
               insert into usage_entries
                 (id, workspace_id, time, run_id, agent_id, author_id, kind, target, is_error,
                  input_tokens, output_tokens, cost_usd_micros, cached_input_tokens,
                  cache_written_tokens, duration_ms)
               select step.id, $1, $9, $2, ended.agent_id, ended.author_id, step.kind, step.target,
                 $20 = 'failed', $21, $22, $23, $26, $27,
                 extract(epoch from $9 - step.started_at) * 1000
               from step, ended
             )
             select last_seq from log",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            lease.fence,
            ending.status.as_str(),
            ending.usage.input_tokens as i64,
            ending.usage.output_tokens as i64,
            ending.usage.cost_usd_micros as i64,
            ending.error.map(Json) as _,
            ending.now.date_time(),
            events.ids.len() as i64,
            lease.conversation_id.uuid(),
            &events.ids,
            &events.kinds,
            &events.data,
            message.map(|message| message.id.uuid()),
            completed.map(|index| index as i32 + 1),
            message.map(|message| message.finish_reason.as_str()),
            message.map(|message| message.reasoning),
            message.and_then(|message| message.carry),
            step_status.as_str(),
            step_usage.input_tokens as i64,
            step_usage.output_tokens as i64,
            step_usage.cost_usd_micros as i64,
            ending.usage.cached_input_tokens as i64,
            ending.usage.cache_written_tokens as i64,
            step_usage.cached_input_tokens as i64,
            step_usage.cache_written_tokens as i64,
            message.and_then(|message| message.answerer)
        )
        .fetch_optional(self.connection())
        .await?
        .ok_or(Error::LeaseLost)
    }
}
