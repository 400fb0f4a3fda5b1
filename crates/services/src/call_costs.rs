//! Money for calls of tools that have a price: set aside before, settled with the ledger's line.

use std::sync::Arc;
use std::time::Duration;

use domain::events::EventBody;
use domain::{AgentId, WorkspaceId};
use store::Store;
use uuid::Uuid;

use crate::budgets::{BudgetedWorkspaces, exceeded, is_nearly_spent, left, state, unreadable};
use crate::mint;

/// How much longer than the call its money is set aside: its line is written behind it.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// The budgets, as calls of tools ask them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CallCosts {
    pub(crate) store: Store,
    pub(crate) budgeted: Arc<BudgetedWorkspaces>,
}

/// A call that costs something.
#[derive(Clone, Copy)]
pub(crate) struct PricedCall {
    pub(crate) workspace_id: WorkspaceId,
    /// Whose it is; `None` for people's own.
    pub(crate) agent_id: Option<AgentId>,
    /// Id of its line in the ledger.
    pub(crate) id: Uuid,
    pub(crate) usd_micros: u64,
    /// How long it takes at most.
    pub(crate) timeout: Duration,
}

/// Why a call is not made.
pub(crate) struct NoMoney {
    pub(crate) message: String,
    /// For the log of a conversation.
    pub(crate) event: Option<Box<EventBody>>,
}

impl CallCosts {
    /// Sets aside what a call costs; gives what a conversation shall be told.
    pub(crate) async fn reserve(&self, call: PricedCall) -> Result<Vec<EventBody>, NoMoney> {
        if call.usd_micros == 0 {
            return Ok(Vec::new());
        }
        self.try_reserve(call).await.unwrap_or_else(|error| {
            tracing::error!(workspace.id = %call.workspace_id, %error, "read budgets");
            Err(NoMoney {
                message: unreadable().message,
                event: None,
            })
        })
    }

    async fn try_reserve(
        &self,
        call: PricedCall,
    ) -> store::Result<Result<Vec<EventBody>, NoMoney>> {
        let is_budgeted = self.budgeted.has_budgets(&self.store, call.workspace_id);
        if !is_budgeted.await? {
            return Ok(Ok(Vec::new()));
        }
        let now = mint::now();
        let mut tx = self.store.begin(call.workspace_id).await?;
        let charged = tx.lock_budgets(None, call.agent_id, now).await?;
        let Some(tightest) = charged.iter().min_by_key(|it| left(&it.budget)) else {
            return Ok(Ok(Vec::new()));
        };
        if left(&tightest.budget) < call.usd_micros {
            return Ok(Err(NoMoney {
                message: exceeded(&tightest.budget, "this call").message,
                event: Some(Box::new(EventBody::BudgetExceeded(state(&tightest.budget)))),
            }));
        }
        let expires_at = (now.date_time() + call.timeout + SETTLED_WITHIN).into();
        tx.reserve_call(call.id, call.agent_id, call.usd_micros, expires_at)
            .await?;
        let nearly = charged.iter().filter(|it| !it.is_warned);
        let nearly: Vec<_> = nearly.filter(|it| is_nearly_spent(&it.budget)).collect();
        // Whoever calls by the gateway is told by no conversation, so the warning is kept for one.
        let is_told = call.agent_id.is_some() && !nearly.is_empty();
        if is_told {
            let ids: Vec<_> = nearly.iter().map(|it| it.budget.id).collect();
            tx.note_budget_warnings(&ids, now).await?;
        }
        tx.commit().await?;
        let warnings = nearly.iter().filter(|_| is_told);
        Ok(Ok(warnings
            .map(|it| EventBody::BudgetWarning(state(&it.budget)))
            .collect()))
    }
}
