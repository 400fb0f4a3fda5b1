//! Money for a run's model calls, and for the one that may follow it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::budgets::{Budget, dollars};
use domain::events::{BudgetState, EventBody};
use domain::models::{ModelFacts, Price};
use domain::runs::{RunError, Usage};
use domain::{AgentId, StepId, Timestamp};
use llm::ModelRequest;
use llm::chain::{LastAsked, estimated_tokens};
use store::Store;
use store::runs::Lease;

use super::log::retrying;
use super::stage::Stage;
use crate::budgets::{BudgetedWorkspaces, exceeded, is_nearly_spent, left, state, unreadable};
use crate::mint;

/// Longest answer that is reserved for where neither agent nor model says how long it may be, in
/// tokens.
const USUAL_ANSWER: u32 = 16_384;
/// Of text, as far as one can tell without the model.
pub(super) const BYTES_PER_TOKEN: u64 = 4;
/// Answers shorter than this are not worth asking for.
const SHORTEST_ANSWER: u32 = 64;

/// The budgets that one run counts towards.
pub(super) struct RunBudget {
    pub(super) store: Store,
    pub(super) lease: Lease,
    pub(super) agent_id: AgentId,
    pub(super) calls: Calls,
    /// What the run may cost by itself.
    pub(super) max_cost_usd_micros: Option<u64>,
    pub(super) budgeted: Arc<BudgetedWorkspaces>,
    /// Prices and limits of the models that may answer.
    pub(super) models: Vec<ModelFacts>,
    /// Which of them was asked last.
    pub(super) asked: LastAsked,
    /// Events for the log.
    pub(super) notices: Arc<Mutex<Vec<EventBody>>>,
}

/// Which calls are paid for.
pub(super) enum Calls {
    /// Steps of the run.
    Steps(Arc<Stage>),
    /// The one that follows its end.
    After { id: StepId, until: Timestamp },
}

/// What a call of the dearest model costs.
struct Estimate {
    input_usd_micros: u64,
    price: Price,
    answer_tokens: u32,
}

#[async_trait]
impl engine::Budget for RunBudget {
    async fn reserve(
        &self,
        request: &ModelRequest,
        spent: &Usage,
    ) -> Result<Option<u32>, RunError> {
        self.asked.forget();
        let Some(mut estimate) = self.estimate(request) else {
            return Ok(None);
        };
        let of_run = self.within_run(&mut estimate, spent)?;
        let reserved = retrying(|| self.try_reserve(&estimate)).await;
        reserved
            .unwrap_or_else(|error| {
                tracing::error!(run.id = %self.lease.run_id, error = %error, "read budgets");
                Err(unreadable())
            })
            .map(|of_budgets| of_budgets.or(of_run))
    }

    fn used(&self, request: &ModelRequest, written_chars: u64) -> Usage {
        match self.asked.get() {
            Some(asked) => broken_off(asked.price, estimated_tokens(request), written_chars),
            None => Usage::default(),
        }
    }
}

/// What a call used up that broke off, as far as one can tell.
pub(super) fn broken_off(price: Option<Price>, input_tokens: u64, written_chars: u64) -> Usage {
    let mut usage = Usage {
        input_tokens,
        output_tokens: written_chars.div_ceil(BYTES_PER_TOKEN),
        ..Usage::default()
    };
    if let Some(price) = price {
        usage.cost_usd_micros = price.cost_usd_micros(&usage);
    }
    usage
}

impl RunBudget {
    /// Makes an answer no longer than the run's own limit pays for; gives its length then.
    fn within_run(&self, estimate: &mut Estimate, spent: &Usage) -> Result<Option<u32>, RunError> {
        let Some(limit) = self.max_cost_usd_micros else {
            return Ok(None);
        };
        let spent_usd_micros = spent.cost_usd_micros;
        let tokens = estimate.affordable(limit.saturating_sub(spent_usd_micros));
        if tokens < SHORTEST_ANSWER.min(estimate.answer_tokens) {
            // What is beyond the limit already is told with the run's end.
            if spent_usd_micros < limit {
                self.note(EventBody::BudgetExceeded(BudgetState {
                    scope: "run".to_owned(),
                    spent_usd_micros,
                    limit_usd_micros: limit,
                }));
            }
            return Err(beyond_run(spent_usd_micros, limit));
        }
        estimate.answer_tokens = tokens;
        Ok(Some(tokens))
    }

    /// `None` if nothing that may answer is known to cost anything.
    fn estimate(&self, request: &ModelRequest) -> Option<Estimate> {
        let input_tokens = estimated_tokens(request);
        let estimates = self.models.iter().filter_map(|facts| {
            let price = facts.price.filter(|price| *price != Price::FREE)?;
            let wanted = [request.max_output_tokens, request.output_tokens_left];
            let wanted = wanted.into_iter().flatten().min().unwrap_or(USUAL_ANSWER);
            Some(Estimate {
                input_usd_micros: cost(price, input_tokens, 0),
                price,
                answer_tokens: facts
                    .max_output_tokens
                    .map_or(wanted, |max| max.min(wanted)),
            })
        });
        estimates.max_by_key(Estimate::usd_micros)
    }

    async fn try_reserve(
        &self,
        estimate: &Estimate,
    ) -> store::Result<Result<Option<u32>, RunError>> {
        let workspace_id = self.lease.workspace_id;
        let is_budgeted = self.budgeted.has_budgets(&self.store, workspace_id).await?;
        if !is_budgeted {
            return Ok(Ok(None));
        }
        // What is under way must be in the journal to be set aside for.
        if let Calls::Steps(stage) = &self.calls {
            stage.opened().await;
        }
        let now = mint::now();
        let mut tx = self.store.begin(workspace_id).await?;
        let charged = tx.lock_budgets(Some(self.lease.run_id), Some(self.agent_id), now);
        let charged = charged.await?;
        let Some(tightest) = charged.iter().min_by_key(|it| left(&it.budget)) else {
            return Ok(Ok(None));
        };
        let answer_tokens = estimate.affordable(left(&tightest.budget));
        if answer_tokens < SHORTEST_ANSWER.min(estimate.answer_tokens) {
            self.note(EventBody::BudgetExceeded(state(&tightest.budget)));
            return Ok(Err(exceeded(&tightest.budget, "another model call")));
        }
        let amount = estimate.input_usd_micros + cost(estimate.price, 0, u64::from(answer_tokens));
        let (lease, agent_id) = (&self.lease, self.agent_id);
        match self.calls {
            Calls::Steps(_) => tx.reserve_budget(lease, agent_id, amount).await?,
            Calls::After { id, until } => {
                tx.reserve_budget_after(lease, agent_id, id, amount, until)
                    .await?;
            }
        }
        let nearly: Vec<&Budget> = charged
            .iter()
            .filter(|it| !it.is_warned && is_nearly_spent(&it.budget))
            .map(|it| &it.budget)
            .collect();
        let ids: Vec<_> = nearly.iter().map(|budget| budget.id).collect();
        if !ids.is_empty() {
            tx.note_budget_warnings(&ids, now).await?;
        }
        tx.commit().await?;
        for budget in nearly {
            self.note(EventBody::BudgetWarning(state(budget)));
        }
        Ok(Ok(Some(answer_tokens)))
    }

    fn note(&self, event: EventBody) {
        self.notices.lock().expect("no holder panics").push(event);
    }
}

impl Estimate {
    fn usd_micros(&self) -> u64 {
        self.input_usd_micros + cost(self.price, 0, u64::from(self.answer_tokens))
    }

    /// Tokens of an answer that there is money for, no more than are wanted.
    fn affordable(&self, left: u64) -> u32 {
        if self.usd_micros() <= left {
            return self.answer_tokens;
        }
        let for_answer = u128::from(left.saturating_sub(self.input_usd_micros));
        let tokens = (for_answer * 1_000_000)
            .checked_div(u128::from(self.price.output_usd_micros))
            // The answer is free, but what is asked is too dear.
            .unwrap_or(0);
        u32::try_from(tokens).map_or(self.answer_tokens, |tokens| tokens.min(self.answer_tokens))
    }
}

fn cost(price: Price, input_tokens: u64, output_tokens: u64) -> u64 {
    price.cost_usd_micros(&Usage {
        input_tokens,
        output_tokens,
        ..Usage::default()
    })
}

fn beyond_run(spent_usd_micros: u64, limit_usd_micros: u64) -> RunError {
    RunError {
        kind: "limit".to_owned(),
        message: format!(
            "another model call may go beyond the run's limit of {}, of which {} are spent; raise \
             the limit in the agent's settings",
            dollars(limit_usd_micros),
            dollars(spent_usd_micros)
        ),
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_as_long_as_there_is_money() {
        let estimate = Estimate {
            input_usd_micros: 100,
            price: Price {
                input_usd_micros: 1_000_000,
                output_usd_micros: 10_000_000,
                cached_input_usd_micros: None,
                cache_write_usd_micros: None,
            },
            answer_tokens: 50,
        };

        assert_eq!(estimate.affordable(600), 50);
        assert_eq!(estimate.affordable(599), 49);
        assert_eq!(estimate.affordable(110), 1);
        assert_eq!(estimate.affordable(99), 0);
    }
}
