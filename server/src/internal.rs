//! `/internal/tool-servers`: what other processes of the installation ask this one for. Nobody else
//! is answered: a ticket proves that whoever asks has the master key and means this very process.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use domain::{McpServerId, WorkspaceId};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use mcp::gateway::{Caller, GatewayService};
use serde_json::json;
use services::{HeldServer, NotHere, Services};
use tokio_util::sync::CancellationToken;

use crate::router::MAX_BODY_BYTES;

#[derive(Clone)]
struct Inside {
    services: Services,
    gateway: GatewayService,
}

/// The routes, which no guard of the site stands before: processes know each other by addresses.
pub fn routes(services: Services, stopping: CancellationToken) -> Router {
    let process = uuid::Uuid::new_v4().simple().to_string();
    // Whatever the address is by which this process is known.
    let gateway = GatewayService::new(Vec::new(), Vec::new(), MAX_BODY_BYTES, process, stopping);
    let inside = Inside { services, gateway };
    let server = "/internal/tool-servers/{workspace}/{server}";
    Router::new()
        .route(&format!("{server}/connection"), post(make_ready))
        .route(&format!("{server}/tools"), any(tools))
        .route(&format!("{server}/container"), get(container))
        .with_state(inside)
}

type Server = Path<(String, String)>;

async fn make_ready(State(inside): State<Inside>, server: Server, headers: HeaderMap) -> Response {
    let Some(held) = inside.held(server, &headers) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match held.make_ready().await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(NotHere::Elsewhere) => StatusCode::CONFLICT.into_response(),
        Err(NotHere::Failed(reason)) => told(StatusCode::UNPROCESSABLE_ENTITY, &reason),
        Err(NotHere::NotNow(reason)) => told(StatusCode::SERVICE_UNAVAILABLE, &reason),
    }
}

fn told(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({"reason": reason}))).into_response()
}

async fn tools(State(inside): State<Inside>, server: Server, req: Request) -> Response {
    let Some(held) = inside.held(server, req.headers()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (mut parts, body) = req.into_parts();
    parts.headers.remove(AUTHORIZATION);
    parts.extensions.insert(Caller(held.caller()));
    let req = Request::from_parts(parts, body);
    inside.gateway.handle(req).await.map(Body::new)
}

async fn container(State(inside): State<Inside>, server: Server, headers: HeaderMap) -> Response {
    match inside.held(server, &headers) {
        Some(held) => Json(held.seen().await).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Inside {
    fn held(&self, Path((workspace, server)): Server, headers: &HeaderMap) -> Option<HeldServer> {
        let workspace_id: WorkspaceId = workspace.parse().ok()?;
        let id: McpServerId = server.parse().ok()?;
        let ticket = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let ticket = ticket.strip_prefix("Bearer ")?;
        self.services.held_server(workspace_id, id, ticket)
    }
}
