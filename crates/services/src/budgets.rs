//! Budgets of the workspace.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::audit::Deed;
use domain::budgets::{Budget, Budgets, CreateBudget, UpdateBudget, WARNING_PERCENT, dollars};
use domain::events::BudgetState;
use domain::runs::RunError;
use domain::{Action, BudgetId, Error, Page, Paged, WorkspaceId};
use store::Store;

use crate::fault::OrFault;
use crate::{Session, mint};

/// How long a process that does not hear of a workspace's first budget goes on without it.
const BELIEVED_FOR: Duration = Duration::from_secs(10);
/// Workspaces remembered at most.
const MAX_WORKSPACES: usize = 10_000;

/// Which workspaces have budgets at all, so that runs of the others need not ask.
#[derive(Debug, Default)]
pub(crate) struct BudgetedWorkspaces {
    known: Mutex<HashMap<WorkspaceId, (bool, Instant)>>,
}

impl BudgetedWorkspaces {
    pub(crate) async fn has_budgets(
        &self,
        store: &Store,
        workspace_id: WorkspaceId,
    ) -> store::Result<bool> {
        let now = Instant::now();
        let known = self.lock().get(&workspace_id).copied();
        if let Some((has_budgets, since)) = known
            && now - since < BELIEVED_FOR
        {
            return Ok(has_budgets);
        }
        let has_budgets = store.begin(workspace_id).await?.has_budgets().await?;
        let mut known = self.lock();
        if known.len() >= MAX_WORKSPACES {
            known.clear();
        }
        known.insert(workspace_id, (has_budgets, now));
        Ok(has_budgets)
    }

    pub(crate) fn forget(&self, workspace_id: WorkspaceId) {
        self.lock().remove(&workspace_id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<WorkspaceId, (bool, Instant)>> {
        self.known.lock().expect("no holder panics")
    }
}

#[async_trait]
impl Budgets for Session {
    async fn list_budgets(&self, page: Page) -> Result<Paged<Budget>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        tx.list_budgets(&page, mint::now()).await.or_fault()
    }

    async fn get_budget(&self, id: BudgetId) -> Result<Budget, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let found = tx.find_budget(id, mint::now()).await.or_fault()?;
        found.ok_or(Error::NotFound)
    }

    async fn create_budget(&self, input: CreateBudget) -> Result<Budget, Error> {
        let mut tx = self
            .change(Action::ManageWorkspace, Deed::BudgetCreate)
            .await?;
        input.validate()?;
        if let Some(agent_id) = input.agent_id {
            let agent = tx.find_agent(agent_id).await.or_fault()?;
            agent.ok_or_else(|| {
                Error::invalid("agent_id", "there is no such agent in this workspace")
            })?;
        }
        let (id, now) = (mint::id(), mint::now());
        let created = tx
            .create_budget(
                id,
                input.agent_id,
                input.period,
                input.limit_usd_micros,
                now,
            )
            .await;
        match created {
            Err(store::Error::Constraint(name)) if name.starts_with("budgets_of_") => {
                return Err(Error::conflict(format!(
                    "there is a budget for a {} already; change its limit",
                    input.period
                )));
            }
            other => other.or_fault()?,
        }
        let budget = tx.find_budget(id, now).await.or_fault()?;
        let budget = budget.ok_or(Error::NotFound)?;
        tx.commit(id.uuid(), name_of(&budget)).await?;
        self.services.budgets_changed(self.actor.workspace_id);
        Ok(budget)
    }

    async fn update_budget(&self, id: BudgetId, input: UpdateBudget) -> Result<Budget, Error> {
        let mut tx = self
            .change(Action::ManageWorkspace, Deed::BudgetUpdate)
            .await?;
        input.validate()?;
        tx.save_budget(id, input.limit_usd_micros)
            .await
            .or_fault()?;
        let budget = tx.find_budget(id, mint::now()).await.or_fault()?;
        let budget = budget.ok_or(Error::NotFound)?;
        tx.commit(id.uuid(), name_of(&budget)).await?;
        Ok(budget)
    }

    async fn delete_budget(&self, id: BudgetId) -> Result<(), Error> {
        let mut tx = self
            .change(Action::ManageWorkspace, Deed::BudgetDelete)
            .await?;
        let budget = tx.find_budget(id, mint::now()).await.or_fault()?;
        let budget = budget.ok_or(Error::NotFound)?;
        tx.delete_budget(id).await.or_fault()?;
        tx.commit(id.uuid(), name_of(&budget)).await?;
        self.services.budgets_changed(self.actor.workspace_id);
        Ok(())
    }
}

/// Whose it is, for the audit log.
fn name_of(budget: &Budget) -> &str {
    budget.agent_name.as_deref().unwrap_or("Whole workspace")
}

/// What may be spent of it yet.
pub(crate) fn left(budget: &Budget) -> u64 {
    budget
        .limit_usd_micros
        .saturating_sub(budget.spent_usd_micros)
        .saturating_sub(budget.reserved_usd_micros)
}

/// Whether people are to be told.
pub(crate) fn is_nearly_spent(budget: &Budget) -> bool {
    u128::from(budget.spent_usd_micros) * 100
        >= u128::from(budget.limit_usd_micros) * u128::from(WARNING_PERCENT)
}

/// Where it stands, for the log.
pub(crate) fn state(budget: &Budget) -> BudgetState {
    let scope = match budget.agent_id {
        Some(_) => "agent",
        None => "workspace",
    };
    BudgetState {
        scope: scope.to_owned(),
        spent_usd_micros: budget.spent_usd_micros,
        limit_usd_micros: budget.limit_usd_micros,
    }
}

/// Why a call that it does not pay for is not made.
pub(crate) fn exceeded(budget: &Budget, call: &str) -> RunError {
    let whose = match budget.agent_id {
        Some(_) => "this agent’s",
        None => "the workspace’s",
    };
    let aside = match budget.reserved_usd_micros {
        0 => String::new(),
        reserved => format!(" and {} set aside for calls under way", dollars(reserved)),
    };
    RunError {
        kind: "budget".to_owned(),
        message: format!(
            "{whose} budget of {} a {} has too little left for {call}: {} are spent{aside}; an \
             admin can raise it on the usage page",
            dollars(budget.limit_usd_micros),
            budget.period,
            dollars(budget.spent_usd_micros),
        ),
        retryable: true,
    }
}

/// Why no call is made while nobody knows what may be spent.
pub(crate) fn unreadable() -> RunError {
    RunError {
        kind: "budget".to_owned(),
        message: "the budgets cannot be read; an admin finds the cause in the log".into(),
        retryable: true,
    }
}
