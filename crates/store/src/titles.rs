//! Titles that models give to conversations.

use domain::runs::Usage;
use domain::{ConversationId, RunId, StepId, Timestamp};

use crate::Result;
use crate::database::TenantTx;

/// A model was asked for a title.
#[derive(Clone, Copy, Debug)]
pub struct TitleCall<'a> {
    /// Id of the entry.
    pub id: StepId,
    /// The run whose end it follows.
    pub run_id: RunId,
    /// The model's name.
    pub target: &'a str,
    /// Whether no title came of it.
    pub is_error: bool,
    /// What it used up.
    pub usage: Usage,
    /// How long it took.
    pub duration_ms: u64,
    /// When it ended.
    pub now: Timestamp,
}

impl TenantTx {
    /// Whether a conversation is there to which neither a person nor a model gave a title.
    pub async fn is_untitled(&mut self, id: ConversationId) -> Result<bool> {
        let is_titled = sqlx::query_scalar!(
            "select is_titled from conversations where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(is_titled == Some(false))
    }

    /// The title that a person or a model gave to a conversation; `None` if it has its first words.
    pub async fn find_given_title(&mut self, id: ConversationId) -> Result<Option<String>> {
        let title = sqlx::query_scalar!(
            "select title from conversations where workspace_id = $1 and id = $2 and is_titled",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(title)
    }

    /// Gives a conversation its title unless it has one that a person gave; tells whether it did.
    pub async fn give_title(&mut self, id: ConversationId, title: &str) -> Result<bool> {
        let done = sqlx::query!(
            "update conversations set title = $3, is_titled = true
             where workspace_id = $1 and id = $2 and not is_titled",
            self.workspace_id().uuid(),
            id.uuid(),
            title
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Writes what a title used up into the ledger, under the run that it follows; nothing is set
    /// aside for it any more.
    pub async fn create_title_usage(&mut self, call: &TitleCall<'_>) -> Result<()> {
        sqlx::query!(
            "with settled as (
               delete from budget_reservations
               where workspace_id = $1 and run_id = $2 and step_id = $3
             )
             insert into usage_entries
               (id, workspace_id, time, run_id, agent_id, author_id, kind, target, is_error,
                input_tokens, output_tokens, cost_usd_micros, duration_ms, cached_input_tokens,
                cache_written_tokens)
             select $3, $1, $4, id, agent_id, author_id, 'model_call', $5, $6, $7, $8, $9, $10, $11,
               $12
             from runs where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            call.run_id.uuid(),
            call.id.uuid(),
            call.now.date_time(),
            call.target,
            call.is_error,
            call.usage.input_tokens as i64,
            call.usage.output_tokens as i64,
            call.usage.cost_usd_micros as i64,
            call.duration_ms as i64,
            call.usage.cached_input_tokens as i64,
            call.usage.cache_written_tokens as i64
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
