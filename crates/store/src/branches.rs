//! The tree of runs that a conversation is.

use std::collections::{HashMap, HashSet};

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

    /// A run and all that stand behind it, oldest first: the last is the end of the newest branch.
    /// Empty if the conversation has no such run.
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
        let runs: Vec<_> = rows.iter().map(|row| (row.id, row.parent_id)).collect();
        let behind = behind(&runs, run_id.uuid());
        Ok(behind.into_iter().map(Into::into).collect())
    }
}

/// A run and those behind it of `runs`, which are ordered by their ids, each with the one before it.
///
/// Clocks of several servers make the ids: a run may have a lower one than the run before it.
fn behind(runs: &[(Uuid, Option<Uuid>)], first: Uuid) -> Vec<Uuid> {
    let mut children: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for (id, parent) in runs {
        if let Some(parent) = parent {
            children.entry(*parent).or_default().push(*id);
        }
    }
    let children_of = |id| children.get(&id).map(Vec::as_slice).unwrap_or_default();
    let mut found: HashSet<Uuid> = HashSet::new();
    let mut open = vec![first];
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(children_of(id));
        }
    }
    let ids = runs.iter().map(|(id, _)| *id);
    let mut behind: Vec<Uuid> = ids.filter(|id| found.contains(id)).collect();
    let mut end = behind.last().copied();
    while let Some(next) = end.and_then(|id| children_of(id).last()) {
        behind.retain(|id| id != next);
        behind.push(*next);
        end = Some(*next);
    }
    behind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn runs_behind_another_are_found_whatever_clocks_made_their_ids() {
        // 5 was asked first, 3 then by another server; 4 and 6 are another branch behind 5.
        let runs = [
            (3, Some(5)),
            (4, Some(5)),
            (5, None),
            (6, Some(4)),
            (9, None),
        ];
        let runs = runs.map(|(run, parent)| (id(run), parent.map(id)));

        assert_eq!(behind(&runs, id(5)), [3, 4, 5, 6].map(id));
        assert_eq!(behind(&runs, id(3)), [id(3)]);
        assert_eq!(behind(&runs[..3], id(5)), [3, 5, 4].map(id));
        assert!(behind(&runs, id(7)).is_empty());
    }
}
