//! `/approvals`

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use domain::approvals::{Approval, ApprovalFilter, Approvals, DecideApproval};
use domain::{Error, Page, Paged};
use serde::Deserialize;

use super::{Answer, Body, id};
use crate::authentication::SignedIn;
use crate::problem::Problem;

#[derive(Deserialize)]
pub struct ApprovalQuery {
    status: Option<String>,
    limit: Option<u64>,
    after: Option<String>,
}

pub async fn list(
    SignedIn(session): SignedIn,
    query: Result<Query<ApprovalQuery>, QueryRejection>,
) -> Answer<Json<Paged<Approval>>> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let status = query.status.map(|status| status.parse()).transpose();
    let filter = ApprovalFilter {
        status: status.map_err(|error: String| Error::invalid("status", error))?,
    };
    let page = Page::new(query.limit, query.after)?;
    Ok(Json(session.list_approvals(filter, page).await?))
}

pub async fn get(
    SignedIn(session): SignedIn,
    Path(approval): Path<String>,
) -> Answer<Json<Approval>> {
    Ok(Json(session.get_approval(id(&approval)?).await?))
}

pub async fn decide(
    SignedIn(session): SignedIn,
    Path(approval): Path<String>,
    Body(input): Body<DecideApproval>,
) -> Answer<Json<Approval>> {
    Ok(Json(session.decide_approval(id(&approval)?, input).await?))
}
