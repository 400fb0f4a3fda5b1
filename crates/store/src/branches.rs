//! The tree of runs that a conversation is.

use std::collections::HashMap;

use domain::{ConversationId, MessageId, RunId};
use uuid::Uuid;

use crate::Result;
use crate::database::TenantTx;

/// A run as a knot of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knot {
    /// The run.
    pub id: RunId,
    /// The run before it.
    pub parent_id: Option<RunId>,
    /// The message that it answers.
    pub message_id: MessageId,
}

impl TenantTx {
    /// The runs that stand behind the same runs as others: `parents` names those before them.
    /// Oldest first.
    pub async fn list_siblings(
        &mut self,
        conversation_id: ConversationId,
        parents: &[Option<RunId>],
    ) -> Result<Vec<Knot>> {
        let ids: Vec<Uuid> = parents.iter().flatten().map(|id| id.uuid()).collect();
        let rows = sqlx::query!(
            "select id, parent_id, message_id from runs
             where workspace_id = $1 and conversation_id = $2
               and (parent_id = any($3) or parent_id is null and $4)
             order by id",
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            &ids,
            parents.contains(&None)
        )
        .fetch_all(self.connection())
        .await?;
        let knots = rows.into_iter().map(|row| Knot {
            id: row.id.into(),
            parent_id: row.parent_id.map(Into::into),
            message_id: row.message_id.into(),
        });
        Ok(knots.collect())
    }

    /// A run and all that stand behind it, oldest first: the last is the end of a branch. Empty if
    /// the conversation has no such run.
    pub async fn list_behind(
        &mut self,
        conversation_id: ConversationId,
        run_id: RunId,
    ) -> Result<Vec<RunId>> {
        let rows = sqlx::query!(
            "select id, parent_id from runs where workspace_id = $1 and conversation_id = $2
             order by id",
            self.workspace_id().uuid(),
            conversation_id.uuid()
        )
        .fetch_all(self.connection())
        .await?;
        // Whatever stands behind a run is newer.
        let mut is_behind = HashMap::new();
        let mut runs = Vec::new();
        for row in rows {
            let parent = row.parent_id.and_then(|id| is_behind.get(&id).copied());
            let counts = row.id == run_id.uuid() || parent.unwrap_or(false);
            is_behind.insert(row.id, counts);
            if counts {
                runs.push(row.id.into());
            }
        }
        Ok(runs)
    }
}
