//! How far a run has come, for whoever goes on with it.

use std::collections::HashMap;

use domain::events::FinishReason;
use domain::runs::Usage;
use domain::{AgentId, ConversationId, MessageId, RunId};
use uuid::Uuid;

use super::unreadable;
use crate::Result;
use crate::database::TenantTx;

/// What providers want to see again is read up to this length; more would cost more than it helps.
const MAX_CARRY_BYTES: i32 = 256 * 1024;

/// A message that a run wrote.
#[derive(Clone, Debug)]
pub struct RunMessage {
    /// The id.
    pub id: MessageId,
    /// Its text; empty while it is open.
    pub text: String,
    /// What the provider wants to see again.
    pub carry: Option<String>,
    /// How it ended; `None` while it is open.
    pub finish_reason: Option<FinishReason>,
}

impl TenantTx {
    /// The messages that a run wrote, oldest first.
    pub async fn list_run_messages(&mut self, id: RunId) -> Result<Vec<RunMessage>> {
        let rows = sqlx::query!(
            "select m.id, m.text, m.carry, m.finish_reason from messages m
             join runs r on r.workspace_id = m.workspace_id and r.id = $2
             where m.workspace_id = $1 and m.conversation_id = r.conversation_id
               and m.run_id = $2 and m.role = 'assistant'
             order by m.position",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                let finish_reason = row.finish_reason.map(|reason| reason.parse()).transpose();
                Ok(RunMessage {
                    id: row.id.into(),
                    text: row.text,
                    carry: row.carry,
                    finish_reason: finish_reason.map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// The run of a conversation that is running, and the version of the agent that answers.
    pub async fn find_running_run(
        &mut self,
        id: ConversationId,
    ) -> Result<Option<(RunId, AgentId, u32)>> {
        let row = sqlx::query!(
            "select id, agent_id, agent_version from runs
             where workspace_id = $1 and conversation_id = $2 and status = 'running'",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| (row.id.into(), row.agent_id.into(), row.agent_version as u32)))
    }

    /// What providers want to see again with messages, by message.
    pub(crate) async fn read_carries(
        &mut self,
        messages: &[MessageId],
    ) -> Result<HashMap<Uuid, String>> {
        let ids: Vec<Uuid> = messages.iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query!(
            r#"select id, carry as "carry!" from messages
               where workspace_id = $1 and id = any($2) and octet_length(carry) <= $3"#,
            self.workspace_id().uuid(),
            &ids,
            MAX_CARRY_BYTES
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(|row| (row.id, row.carry)).collect())
    }

    /// What the calls of a run used up, and how many calls of models came to their end.
    pub async fn sum_calls(&mut self, id: RunId) -> Result<(u32, Usage)> {
        let row = sqlx::query!(
            r#"select count(*) filter (where status = 'completed' and kind = 'model_call')
                   as "count!",
                 coalesce(sum(input_tokens), 0)::bigint as "input!",
                 coalesce(sum(output_tokens), 0)::bigint as "output!",
                 coalesce(sum(cost_usd_micros), 0)::bigint as "cost!",
                 coalesce(sum(cached_input_tokens), 0)::bigint as "cached!",
                 coalesce(sum(cache_written_tokens), 0)::bigint as "written!"
               from run_steps
               where workspace_id = $1 and run_id = $2
                 and (kind = 'tool_call' or status in ('completed', 'abandoned'))"#,
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_one(self.connection())
        .await?;
        let usage = Usage {
            input_tokens: row.input as u64,
            output_tokens: row.output as u64,
            cost_usd_micros: row.cost as u64,
            cached_input_tokens: row.cached as u64,
            cache_written_tokens: row.written as u64,
        };
        Ok((row.count as u32, usage))
    }
}
