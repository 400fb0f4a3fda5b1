//! Budgets, and what running calls have set aside of them.

use domain::budgets::{Budget, BudgetPeriod};
use domain::{AgentId, BudgetId, Cursor, Page, Paged, RunId, StepId, Timestamp};
use uuid::Uuid;

use crate::Result;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;
use crate::runs::Lease;

/// A budget that a model call counts towards.
#[derive(Clone, Debug)]
pub struct ChargedBudget {
    /// Where it stands, without what the asking run itself has set aside.
    pub budget: Budget,
    /// Whether people were told in this period that most of it is spent.
    pub is_warned: bool,
}

struct BudgetRow {
    id: Uuid,
    agent_id: Option<Uuid>,
    agent_name: Option<String>,
    period: String,
    limit_usd_micros: i64,
    spent: i64,
    reserved: i64,
    warned_at: Option<time::OffsetDateTime>,
    created_at: time::OffsetDateTime,
}

/// The beginning of a query for [`BudgetRow`]s: `$1` workspace, `$2` and `$3` beginnings of day and
/// month, `$4` a run whose reservation does not count.
macro_rules! budgets {
    ($rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            BudgetRow,
            r#"select b.id, b.agent_id, v.config->>'name' as "agent_name?", b.period,
                 b.limit_usd_micros, b.warned_at, b.created_at,
                 (select coalesce(sum(u.cost_usd_micros), 0)::bigint from usage_entries u
                  where u.workspace_id = $1 and u.cost_usd_micros > 0
                    and u.time >= case b.period when 'day' then $2::timestamptz else $3 end
                    and (b.agent_id is null or u.agent_id = b.agent_id)) as "spent!",
                 (select coalesce(sum(r.amount_usd_micros), 0)::bigint
                  from budget_reservations r
                  left join runs on runs.workspace_id = $1 and runs.id = r.run_id
                    and runs.status = 'running'
                  left join run_steps s on s.workspace_id = $1 and s.run_id = r.run_id
                    and s.id = r.step_id and s.status = 'started'
                  where r.workspace_id = $1 and r.run_id is distinct from $4
                    and (runs.id is not null and s.id is not null or r.expires_at > now())
                    and (b.agent_id is null or r.agent_id = b.agent_id))
                 + (select coalesce(sum(r.amount_usd_micros), 0)::bigint
                    from call_reservations r
                    where r.workspace_id = $1 and r.expires_at > now()
                      and (b.agent_id is null or r.agent_id = b.agent_id)) as "reserved!"
               from budgets b
               left join agents a on a.workspace_id = $1 and a.id = b.agent_id
               left join agent_versions v on v.workspace_id = $1 and v.agent_id = a.id
                 and v.version = a.version
               where b.workspace_id = $1 "# + $rest,
            $($argument),+
        )
    };
}

impl TenantTx {
    /// Budgets, newest first.
    pub async fn list_budgets(&mut self, page: &Page, now: Timestamp) -> Result<Paged<Budget>> {
        let after = parse_cursor(page)?;
        let rows = budgets!(
            "and ($5::uuid is null or b.id < $5) order by b.id desc limit $6",
            self.workspace_id().uuid(),
            BudgetPeriod::Day.start(now).date_time(),
            BudgetPeriod::Month.start(now).date_time(),
            None::<Uuid>,
            after,
            i64::from(page.limit) + 1
        )
        .fetch_all(self.connection())
        .await?;
        let budgets = rows
            .into_iter()
            .map(|row| Ok(row.into_charged(now)?.budget))
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(budgets, page.limit, |budget: &Budget| {
            Cursor(budget.id.to_string())
        }))
    }

    /// One budget.
    pub async fn find_budget(&mut self, id: BudgetId, now: Timestamp) -> Result<Option<Budget>> {
        let row = budgets!(
            "and b.id = $5",
            self.workspace_id().uuid(),
            BudgetPeriod::Day.start(now).date_time(),
            BudgetPeriod::Month.start(now).date_time(),
            None::<Uuid>,
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| Ok(row.into_charged(now)?.budget)).transpose()
    }

    /// Whether the workspace has any.
    pub async fn has_budgets(&mut self) -> Result<bool> {
        let has = sqlx::query_scalar!(
            r#"select exists (select from budgets where workspace_id = $1) as "has!""#,
            self.workspace_id().uuid()
        )
        .fetch_one(self.connection())
        .await?;
        Ok(has)
    }

    /// Writes a budget.
    ///
    /// # Errors
    /// `Constraint` if there is one for the same agent and period.
    pub async fn create_budget(
        &mut self,
        id: BudgetId,
        agent_id: Option<AgentId>,
        period: BudgetPeriod,
        limit_usd_micros: u64,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "insert into budgets (id, workspace_id, agent_id, period, limit_usd_micros, created_at)
             values ($1, $2, $3, $4, $5, $6)",
            id.uuid(),
            self.workspace_id().uuid(),
            agent_id.map(AgentId::uuid),
            period.as_str(),
            limit_usd_micros as i64,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Changes a limit; people are told anew. `false` if there is no such budget.
    pub async fn save_budget(&mut self, id: BudgetId, limit_usd_micros: u64) -> Result<bool> {
        let done = sqlx::query!(
            "update budgets set limit_usd_micros = $3, warned_at = null
             where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid(),
            limit_usd_micros as i64
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Deletes a budget; `false` if there is none.
    pub async fn delete_budget(&mut self, id: BudgetId) -> Result<bool> {
        let done = sqlx::query!(
            "delete from budgets where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The budgets that a call counts towards, of an agent or of nobody; what `run_id` has set aside
    /// for its model does not count. Nobody else sets anything aside of them before this transaction
    /// ends.
    pub async fn lock_budgets(
        &mut self,
        run_id: Option<RunId>,
        agent_id: Option<AgentId>,
        now: Timestamp,
    ) -> Result<Vec<ChargedBudget>> {
        // A statement of its own: the sums must be read after the lock was waited for.
        sqlx::query!(
            "select id from budgets where workspace_id = $1 and (agent_id is null or agent_id = $2)
             order by id for update",
            self.workspace_id().uuid(),
            agent_id.map(AgentId::uuid)
        )
        .fetch_all(self.connection())
        .await?;
        let rows = budgets!(
            "and (b.agent_id is null or b.agent_id = $5) order by b.id",
            self.workspace_id().uuid(),
            BudgetPeriod::Day.start(now).date_time(),
            BudgetPeriod::Month.start(now).date_time(),
            run_id.map(RunId::uuid),
            agent_id.map(AgentId::uuid)
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(|row| row.into_charged(now)).collect()
    }

    /// Sets aside what a tool call costs until it is settled, at most until `expires_at`.
    pub async fn reserve_call(
        &mut self,
        call_id: Uuid,
        agent_id: Option<AgentId>,
        amount_usd_micros: u64,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "insert into call_reservations
               (workspace_id, call_id, agent_id, amount_usd_micros, expires_at)
             values ($1, $2, $3, $4, $5)
             on conflict (workspace_id, call_id) do update
               set amount_usd_micros = excluded.amount_usd_micros, expires_at = excluded.expires_at",
            self.workspace_id().uuid(),
            call_id,
            agent_id.map(AgentId::uuid),
            amount_usd_micros as i64,
            expires_at.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Sets aside what the model call of a run may cost that is under way, in place of what the run
    /// had set aside before.
    pub async fn reserve_budget(
        &mut self,
        lease: &Lease,
        agent_id: AgentId,
        amount_usd_micros: u64,
    ) -> Result<()> {
        sqlx::query!(
            "insert into budget_reservations
               (workspace_id, run_id, step_id, agent_id, amount_usd_micros)
             select $1, $2, id, $3, $4 from run_steps
             where workspace_id = $1 and run_id = $2 and kind = 'model_call'
               and status = 'started'
             on conflict (workspace_id, run_id) do update
               set step_id = excluded.step_id, amount_usd_micros = excluded.amount_usd_micros,
                 expires_at = null",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            agent_id.uuid(),
            i64::try_from(amount_usd_micros).unwrap_or(i64::MAX)
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Sets aside what a call may cost that follows the end of a run, until it is settled, at most
    /// until `expires_at`.
    pub async fn reserve_budget_after(
        &mut self,
        lease: &Lease,
        agent_id: AgentId,
        call_id: StepId,
        amount_usd_micros: u64,
        expires_at: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "insert into budget_reservations
               (workspace_id, run_id, step_id, agent_id, amount_usd_micros, expires_at)
             select $1, id, $3, $4, $5, $6 from runs where workspace_id = $1 and id = $2
             on conflict (workspace_id, run_id) do update
               set step_id = excluded.step_id, amount_usd_micros = excluded.amount_usd_micros,
                 expires_at = excluded.expires_at",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            call_id.uuid(),
            agent_id.uuid(),
            i64::try_from(amount_usd_micros).unwrap_or(i64::MAX),
            expires_at.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Notes that people are told of these budgets.
    pub async fn note_budget_warnings(&mut self, ids: &[BudgetId], now: Timestamp) -> Result<()> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        sqlx::query!(
            "update budgets set warned_at = $3 where workspace_id = $1 and id = any($2)",
            self.workspace_id().uuid(),
            &ids,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl BudgetRow {
    fn into_charged(self, now: Timestamp) -> Result<ChargedBudget> {
        let period: BudgetPeriod = self.period.parse().map_err(anyhow::Error::msg)?;
        let begun = period.start(now).date_time();
        Ok(ChargedBudget {
            is_warned: self.warned_at.is_some_and(|warned| warned >= begun),
            budget: Budget {
                id: self.id.into(),
                agent_id: self.agent_id.map(Into::into),
                agent_name: self.agent_name,
                period,
                limit_usd_micros: self.limit_usd_micros as u64,
                spent_usd_micros: self.spent as u64,
                reserved_usd_micros: self.reserved as u64,
                renews_at: period.end(now),
                created_at: self.created_at.into(),
            },
        })
    }
}
