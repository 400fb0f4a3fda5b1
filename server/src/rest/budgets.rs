//! `/budgets`

use axum::Json;
use axum::extract::Path;
use domain::Paged;
use domain::budgets::{Budget, Budgets, CreateBudget, UpdateBudget};
use http::StatusCode;

use super::{Answer, Body, Created, PageQuery, id};
use crate::authentication::SignedIn;

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<Budget>>> {
    Ok(Json(session.list_budgets(page).await?))
}

pub async fn create(
    SignedIn(session): SignedIn,
    Body(input): Body<CreateBudget>,
) -> Answer<Created<Budget>> {
    let budget = session.create_budget(input).await?;
    Ok(Created::at(&format!("budgets/{}", budget.id), budget))
}

pub async fn get(SignedIn(session): SignedIn, Path(budget): Path<String>) -> Answer<Json<Budget>> {
    Ok(Json(session.get_budget(id(&budget)?).await?))
}

pub async fn update(
    SignedIn(session): SignedIn,
    Path(budget): Path<String>,
    Body(input): Body<UpdateBudget>,
) -> Answer<Json<Budget>> {
    Ok(Json(session.update_budget(id(&budget)?, input).await?))
}

pub async fn delete(SignedIn(session): SignedIn, Path(budget): Path<String>) -> Answer<StatusCode> {
    session.delete_budget(id(&budget)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
