//! `/usage`

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use domain::usage::{UsageReport, Usages};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use serde::Deserialize;

use super::Answer;
use crate::authentication::SignedIn;
use crate::problem::Problem;

/// Days of a report that names none.
const DAYS: u32 = 30;

#[derive(Deserialize)]
pub struct UsageQuery {
    days: Option<u32>,
}

type Asked = Result<Query<UsageQuery>, QueryRejection>;

pub async fn get(SignedIn(session): SignedIn, query: Asked) -> Answer<Json<UsageReport>> {
    let days = days(query)?;
    Ok(Json(session.report_usage(days).await?))
}

pub async fn export(
    SignedIn(session): SignedIn,
    query: Asked,
) -> Answer<([(HeaderName, &'static str); 2], String)> {
    let report = session.report_usage(days(query)?).await?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    Ok((headers, report.days_csv()))
}

fn days(query: Asked) -> Result<u32, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    Ok(query.days.unwrap_or(DAYS))
}
