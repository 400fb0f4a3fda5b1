//! `/audit-events`

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use domain::audit::{Audit, AuditEvent, AuditFilter};
use domain::{Error, Page, Paged};
use serde::Deserialize;

use super::Answer;
use crate::authentication::SignedIn;
use crate::problem::Problem;

#[derive(Deserialize)]
pub struct AuditQuery {
    action: Option<String>,
    actor_id: Option<String>,
    result: Option<String>,
    limit: Option<u64>,
    after: Option<String>,
}

pub async fn list(
    SignedIn(session): SignedIn,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Answer<Json<Paged<AuditEvent>>> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let filter = AuditFilter {
        action: parsed("action", query.action)?,
        actor_id: parsed("actor_id", query.actor_id)?,
        result: parsed("result", query.result)?,
    };
    let page = Page::new(query.limit, query.after)?;
    Ok(Json(session.list_audit_events(filter, page).await?))
}

fn parsed<T>(field: &str, text: Option<String>) -> Result<Option<T>, Error>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.map(|text| text.parse())
        .transpose()
        .map_err(|error: T::Err| Error::invalid(field, error.to_string()))
}
