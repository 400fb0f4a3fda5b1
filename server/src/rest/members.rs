//! `/members`

use axum::Json;
use axum::extract::Path;
use domain::Paged;
use domain::members::{Member, Members, UpdateMember};
use http::StatusCode;

use super::{Answer, Body, PageQuery, id};
use crate::authentication::SignedIn;

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<Member>>> {
    Ok(Json(session.list_members(page).await?))
}

pub async fn update(
    SignedIn(session): SignedIn,
    Path(member): Path<String>,
    Body(input): Body<UpdateMember>,
) -> Answer<Json<Member>> {
    Ok(Json(session.update_member(id(&member)?, input).await?))
}

pub async fn delete(SignedIn(session): SignedIn, Path(member): Path<String>) -> Answer<StatusCode> {
    session.remove_member(id(&member)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
