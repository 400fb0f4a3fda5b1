//! Who this platform is, for authorization servers that read it in place of a registration.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use url::Url;

/// Where it is.
pub const PATH: &str = "/oauth/client-metadata.json";

/// The document of the client that has the address `id`; none where nobody could read it.
pub fn show(id: Option<&Url>, public_url: &Url) -> Response {
    let Some(id) = id else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let origin = public_url.origin().ascii_serialization();
    let document = json!({
        "client_id": id,
        "client_name": "AgentArea",
        "client_uri": origin,
        "redirect_uris": [format!("{origin}/oauth/callback")],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    Json(document).into_response()
}
