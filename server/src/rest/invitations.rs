//! `/invitations`

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::invitations::{
    AcceptInvitation, CreateInvitation, CreatedInvitation, Invitation, Invitations, Offer,
};
use domain::{Entrance, Paged, Secret};
use http::StatusCode;
use serde::Deserialize;

use super::{Answer, Body, Created, PageQuery, account, id};
use crate::authentication::{AtEntrance, SignedIn};
use crate::router::AppState;

/// The last part of an invitation's link. In the body, so that it is in no log of addresses.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    token: Secret,
}

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<Invitation>>> {
    Ok(Json(session.list_invitations(page).await?))
}

pub async fn create(
    SignedIn(session): SignedIn,
    Body(input): Body<CreateInvitation>,
) -> Answer<Created<CreatedInvitation>> {
    let created = session.create_invitation(input).await?;
    let path = format!("invitations/{}", created.invitation.id);
    Ok(Created::at(&path, created))
}

pub async fn delete(
    SignedIn(session): SignedIn,
    Path(invitation): Path<String>,
) -> Answer<StatusCode> {
    session.delete_invitation(id(&invitation)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn find_offer(
    AtEntrance(entrance): AtEntrance,
    Body(input): Body<Token>,
) -> Answer<Json<Offer>> {
    Ok(Json(entrance.find_offer(&input.token).await?))
}

pub async fn accept(
    State(state): State<AppState>,
    AtEntrance(entrance): AtEntrance,
    Body(input): Body<AcceptInvitation>,
) -> Answer<Response> {
    let session = entrance.accept_invitation(input).await?;
    Ok(account::signed_in(&state, StatusCode::CREATED, &session))
}
