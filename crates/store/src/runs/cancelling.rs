//! Stopping runs: asking the worker that has one, or ending one that nobody has.

use domain::runs::RunStatus;
use domain::{ConversationId, MessageId, RunId, Timestamp};

use crate::Result;
use crate::database::TenantTx;
use crate::events::{LoggedEvent, NewEvent};

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
        let conversation_id = untouched.conversation_id;
        let logged = self
            .append_while(
                &[RunStatus::Cancelled],
                conversation_id,
                run_id,
                events,
                now,
            )
            .await?;
        let position = logged.first().map_or(0, |event| event.seq as i64);
        sqlx::query!(
            "insert into messages
               (id, workspace_id, conversation_id, run_id, role, text, finish_reason, position,
                created_at)
             values ($1, $2, $3, $4, 'assistant', '', 'cancelled', $5, $6)",
            untouched.answer_id.uuid(),
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            run_id.uuid(),
            position,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(logged)
    }
}
