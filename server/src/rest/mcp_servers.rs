//! `/mcp-servers`

use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use domain::Paged;
use domain::containers::{CatalogEntry, ContainerReport, ServerLogLine};
use domain::mcp_servers::{
    CreateMcpServer, McpServer, McpServers, McpTool, SignInAddress, UpdateMcpServer,
};
use http::StatusCode;
use serde::Deserialize;

use super::{Answer, Body, Created, PageQuery, id, parse};
use crate::authentication::SignedIn;

/// What was looked at before it was accepted.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    #[serde(default)]
    definition_hash: Option<String>,
}

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<McpServer>>> {
    Ok(Json(session.list_mcp_servers(page).await?))
}

pub async fn create(
    SignedIn(session): SignedIn,
    Body(input): Body<CreateMcpServer>,
) -> Answer<Created<McpServer>> {
    let server = session.create_mcp_server(input).await?;
    Ok(Created::at(&format!("mcp-servers/{}", server.id), server))
}

pub async fn get(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
) -> Answer<Json<McpServer>> {
    Ok(Json(session.get_mcp_server(id(&server)?).await?))
}

pub async fn update(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
    Body(input): Body<UpdateMcpServer>,
) -> Answer<Json<McpServer>> {
    Ok(Json(session.update_mcp_server(id(&server)?, input).await?))
}

pub async fn delete(SignedIn(session): SignedIn, Path(server): Path<String>) -> Answer<StatusCode> {
    session.delete_mcp_server(id(&server)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn restart(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
) -> Answer<Json<McpServer>> {
    Ok(Json(session.restart_mcp_server(id(&server)?).await?))
}

pub async fn begin_sign_in(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
) -> Answer<Json<SignInAddress>> {
    let url = session.begin_mcp_sign_in(id(&server)?).await?;
    Ok(Json(SignInAddress { url }))
}

pub async fn end_sign_in(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
) -> Answer<StatusCode> {
    session.end_mcp_sign_in(id(&server)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn stop(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
) -> Answer<Json<McpServer>> {
    Ok(Json(session.stop_mcp_server(id(&server)?).await?))
}

pub async fn list_logs(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<ServerLogLine>>> {
    let lines = session.list_mcp_server_log(id(&server)?, page).await?;
    Ok(Json(lines))
}

pub async fn get_container(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
) -> Answer<Json<ContainerReport>> {
    let report = session.get_mcp_server_container(id(&server)?).await?;
    Ok(Json(report))
}

pub async fn list_catalog(SignedIn(session): SignedIn) -> Answer<Json<Paged<CatalogEntry>>> {
    let items = session.list_mcp_catalog().await?;
    Ok(Json(Paged { items, next: None }))
}

/// Puts a server into the catalog; the body is its file.
pub async fn create_catalog_entry(
    SignedIn(session): SignedIn,
    body: Bytes,
) -> Answer<Created<CatalogEntry>> {
    let entry = session.create_mcp_catalog_entry(parse(&body)?).await?;
    Ok(Created::at(&format!("mcp-catalog/{}", entry.key), entry))
}

pub async fn delete_catalog_entry(
    SignedIn(session): SignedIn,
    Path(key): Path<String>,
) -> Answer<StatusCode> {
    session.delete_mcp_catalog_entry(&key).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn list_tools(
    SignedIn(session): SignedIn,
    Path(server): Path<String>,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<McpTool>>> {
    Ok(Json(session.list_mcp_tools(id(&server)?, page).await?))
}

/// Accepts a changed definition; the body may name the hash that was looked at.
pub async fn accept_tool(
    SignedIn(session): SignedIn,
    Path((server, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer<Json<McpTool>> {
    let acceptance: Acceptance = match body.is_empty() {
        true => Acceptance::default(),
        false => parse(&body)?,
    };
    let seen = acceptance.definition_hash.as_deref();
    let tool = session.accept_mcp_tool(id(&server)?, &name, seen).await?;
    Ok(Json(tool))
}
