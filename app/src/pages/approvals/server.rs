//! Server functions about questions.

use domain::approvals::Approval;
use domain::{ApprovalId, Error, Paged};
#[cfg(feature = "ssr")]
use domain::{
    Page,
    approvals::{ApprovalFilter, ApprovalStatus, DecideApproval, Decision},
};
use leptos::prelude::*;

use crate::time::AsOf;

/// A page of questions, newest first: those that wait, or those that are over.
#[server]
pub async fn list_approvals(
    decided: Option<String>,
    after: Option<String>,
) -> Result<AsOf<Paged<Approval>>, Error> {
    let filter = ApprovalFilter {
        status: decided.is_none().then_some(ApprovalStatus::Pending),
    };
    let value = crate::context::platform()?
        .list_approvals(filter, Page::new(None, after)?)
        .await?;
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}

/// Number of questions that wait.
#[server]
pub async fn count_approvals() -> Result<u64, Error> {
    crate::context::platform()?.count_pending_approvals().await
}

/// Decides a question. `arguments` is JSON and only counts with `approve`.
#[server]
pub async fn decide_tool_call(
    id: ApprovalId,
    decision: String,
    arguments: Option<String>,
    reason: Option<String>,
) -> Result<(), Error> {
    let decision = match decision.as_str() {
        "approve" => Decision::Approve,
        "reject" => Decision::Reject,
        _ => return Err(Error::invalid("decision", "must be approve or reject")),
    };
    let arguments = arguments.filter(|_| decision == Decision::Approve);
    let arguments = arguments
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Error::invalid("arguments", format!("is not JSON: {error}")))?;
    let input = DecideApproval {
        decision,
        arguments,
        reason,
    };
    crate::context::platform()?
        .decide_approval(id, input)
        .await?;
    Ok(())
}
