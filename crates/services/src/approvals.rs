//! Questions about tool calls: listing them, deciding them, and letting them run out.

use async_trait::async_trait;
use domain::approvals::{
    Approval, ApprovalFilter, ApprovalReason, ApprovalStatus, Approvals, DecideApproval, Decision,
};
use domain::audit::Deed;
use domain::events::{ApprovalDecided, EventBody, ToolCallCompleted};
use domain::{Action, ApprovalId, Error, FieldErrors, Page, Paged, UserId};
use serde_json::Value;
use store::TenantTx;
use store::approvals::Decided;
use store::events::LoggedEvent;
use store::tool_calls::CallOutcome;

use crate::conversations::new_event;
use crate::fault::OrFault;
use crate::tools::{Arguments, Builtins};
use crate::{Services, Session, mint, watch};

/// Longest reason that a person gives, in characters.
const REASON_CHARS: usize = 1_000;

/// How a question ends.
struct Verdict<'a> {
    status: ApprovalStatus,
    by: Option<UserId>,
    reason: Option<&'a str>,
    arguments: &'a Value,
}

#[async_trait]
impl Approvals for Session {
    async fn list_approvals(
        &self,
        filter: ApprovalFilter,
        page: Page,
    ) -> Result<Paged<Approval>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        tx.list_approvals(&filter, &page).await.or_fault()
    }

    async fn count_pending_approvals(&self) -> Result<u64, Error> {
        let mut tx = self.begin(Action::Read).await?;
        tx.count_pending_approvals().await.or_fault()
    }

    async fn get_approval(&self, id: ApprovalId) -> Result<Approval, Error> {
        let mut tx = self.begin(Action::Read).await?;
        find(&mut tx, id).await
    }

    async fn decide_approval(
        &self,
        id: ApprovalId,
        input: DecideApproval,
    ) -> Result<Approval, Error> {
        let mut tx = self
            .change(Action::DecideApprovals, Deed::ApprovalDecide)
            .await?;
        let approval = find(&mut tx, id).await?;
        let schema = match input.arguments {
            Some(_) => Some(self.services.arguments_of(&mut tx, &approval).await?),
            None => None,
        };
        check(&input, schema.as_ref(), &approval)?;
        let verdict = Verdict {
            status: match input.decision {
                Decision::Approve => ApprovalStatus::Approved,
                Decision::Reject => ApprovalStatus::Rejected,
            },
            by: Some(self.actor.user_id),
            reason: input
                .reason
                .as_deref()
                .map(str::trim)
                .filter(|r| !r.is_empty()),
            arguments: input.arguments.as_ref().unwrap_or(&approval.arguments),
        };
        let logged = decide(&mut tx, &approval, verdict).await?;
        let decided = find(&mut tx, id).await?;
        let name = format!("{}: {}", approval.server, approval.tool);
        tx.commit(id.uuid(), &name).await?;
        self.services.tell(&approval, &logged);
        Ok(decided)
    }
}

impl Services {
    /// Takes questions whose time is over as rejected.
    pub(crate) async fn expire_approvals(&self) -> Result<(), Error> {
        let mut db = self.store.system().await.or_fault()?;
        let expired = store::approvals::list_expired(&mut db, mint::now())
            .await
            .or_fault()?;
        drop(db);
        for (workspace_id, id) in expired {
            let mut tx = self.store.begin(workspace_id).await.or_fault()?;
            let Some(approval) = tx.find_approval(id).await.or_fault()? else {
                continue;
            };
            let verdict = Verdict {
                status: ApprovalStatus::Expired,
                by: None,
                reason: Some("nobody decided in time"),
                arguments: &approval.arguments,
            };
            match decide(&mut tx, &approval, verdict).await {
                Ok(logged) => {
                    tx.commit().await.or_fault()?;
                    self.tell(&approval, &logged);
                }
                // Somebody was quicker.
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What the tool takes that a question is about. Of a tool that is gone only the form is known.
    async fn arguments_of(
        &self,
        tx: &mut TenantTx,
        approval: &Approval,
    ) -> Result<Arguments, Error> {
        let builtin = approval.tool.parse().ok();
        if let Some(builtin) = builtin.filter(|_| approval.server == engine::BUILTIN) {
            return Ok(Arguments::new(&Builtins::spec(builtin).input_schema));
        }
        let server_id = tx.find_server_of_call(approval.call_id).await.or_fault()?;
        let wanted: Vec<_> = server_id
            .map(|id| (id, approval.tool.clone()))
            .into_iter()
            .collect();
        let known = self
            .tool_servers
            .definitions(tx.workspace_id(), &wanted)
            .await
            .or_fault()?;
        Ok(Arguments::new(&match known.first() {
            Some(tool) => tool.definition.input_schema.clone(),
            None => serde_json::json!({ "type": "object" }),
        }))
    }

    fn tell(&self, approval: &Approval, logged: &[LoggedEvent]) {
        watch::publish(&self.bus.publisher(approval.conversation_id), logged);
        self.worker.wake_all();
    }
}

/// Writes a decision, what it does to the call, and their events.
async fn decide(
    tx: &mut TenantTx,
    approval: &Approval,
    verdict: Verdict<'_>,
) -> Result<Vec<LoggedEvent>, Error> {
    let now = mint::now();
    tx.lock_run(approval.run_id).await.or_fault()?;
    let decided = Decided {
        id: approval.id,
        status: verdict.status,
        by: verdict.by,
        reason: verdict.reason,
        arguments: verdict.arguments,
        now,
    };
    if !tx.decide_approval(decided).await.or_fault()? {
        return Err(already_decided());
    }
    let is_approved = verdict.status == ApprovalStatus::Approved;
    let mut events = vec![new_event(EventBody::ApprovalDecided(ApprovalDecided {
        approval_id: approval.id,
        call_id: approval.call_id,
        decision: match is_approved {
            true => Decision::Approve,
            false => Decision::Reject,
        },
        reason: verdict.reason.map(str::to_owned),
        decided_by: verdict.by,
    }))];
    if is_approved {
        tx.release_call(approval.call_id, verdict.arguments)
            .await
            .or_fault()?;
    } else {
        let result = rejection(approval.reason, verdict.reason);
        events.push(new_event(EventBody::ToolCallCompleted(ToolCallCompleted {
            call_id: approval.call_id,
            is_error: true,
            result: result.clone(),
            duration_ms: 0,
            artifact_id: None,
        })));
        let outcome = CallOutcome {
            id: approval.call_id,
            is_error: true,
            result: &result,
            artifact_id: None,
            duration_ms: 0,
            cost_usd_micros: 0,
        };
        tx.complete_call(outcome, now).await.or_fault()?;
    }
    let logged = tx
        .append_events_about(approval.conversation_id, approval.run_id, &events, now)
        .await;
    let logged = match logged {
        Err(store::Error::LeaseLost) => return Err(already_decided()),
        logged => logged.or_fault()?,
    };
    tx.requeue_if_decided(approval.run_id).await.or_fault()?;
    Ok(logged)
}

/// What the model is told of a call that was not made.
fn rejection(asked: ApprovalReason, said: Option<&str>) -> String {
    let what = match asked {
        ApprovalReason::UnknownOutcome => {
            "the call was interrupted and nobody knows whether it took effect; it was not repeated"
        }
        ApprovalReason::Policy | ApprovalReason::ChangedDefinition => {
            "a person did not allow this call"
        }
    };
    match said {
        Some(said) => format!("{what}: {said}"),
        None => what.to_owned(),
    }
}

fn check(
    input: &DecideApproval,
    schema: Option<&Arguments>,
    approval: &Approval,
) -> Result<(), Error> {
    if approval.status != ApprovalStatus::Pending || approval.expires_at <= mint::now() {
        return Err(already_decided());
    }
    let mut errors = FieldErrors::default();
    if let Some(reason) = &input.reason {
        errors.text("reason", reason, REASON_CHARS);
    }
    if let Some(arguments) = &input.arguments {
        if input.decision == Decision::Reject {
            errors.push("arguments", "can only be given with approve");
        } else if let Some(Err(why)) = schema.map(|schema| schema.check(arguments)) {
            errors.push("arguments", why);
        }
    }
    errors.finish()
}

async fn find(tx: &mut TenantTx, id: ApprovalId) -> Result<Approval, Error> {
    tx.find_approval(id)
        .await
        .or_fault()?
        .ok_or(Error::NotFound)
}

fn already_decided() -> Error {
    Error::conflict(
        "this question is not open any more: it was decided, it expired or its run ended",
    )
}
