//! How long models thought before they answered.

use domain::{MessageId, RunId, Timestamp};
use uuid::Uuid;

use crate::Result;
use crate::database::TenantTx;

impl TenantTx {
    /// When the last piece of reasoning of each message of some runs was logged.
    pub async fn list_reasoning_ends(
        &mut self,
        runs: &[RunId],
    ) -> Result<Vec<(MessageId, Timestamp)>> {
        let runs: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
        let rows = sqlx::query!(
            r#"select (data->>'message_id')::uuid as "message_id!", max(time) as "time!"
               from events
               where workspace_id = $1 and run_id = any($2) and type = 'reasoning_delta'
               group by 1"#,
            self.workspace_id().uuid(),
            &runs
        )
        .fetch_all(self.connection())
        .await?;
        let ends = rows.into_iter();
        Ok(ends
            .map(|row| (row.message_id.into(), row.time.into()))
            .collect())
    }
}
