//! `/setup`, `/session`, `/me`, `/sessions`, `/workspaces`

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use domain::accounts::{
    Accounts, BrowserSession, ChangePassword, Me, NameWorkspace, SetUp, SignIn,
    SignedIn as FreshSession, UpdateProfile, User, Workspace,
};
use domain::{Entrance, Paged, WorkspaceId};
use http::StatusCode;
use http::header::SET_COOKIE;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Body, Created, PageQuery, id};
use crate::authentication::{AtEntrance, SignedIn};
use crate::router::AppState;

/// The workspace to look at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    workspace_id: WorkspaceId,
}

pub async fn set_up(
    State(state): State<AppState>,
    AtEntrance(entrance): AtEntrance,
    Body(input): Body<SetUp>,
) -> Answer<Response> {
    let session = entrance.set_up(input).await?;
    Ok(signed_in(&state, StatusCode::CREATED, &session))
}

pub async fn sign_in(
    State(state): State<AppState>,
    AtEntrance(entrance): AtEntrance,
    Body(input): Body<SignIn>,
) -> Answer<Response> {
    let session = entrance.sign_in(input).await?;
    Ok(signed_in(&state, StatusCode::CREATED, &session))
}

pub async fn switch_workspace(
    State(state): State<AppState>,
    SignedIn(session): SignedIn,
    Body(input): Body<Switch>,
) -> Answer<Response> {
    let session = session.switch_workspace(input.workspace_id).await?;
    Ok(signed_in(&state, StatusCode::OK, &session))
}

pub async fn sign_out(
    State(state): State<AppState>,
    SignedIn(session): SignedIn,
) -> Answer<Response> {
    session.sign_out().await?;
    let headers = [(SET_COOKIE, state.cookie.clear())];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

pub async fn me(SignedIn(session): SignedIn) -> Answer<Json<Me>> {
    Ok(Json(session.me().await?))
}

pub async fn update_profile(
    SignedIn(session): SignedIn,
    Body(input): Body<UpdateProfile>,
) -> Answer<Json<User>> {
    Ok(Json(session.update_profile(input).await?))
}

pub async fn change_password(
    State(state): State<AppState>,
    SignedIn(session): SignedIn,
    Body(input): Body<ChangePassword>,
) -> Answer<Response> {
    let session = session.change_password(input).await?;
    Ok(signed_in(&state, StatusCode::OK, &session))
}

pub async fn list_sessions(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<BrowserSession>>> {
    Ok(Json(session.list_sessions(page).await?))
}

pub async fn delete_session(
    SignedIn(session): SignedIn,
    Path(browser): Path<String>,
) -> Answer<StatusCode> {
    session.delete_session(id(&browser)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn delete_other_sessions(SignedIn(session): SignedIn) -> Answer<StatusCode> {
    session.delete_other_sessions().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn create_workspace(
    SignedIn(session): SignedIn,
    Body(input): Body<NameWorkspace>,
) -> Answer<Created<Workspace>> {
    let workspace = session.create_workspace(input).await?;
    let path = format!("workspaces/{}", workspace.id);
    Ok(Created::at(&path, workspace))
}

pub async fn update_workspace(
    SignedIn(session): SignedIn,
    Path(workspace): Path<String>,
    Body(input): Body<NameWorkspace>,
) -> Answer<Json<Workspace>> {
    let workspace = session.update_workspace(id(&workspace)?, input).await?;
    Ok(Json(workspace))
}

/// Answers with the person and the workspace; the tokens go into cookies.
pub fn signed_in(state: &AppState, status: StatusCode, session: &FreshSession) -> Response {
    let cookies = state.cookie.signed_in(session);
    let cookies = AppendHeaders(cookies.map(|cookie| (SET_COOKIE, cookie)));
    let body = json!({"user": session.user, "workspace": session.workspace});
    (status, cookies, Json(body)).into_response()
}
