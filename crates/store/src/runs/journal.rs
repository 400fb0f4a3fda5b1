//! Intent before acting, outcome after.

use domain::events::FinishReason;
use domain::runs::{StepStatus, Usage};
use domain::{CallId, MessageId, StepId, Timestamp};

use super::Lease;
use crate::Result;
use crate::approvals::NewApproval;
use crate::database::TenantTx;
use crate::events::{LoggedEvent, NewEvent};
use crate::tool_calls::{CallOutcome, StoredCall};

/// A step about to be taken.
#[derive(Clone, Copy, Debug)]
pub struct NewStep<'a> {
    /// The id.
    pub id: StepId,
    /// What is called: the model's name.
    pub target: &'a str,
}

/// What a run's next attempt begins with.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Which attempt it is.
    pub number: u32,
    /// The model call that it begins with; `None` if it goes on with tools.
    pub step: Option<NewStep<'a>>,
    /// The message that must be made; the last event is its `message_created`.
    pub new_message: Option<MessageId>,
    /// When.
    pub now: Timestamp,
}

/// A message that is whole.
#[derive(Clone, Copy, Debug)]
pub struct WholeMessage<'a> {
    /// The message.
    pub id: MessageId,
    /// Its text.
    pub text: &'a str,
    /// What the model thought before.
    pub reasoning: &'a str,
    /// What the provider wants to see again.
    pub carry: Option<&'a str>,
    /// How it ended.
    pub finish_reason: FinishReason,
    /// What it used up.
    pub usage: Usage,
    /// The model that it is of, if another than the step's may be.
    pub answerer: Option<&'a str>,
}

/// A tool call about to be made.
#[derive(Clone, Copy, Debug)]
pub struct StartedCall<'a> {
    /// The call; also the step's id.
    pub id: CallId,
    /// The tool's name as the model knows it.
    pub target: &'a str,
    /// Which attempt of the run makes it.
    pub attempt: u32,
}

impl TenantTx {
    /// Writes the beginning of a claimed run's attempt: events, the message if it has none that is
    /// open, dead steps marked abandoned, and the new step. `abandoned` is what a dead model call used
    /// up, if one was under way.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn begin_attempt(
        &mut self,
        lease: &Lease,
        attempt: Attempt<'_>,
        abandoned: Option<Usage>,
        events: &[NewEvent],
    ) -> Result<Vec<LoggedEvent>> {
        let logged = match events {
            [] => Vec::new(),
            events => self.append_events(lease, events, attempt.now).await?,
        };
        if let Some(id) = attempt.new_message {
            self.create_answer(lease, id, &logged, attempt.now).await?;
        }
        sqlx::query!(
            "with step as (
               update run_steps set status = 'abandoned', finished_at = $3,
                 input_tokens = coalesce($4::bigint, 0), output_tokens = coalesce($5::bigint, 0),
                 cost_usd_micros = coalesce($6::bigint, 0)
               where workspace_id = $1 and run_id = $2 and status = 'started'
               returning id, kind, target, started_at
             )
             insert into usage_entries
               (id, workspace_id, time, run_id, agent_id, author_id, kind, target, is_error,
                input_tokens, output_tokens, cost_usd_micros, duration_ms)
             select step.id, $1, $3, $2, runs.agent_id, runs.author_id, step.kind, step.target,
               true, $4, $5, $6, extract(epoch from $3 - step.started_at) * 1000
             from step join runs on runs.workspace_id = $1 and runs.id = $2
             where step.kind = 'model_call' and $4::bigint is not null",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            attempt.now.date_time(),
            abandoned.map(|usage| usage.input_tokens as i64),
            abandoned.map(|usage| usage.output_tokens as i64),
            abandoned.map(|usage| usage.cost_usd_micros as i64)
        )
        .execute(self.connection())
        .await?;
        if let Some(step) = attempt.step {
            self.create_step(lease, step.id.uuid(), "model_call", step.target, attempt)
                .await?;
        }
        Ok(logged)
    }

    /// Opens a run's next message and writes the intent to call the model; the last event is its
    /// `message_created`.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn begin_message(
        &mut self,
        lease: &Lease,
        id: MessageId,
        attempt: Attempt<'_>,
        events: &[NewEvent],
    ) -> Result<Vec<LoggedEvent>> {
        let logged = self.append_events(lease, events, attempt.now).await?;
        self.create_answer(lease, id, &logged, attempt.now).await?;
        if let Some(step) = attempt.step {
            self.create_step(lease, step.id.uuid(), "model_call", step.target, attempt)
                .await?;
        }
        Ok(logged)
    }

    /// Ends a message that asks for tools: its text, its step, its calls and their questions.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn end_asking_message(
        &mut self,
        lease: &Lease,
        message: WholeMessage<'_>,
        calls: &[StoredCall],
        approvals: &[NewApproval],
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Vec<LoggedEvent>> {
        let logged = self.append_events(lease, events, now).await?;
        self.close_message(lease, &message, now).await?;
        self.create_calls(lease, calls).await?;
        self.create_approvals(lease, approvals).await?;
        Ok(logged)
    }

    /// Writes the intent to call tools.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn start_calls(
        &mut self,
        lease: &Lease,
        calls: &[StartedCall<'_>],
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Vec<LoggedEvent>> {
        let logged = self.append_events(lease, events, now).await?;
        let ids: Vec<CallId> = calls.iter().map(|call| call.id).collect();
        self.mark_calls_started(&ids, now).await?;
        for call in calls {
            let attempt = Attempt {
                number: call.attempt,
                step: None,
                new_message: None,
                now,
            };
            self.create_step(lease, call.id.uuid(), "tool_call", call.target, attempt)
                .await?;
        }
        Ok(logged)
    }

    /// Writes what came of a call.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn finish_call(
        &mut self,
        lease: &Lease,
        outcome: CallOutcome<'_>,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<Vec<LoggedEvent>> {
        let logged = self.append_events(lease, events, now).await?;
        self.complete_call(outcome, now).await?;
        let status = match outcome.is_error {
            true => StepStatus::Failed,
            false => StepStatus::Completed,
        };
        sqlx::query!(
            "with step as (
               update run_steps set status = $4, finished_at = $5, cost_usd_micros = $7
               where workspace_id = $1 and run_id = $2 and id = $3 and status = 'started'
               returning id, target
             ), settled as (
               delete from call_reservations where workspace_id = $1 and call_id = $3
             )
             insert into usage_entries
               (id, workspace_id, time, run_id, agent_id, author_id, kind, target, server, is_error,
                input_tokens, output_tokens, cost_usd_micros, duration_ms)
             select step.id, $1, $5, $2, runs.agent_id, runs.author_id, 'tool_call', step.target,
               c.server, $4 = 'failed', 0, 0, $7, $6
             from step join runs on runs.workspace_id = $1 and runs.id = $2
             left join tool_calls c on c.workspace_id = $1 and c.id = step.id",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            outcome.id.uuid(),
            status.as_str(),
            now.date_time(),
            outcome.duration_ms as i64,
            outcome.cost_usd_micros as i64
        )
        .execute(self.connection())
        .await?;
        Ok(logged)
    }

    /// Gives a run up until its questions are decided; `false` if none is open.
    ///
    /// # Errors
    /// `LeaseLost`.
    pub async fn wait_for_people(&mut self, lease: &Lease) -> Result<bool> {
        // Locked before its questions are looked at, so that a decision comes before or after.
        self.hold(lease).await?;
        let done = sqlx::query!(
            "update runs set status = 'waiting', lease_owner = null, lease_expires_at = null
             where workspace_id = $1 and id = $2
               and exists (select from approvals
                 where workspace_id = $1 and run_id = $2 and status = 'pending')",
            self.workspace_id().uuid(),
            lease.run_id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn create_answer(
        &mut self,
        lease: &Lease,
        id: MessageId,
        logged: &[LoggedEvent],
        now: Timestamp,
    ) -> Result<()> {
        let position = logged.last().map_or(0, |event| event.seq as i64);
        sqlx::query!(
            "insert into messages
               (id, workspace_id, conversation_id, run_id, role, text, position, created_at)
             values ($1, $2, $3, $4, 'assistant', '', $5, $6)",
            id.uuid(),
            self.workspace_id().uuid(),
            lease.conversation_id.uuid(),
            lease.run_id.uuid(),
            position,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn create_step(
        &mut self,
        lease: &Lease,
        id: uuid::Uuid,
        kind: &str,
        target: &str,
        attempt: Attempt<'_>,
    ) -> Result<()> {
        sqlx::query!(
            "insert into run_steps
               (id, workspace_id, run_id, number, kind, attempt, status, target, started_at)
             select $1, $2, $3, coalesce(max(number), 0) + 1, $4, $5, 'started', $6, $7
             from run_steps where workspace_id = $2 and run_id = $3",
            id,
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            kind,
            attempt.number as i32,
            target,
            attempt.now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes a message as it is now for good, and that the step succeeded that it came from.
    async fn close_message(
        &mut self,
        lease: &Lease,
        message: &WholeMessage<'_>,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "with message as (
               update messages set text = $4, finish_reason = $5, reasoning = $6, carry = $7
               where workspace_id = $1 and id = $3
             ), step as (
               update run_steps set status = 'completed', input_tokens = $8, output_tokens = $9,
                 cost_usd_micros = $10, cached_input_tokens = $12, cache_written_tokens = $13,
                 finished_at = $11, target = coalesce($14, target)
               where workspace_id = $1 and run_id = $2 and status = 'started'
               returning id, kind, target, started_at
             )
             insert into usage_entries
               (id, workspace_id, time, run_id, agent_id, author_id, kind, target, is_error,
                input_tokens, output_tokens, cost_usd_micros, cached_input_tokens,
                cache_written_tokens, duration_ms)
             select step.id, $1, $11, $2, runs.agent_id, runs.author_id, step.kind, step.target,
               false, $8, $9, $10, $12, $13, extract(epoch from $11 - step.started_at) * 1000
             from step join runs on runs.workspace_id = $1 and runs.id = $2",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            message.id.uuid(),
            message.text,
            message.finish_reason.as_str(),
            message.reasoning,
            message.carry,
            message.usage.input_tokens as i64,
            message.usage.output_tokens as i64,
            message.usage.cost_usd_micros as i64,
            now.date_time(),
            message.usage.cached_input_tokens as i64,
            message.usage.cache_written_tokens as i64,
            message.answerer
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
