//! Intent before acting, outcome after.

use domain::events::FinishReason;
use domain::runs::{RunError, RunStatus, StepStatus, Usage};
use domain::{MessageId, StepId, Timestamp};
use sqlx::types::Json;

use super::{ClaimedRun, Lease};
use crate::database::TenantTx;
use crate::events::{LoggedEvent, NewEvent};
use crate::{Error, Result};

/// A step about to be taken.
#[derive(Clone, Copy, Debug)]
pub struct NewStep<'a> {
    /// The id.
    pub id: StepId,
    /// What is called: the model's name.
    pub target: &'a str,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// The message that the answer is.
    pub answer_id: MessageId,
    /// A final status.
    pub status: RunStatus,
    /// The answer as far as it came.
    pub text: &'a str,
    /// How the answer ended.
    pub finish_reason: FinishReason,
    /// What it used up.
    pub usage: Usage,
    /// Why it failed.
    pub error: Option<&'a RunError>,
    /// When.
    pub now: Timestamp,
}

impl TenantTx {
    /// Writes the beginning of a claimed run's attempt: events, the answer's row if this is the
    /// first attempt, dead steps marked abandoned, and the new step.
    ///
    /// The last event must be the answer's `message_created` on the first attempt.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn begin_attempt(
        &mut self,
        claimed: &ClaimedRun,
        step: NewStep<'_>,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Vec<LoggedEvent>> {
        let logged = self.append_events(&claimed.lease, events, now).await?;
        let position = logged.last().map_or(0, |event| event.seq as i64);
        let has_answer = claimed.attempt > 1 && !self.is_answer_missing(claimed).await?;
        if !has_answer {
            sqlx::query!(
                "insert into messages
                   (id, workspace_id, conversation_id, run_id, role, text, position, created_at)
                 values ($1, $2, $3, $4, 'assistant', '', $5, $6)",
                claimed.answer_id.uuid(),
                self.workspace_id().uuid(),
                claimed.lease.conversation_id.uuid(),
                claimed.lease.run_id.uuid(),
                position,
                now.date_time()
            )
            .execute(self.connection())
            .await?;
        }
        sqlx::query!(
            "with dead as (
               update run_steps set status = 'abandoned', finished_at = $3
               where workspace_id = $1 and run_id = $2 and status = 'started'
             )
             insert into run_steps
               (id, workspace_id, run_id, number, kind, attempt, status, target, started_at)
             select $4, $1, $2, coalesce(max(number), 0) + 1, 'model_call', $5, 'started', $6, $3
             from run_steps where workspace_id = $1 and run_id = $2",
            self.workspace_id().uuid(),
            claimed.lease.run_id.uuid(),
            now.date_time(),
            step.id.uuid(),
            claimed.attempt as i32,
            step.target
        )
        .execute(self.connection())
        .await?;
        Ok(logged)
    }

    /// Whether a claimed run's answer has no row yet, because its worker died before writing it.
    pub async fn is_answer_missing(&mut self, claimed: &ClaimedRun) -> Result<bool> {
        let is_missing = sqlx::query_scalar!(
            r#"select not exists (
                 select from messages where workspace_id = $1 and id = $2
               ) as "is_missing!""#,
            self.workspace_id().uuid(),
            claimed.answer_id.uuid()
        )
        .fetch_one(self.connection())
        .await?;
        Ok(is_missing)
    }

    /// Ends a run: last events, the answer's text, the step's outcome, the final status.
    ///
    /// # Errors
    /// `LeaseLost`; nothing is written then.
    pub async fn end_run(
        &mut self,
        lease: &Lease,
        ending: &Ending<'_>,
        events: &[NewEvent],
    ) -> Result<Vec<LoggedEvent>> {
        let logged = self.append_events(lease, events, ending.now).await?;
        let step_status = match ending.error {
            Some(_) => StepStatus::Failed,
            None => StepStatus::Completed,
        };
        let ended = sqlx::query!(
            "with answer as (
               update messages set text = $4, finish_reason = $5
               where workspace_id = $1 and id = $13
             ), step as (
               update run_steps set status = $6, input_tokens = $7, output_tokens = $8,
                 error = $9, finished_at = $10
               where workspace_id = $1 and run_id = $2 and status = 'started'
             )
             update runs set status = $11, input_tokens = $7, output_tokens = $8,
               cost_usd_micros = $12, error = $9, finished_at = $10, lease_owner = null,
               lease_expires_at = null
             where workspace_id = $1 and id = $2 and fence = $3 and status = 'running'",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            lease.fence,
            ending.text,
            ending.finish_reason.as_str(),
            step_status.as_str(),
            ending.usage.input_tokens as i64,
            ending.usage.output_tokens as i64,
            ending.error.map(Json) as _,
            ending.now.date_time(),
            ending.status.as_str(),
            ending.usage.cost_usd_micros as i64,
            ending.answer_id.uuid()
        )
        .execute(self.connection())
        .await?;
        if ended.rows_affected() == 0 {
            return Err(Error::LeaseLost);
        }
        Ok(logged)
    }
}
