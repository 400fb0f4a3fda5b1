//! Stopping runs: asking the worker that has one, or ending one that nobody has.

use domain::{ConversationId, MessageId, RunId, Timestamp};

use crate::Result;
use crate::database::TenantTx;
use crate::events::{EventColumns, LoggedEvent, NewEvent};

/// A run that waits in the queue and has done nothing yet.
#[derive(Clone, Copy, Debug)]
pub struct UntouchedRun {
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The message that its answer would be.
    pub answer_id: MessageId,
}

impl TenantTx {
    /// Asks a run to stop; `false` if it has ended or does not exist. One that waits for people
    /// goes back to the queue, to be ended.
    pub async fn request_cancellation(&mut self, id: RunId) -> Result<bool> {
        let done = sqlx::query!(
            "update runs set cancel_requested_at = coalesce(cancel_requested_at, now()),
               status = case when status = 'waiting' then 'queued' else status end
             where workspace_id = $1 and id = $2 and status in ('queued', 'running', 'waiting')",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes a run out of the queue for good if no worker ever began it; it ends as cancelled.
    pub async fn cancel_untouched(
        &mut self,
        id: RunId,
        now: Timestamp,
    ) -> Result<Option<UntouchedRun>> {
        let row = sqlx::query!(
            "update runs set status = 'cancelled', cancel_requested_at = $3, finished_at = $3
             where workspace_id = $1 and id = $2 and status = 'queued' and started_at is null
             returning conversation_id, answer_id",
            self.workspace_id().uuid(),
            id.uuid(),
            now.date_time()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| UntouchedRun {
            conversation_id: row.conversation_id.into(),
            answer_id: row.answer_id.into(),
        }))
    }

    /// Writes the answer that a run of [`TenantTx::cancel_untouched`] did not give, empty, and the
    /// events of its end, of which the first is the answer's.
    pub async fn log_untouched(
        &mut self,
        run_id: RunId,
        untouched: UntouchedRun,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Vec<LoggedEvent>> {
        let columns = EventColumns::new(events);
        let conversation_id = untouched.conversation_id;
        let last_seq = sqlx::query_scalar!(
            "with log as (
               update conversations set last_seq = last_seq + $4
               where workspace_id = $1 and id = $3
               returning last_seq
             ), answer as (
               insert into messages
                 (id, workspace_id, conversation_id, run_id, role, text, finish_reason, position,
                  created_at)
               select $9, $1, $3, $2, 'assistant', '', 'cancelled', log.last_seq - $4 + 1, $5
               from log
             ), written as (
               insert into events (workspace_id, conversation_id, seq, id, run_id, type, time, data)
               select $1, $3, log.last_seq - $4 + new.number, new.id, $2, new.type, $5, new.data::json
               from log, unnest($6::uuid[], $7::text[], $8::text[])
                 with ordinality as new (id, type, data, number)
             )
             select last_seq from log",
            self.workspace_id().uuid(),
            run_id.uuid(),
            conversation_id.uuid(),
            events.len() as i64,
            now.date_time(),
            &columns.ids,
            &columns.kinds,
            &columns.data,
            untouched.answer_id.uuid()
        )
        .fetch_one(self.connection())
        .await?;
        Ok(columns.into_logged(last_seq, conversation_id, run_id, now))
    }
}
