//! `/usage`

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use domain::usage::{UsageCall, UsageReport, Usages, calls_csv, rows_csv};
use domain::{Error, Page, Paged};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use serde::Deserialize;
use services::Session;

use super::{Answer, PageQuery};
use crate::authentication::SignedIn;
use crate::problem::Problem;

/// Days of a report that names none.
const DAYS: u32 = 30;
/// Calls of an export at most, the newest.
const MAX_CALLS: usize = 10_000;

#[derive(Deserialize)]
pub struct UsageQuery {
    days: Option<u32>,
    part: Option<String>,
}

type Asked = Result<Query<UsageQuery>, QueryRejection>;

pub async fn get(SignedIn(session): SignedIn, query: Asked) -> Answer<Json<UsageReport>> {
    let (days, _) = asked(query)?;
    Ok(Json(session.report_usage(days).await?))
}

pub async fn calls(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<UsageCall>>> {
    Ok(Json(session.list_usage_calls(page).await?))
}

pub async fn export(
    SignedIn(session): SignedIn,
    query: Asked,
) -> Answer<([(HeaderName, &'static str); 2], String)> {
    let (days, part) = asked(query)?;
    let part = part.unwrap_or_else(|| "days".to_owned());
    let report = session.report_usage(days).await?;
    let csv = match report.part(&part) {
        Some(rows) => rows_csv(part.trim_end_matches('s'), rows),
        None if part == "calls" => {
            let first = report.days.first().map(|day| day.name.clone());
            calls_csv(&calls_since(&session, &first.unwrap_or_default()).await?)
        }
        None => {
            let message = "must be days, agents, models, tools, people or calls";
            return Err(Error::invalid("part", message).into());
        }
    };
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    Ok((headers, csv))
}

/// The newest calls from a day on.
async fn calls_since(session: &Session, day: &str) -> Result<Vec<UsageCall>, Error> {
    let mut calls: Vec<UsageCall> = Vec::new();
    let mut page = Page::first(100);
    loop {
        let read = session.list_usage_calls(page.clone()).await?;
        let count = read.items.len();
        let within = read.items.into_iter();
        let within: Vec<_> = within
            .take_while(|call| call.time.to_string().as_str() >= day)
            .collect();
        let is_over = within.len() < count;
        calls.extend(within);
        match read.next {
            Some(after) if !is_over && calls.len() < MAX_CALLS => page.after = Some(after),
            _ => return Ok(calls),
        }
    }
}

fn asked(query: Asked) -> Result<(u32, Option<String>), Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    Ok((query.days.unwrap_or(DAYS), query.part))
}
