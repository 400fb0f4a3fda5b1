//! Fallbacks that answered in place of an agent's own model.

use anyhow::Context;
use domain::ConversationId;
use domain::events::ModelSwitched;

use crate::Result;
use crate::database::TenantTx;

impl TenantTx {
    /// The latest switches of a conversation, at most 200, newest first.
    pub async fn list_switches(
        &mut self,
        conversation_id: ConversationId,
    ) -> Result<Vec<ModelSwitched>> {
        let rows = sqlx::query_scalar!(
            r#"select data::text as "data!" from events
               where workspace_id = $1 and conversation_id = $2 and type = 'model_switched'
               order by seq desc limit 200"#,
            self.workspace_id().uuid(),
            conversation_id.uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let switches = rows
            .iter()
            .map(|data| serde_json::from_str(data).context("read a switch of models"))
            .collect::<anyhow::Result<_>>()?;
        Ok(switches)
    }
}
