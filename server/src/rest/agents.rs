//! `/agents`

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::response::Response;
use domain::agents::{
    Agent, AgentConfig, AgentFilter, AgentSummary, AgentTemplate, AgentVersion, Agents, TagCount,
    UpdateAgent, VersionChanges,
};
use domain::{Error, Paged};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::{Answer, Body, Created, PageQuery, attachment, id};
use crate::authentication::SignedIn;
use crate::problem::Problem;

/// What an imported file may be called; JSON is YAML, too.
const YAML: [&str; 5] = [
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
    "application/json",
];

#[derive(Deserialize)]
pub struct FilterQuery {
    search: Option<String>,
    tag: Option<String>,
}

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
    filter: Result<Query<FilterQuery>, QueryRejection>,
) -> Answer<Json<Paged<AgentSummary>>> {
    let Query(FilterQuery { search, tag }) =
        filter.map_err(|error| Problem::malformed(error.body_text()))?;
    let filter = AgentFilter { search, tag };
    Ok(Json(session.list_agents(filter, page).await?))
}

pub async fn list_tags(SignedIn(session): SignedIn) -> Answer<Json<Paged<TagCount>>> {
    Ok(Json(whole(session.list_agent_tags().await?)))
}

pub async fn list_templates(SignedIn(session): SignedIn) -> Answer<Json<Paged<AgentTemplate>>> {
    Ok(Json(whole(session.list_agent_templates().await?)))
}

pub async fn create(
    SignedIn(session): SignedIn,
    Body(input): Body<AgentConfig>,
) -> Answer<Created<Agent>> {
    let agent = session.create_agent(input).await?;
    Ok(Created::at(&format!("agents/{}", agent.id), agent))
}

pub async fn get(SignedIn(session): SignedIn, Path(agent): Path<String>) -> Answer<Json<Agent>> {
    Ok(Json(session.get_agent(id(&agent)?).await?))
}

pub async fn update(
    SignedIn(session): SignedIn,
    Path(agent): Path<String>,
    Body(input): Body<UpdateAgent>,
) -> Answer<Json<Agent>> {
    Ok(Json(session.update_agent(id(&agent)?, input).await?))
}

pub async fn get_draft(
    SignedIn(session): SignedIn,
    Path(agent): Path<String>,
) -> Answer<Json<Agent>> {
    Ok(Json(session.get_agent_draft(id(&agent)?).await?))
}

pub async fn update_draft(
    SignedIn(session): SignedIn,
    Path(agent): Path<String>,
    Body(input): Body<UpdateAgent>,
) -> Answer<Json<Agent>> {
    Ok(Json(session.update_agent_draft(id(&agent)?, input).await?))
}

pub async fn discard_draft(
    SignedIn(session): SignedIn,
    Path(agent): Path<String>,
) -> Answer<StatusCode> {
    session.discard_agent_draft(id(&agent)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn publish_draft(
    SignedIn(session): SignedIn,
    Path(agent): Path<String>,
) -> Answer<Json<Agent>> {
    Ok(Json(session.publish_agent_draft(id(&agent)?).await?))
}

pub async fn delete(SignedIn(session): SignedIn, Path(agent): Path<String>) -> Answer<StatusCode> {
    session.delete_agent(id(&agent)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn duplicate(
    SignedIn(session): SignedIn,
    Path(agent): Path<String>,
) -> Answer<Created<Agent>> {
    let agent = session.duplicate_agent(id(&agent)?).await?;
    Ok(Created::at(&format!("agents/{}", agent.id), agent))
}

pub async fn export(SignedIn(session): SignedIn, Path(agent): Path<String>) -> Answer<Response> {
    Ok(attachment(session.export_agent(id(&agent)?).await?))
}

pub async fn import(
    SignedIn(session): SignedIn,
    headers: HeaderMap,
    file: Result<Bytes, BytesRejection>,
) -> Answer<Created<Agent>> {
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()?.split(';').next());
    if !kind.is_some_and(|kind| YAML.contains(&kind.trim().to_ascii_lowercase().as_str())) {
        let detail = "send YAML with content-type: application/yaml".to_owned();
        return Err(Problem::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let file = file.map_err(|error| Problem::Http(error.status(), error.body_text()))?;
    let file = String::from_utf8(file.into())
        .map_err(|_| Problem::malformed("the file is no UTF-8 text"))?;
    let agent = session.import_agent(file).await?;
    Ok(Created::at(&format!("agents/{}", agent.id), agent))
}

pub async fn list_changes(
    SignedIn(session): SignedIn,
    Path(agent): Path<String>,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<VersionChanges>>> {
    Ok(Json(session.list_agent_changes(id(&agent)?, page).await?))
}

pub async fn list_versions(
    SignedIn(session): SignedIn,
    Path(agent): Path<String>,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<AgentVersion>>> {
    Ok(Json(session.list_agent_versions(id(&agent)?, page).await?))
}

pub async fn restore(
    SignedIn(session): SignedIn,
    Path((agent, version)): Path<(String, String)>,
) -> Answer<Created<Agent>> {
    let version = version.parse().map_err(|_| Error::NotFound)?;
    let agent = session.restore_agent_version(id(&agent)?, version).await?;
    Ok(Created::at(&format!("agents/{}", agent.id), agent))
}

/// A list that fits on one page.
fn whole<T>(items: Vec<T>) -> Paged<T> {
    Paged { items, next: None }
}
