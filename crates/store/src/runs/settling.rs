//! Tool calls that nobody waits for any more: their steps end, and what they cost is booked.

use domain::runs::{StepStatus, Usage};
use domain::{RunId, Timestamp};
use uuid::Uuid;

use super::Lease;
use crate::Result;
use crate::database::TenantTx;

impl TenantTx {
    /// Books the tool calls that a dead worker had under way: each was sent, as far as one can tell,
    /// and may be made again, which costs again. `lines` are ids for their lines in the ledger, no
    /// fewer than there are calls. Gives what they cost.
    pub async fn book_interrupted_calls(
        &mut self,
        lease: &Lease,
        lines: &[Uuid],
        now: Timestamp,
    ) -> Result<u64> {
        self.end_call_steps(lease.run_id, StepStatus::Abandoned, lines, now)
            .await
    }

    /// Ends what is left of a run between two messages: open calls with their steps, which are paid
    /// whatever became of them, and open questions. Gives what the whole run used up.
    ///
    /// # Errors
    /// `LeaseLost`; nothing is written then.
    pub async fn close_calls(&mut self, lease: &Lease, now: Timestamp) -> Result<Usage> {
        self.hold(lease).await?;
        self.end_call_steps(lease.run_id, StepStatus::Failed, &[], now)
            .await?;
        sqlx::query!(
            "with calls as (
               update tool_calls set status = 'completed', is_error = true, finished_at = $3,
                 result = 'the run ended before this call did'
               where workspace_id = $1 and run_id = $2 and status <> 'completed'
             )
             update approvals set status = 'expired', decided_at = $3
             where workspace_id = $1 and run_id = $2 and status = 'pending'",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        let (_, total) = self.sum_calls(lease.run_id).await?;
        Ok(total)
    }

    /// Books the model call that is under way in a run, if there is one, without ending its step.
    pub(crate) async fn book_broken_model_call(
        &mut self,
        run_id: RunId,
        used: Usage,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "insert into usage_entries
               (id, workspace_id, time, run_id, agent_id, author_id, kind, target, is_error,
                input_tokens, output_tokens, cost_usd_micros, duration_ms)
             select s.id, $1, $3, $2, runs.agent_id, runs.author_id, s.kind, s.target, true, $4, $5,
               $6, extract(epoch from $3 - s.started_at) * 1000
             from run_steps s join runs on runs.workspace_id = $1 and runs.id = $2
             where s.workspace_id = $1 and s.run_id = $2 and s.kind = 'model_call'
               and s.status = 'started'",
            self.workspace_id().uuid(),
            run_id.uuid(),
            now.date_time(),
            used.input_tokens as i64,
            used.output_tokens as i64,
            used.cost_usd_micros as i64
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Ends the steps of a run's tool calls that are under way; gives what they cost: what was set
    /// aside for each, or else its tool's price. A line of the ledger without an id of its own has
    /// the call's.
    pub(crate) async fn end_call_steps(
        &mut self,
        run_id: RunId,
        status: StepStatus,
        lines: &[Uuid],
        now: Timestamp,
    ) -> Result<u64> {
        let cost = sqlx::query_scalar!(
            r#"with open as (
               select s.number, s.id, s.target, s.started_at, c.server,
                 coalesce(r.amount_usd_micros, m.call_price_usd_micros, 0) as cost,
                 row_number() over (order by s.number) as place
               from run_steps s
               left join tool_calls c on c.workspace_id = $1 and c.id = s.id
               left join mcp_servers m on m.workspace_id = $1 and m.id = c.server_id
               left join call_reservations r on r.workspace_id = $1 and r.call_id = s.id
               where s.workspace_id = $1 and s.run_id = $2 and s.kind = 'tool_call'
                 and s.status = 'started'
             ), ended as (
               update run_steps s set status = $3, finished_at = $4, cost_usd_micros = open.cost
               from open
               where s.workspace_id = $1 and s.run_id = $2 and s.number = open.number
                 and s.status = 'started'
               returning open.*
             ), settled as (
               delete from call_reservations r using ended
               where r.workspace_id = $1 and r.call_id = ended.id
             ), used as (
               insert into usage_entries
                 (id, workspace_id, time, run_id, agent_id, author_id, kind, target, server,
                  is_error, input_tokens, output_tokens, cost_usd_micros, duration_ms)
               select coalesce(line.id, ended.id), $1, $4, $2, runs.agent_id, runs.author_id,
                 'tool_call', ended.target, ended.server, true, 0, 0, ended.cost,
                 extract(epoch from $4 - ended.started_at) * 1000
               from ended join runs on runs.workspace_id = $1 and runs.id = $2
               left join unnest($5::uuid[]) with ordinality as line (id, place)
                 on line.place = ended.place
             )
             select coalesce(sum(cost), 0)::bigint as "cost!" from ended"#,
            self.workspace_id().uuid(),
            run_id.uuid(),
            status.as_str(),
            now.date_time(),
            lines
        )
        .fetch_one(self.connection())
        .await?;
        Ok(cost as u64)
    }
}
