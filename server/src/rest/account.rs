//! `/setup`, `/session`, `/me`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::accounts::{Accounts, Me, SetUp, SignIn, SignedIn as FreshSession};
use domain::{Entrance, expose};
use http::StatusCode;
use http::header::SET_COOKIE;
use serde_json::json;

use super::{Answer, Body};
use crate::authentication::SignedIn;
use crate::router::AppState;

pub async fn set_up(State(state): State<AppState>, Body(input): Body<SetUp>) -> Answer<Response> {
    let session = state.services.set_up(input).await?;
    Ok(signed_in(&state, StatusCode::CREATED, &session))
}

pub async fn sign_in(State(state): State<AppState>, Body(input): Body<SignIn>) -> Answer<Response> {
    let session = state.services.sign_in(input).await?;
    Ok(signed_in(&state, StatusCode::CREATED, &session))
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

fn signed_in(state: &AppState, status: StatusCode, session: &FreshSession) -> Response {
    let cookie = state.cookie.set(expose(&session.token));
    let body = json!({"user": session.user, "workspace": session.workspace});
    (status, [(SET_COOKIE, cookie)], Json(body)).into_response()
}
