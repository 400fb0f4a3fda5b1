//! The end of a run.

use domain::Timestamp;
use domain::runs::{RunError, RunStatus, StepStatus, Usage};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Lease, WholeMessage};
use crate::database::TenantTx;
use crate::events::EventColumns;
use crate::words::words_of;
use crate::{Error, Result, Store};

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
    /// As [`Store::end_run`], as a part of more that is written. Between two messages
    /// [`TenantTx::close_calls`] comes first.
    ///
    /// # Errors
    /// `LeaseLost`; nothing is written then.
    pub async fn end_run(
        &mut self,
        lease: &Lease,
        ending: &Ending<'_>,
        events: &EventColumns,
    ) -> Result<i64> {
        end_run(self.connection(), lease, ending, events).await
    }
}

impl Store {
    /// Ends a run, in one round trip: last events, the open message, the final status. The message
    /// gets its text from its `message_completed`. Gives the number of the last event.
    ///
    /// # Errors
    /// `LeaseLost`; nothing is written then.
    pub async fn end_run(
        &self,
        lease: &Lease,
        ending: &Ending<'_>,
        events: &EventColumns,
    ) -> Result<i64> {
        // The function takes on the tenant's role and workspace for its own transaction.
        let mut db = self.at_hand().await?;
        let last_seq = end_run(&mut db, lease, ending, events).await?;
        self.keep_at_hand(db);
        self.note_write(lease.workspace_id);
        Ok(last_seq)
    }
}

async fn end_run(
    db: &mut PgConnection,
    lease: &Lease,
    ending: &Ending<'_>,
    events: &EventColumns,
) -> Result<i64> {
    let completed = events
        .kinds
        .iter()
        .position(|kind| kind == "message_completed");
    let step_status = match ending.error {
        Some(_) => StepStatus::Failed,
        None => StepStatus::Completed,
    };
    let message = ending.message.as_ref();
    let said = message.filter(|message| completed.is_some() && !message.text.is_empty());
    let words = said.map(|message| words_of(message.text));
    let step_usage = message.map(|message| message.usage).unwrap_or_default();
    sqlx::query_scalar!(
        "select end_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
           $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)",
        lease.workspace_id.uuid(),
        lease.conversation_id.uuid(),
        lease.run_id.uuid(),
        lease.fence,
        ending.status.as_str(),
        ending.error.map(Json) as _,
        ending.now.date_time(),
        ending.usage.input_tokens as i64,
        ending.usage.output_tokens as i64,
        ending.usage.cost_usd_micros as i64,
        ending.usage.cached_input_tokens as i64,
        ending.usage.cache_written_tokens as i64,
        &events.ids,
        &events.kinds,
        &events.data,
        message.map(|message| message.id.uuid()),
        completed.map(|index| index as i32 + 1),
        message.map(|message| message.finish_reason.as_str()),
        message.map(|message| message.reasoning),
        message.and_then(|message| message.carry),
        step_status.as_str(),
        message.and_then(|message| message.answerer),
        step_usage.input_tokens as i64,
        step_usage.output_tokens as i64,
        step_usage.cost_usd_micros as i64,
        step_usage.cached_input_tokens as i64,
        step_usage.cache_written_tokens as i64,
        words.as_deref(),
    )
    .fetch_one(db)
    .await?
    .ok_or(Error::LeaseLost)
}
