//! `/runs`

use axum::Json;
use axum::extract::Path;
use domain::Paged;
use domain::runs::{Run, RunSummary, Runs};
use http::StatusCode;

use super::{Answer, PageQuery, id};
use crate::authentication::SignedIn;

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<RunSummary>>> {
    Ok(Json(session.list_runs(page).await?))
}

pub async fn get(SignedIn(session): SignedIn, Path(run): Path<String>) -> Answer<Json<Run>> {
    Ok(Json(session.get_run(id(&run)?).await?))
}

pub async fn cancel(
    SignedIn(session): SignedIn,
    Path(run): Path<String>,
) -> Answer<(StatusCode, Json<Run>)> {
    let id = id(&run)?;
    session.cancel_run(id).await?;
    Ok((StatusCode::ACCEPTED, Json(session.get_run(id).await?)))
}
