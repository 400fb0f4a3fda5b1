//! `/agents`

use axum::Json;
use axum::extract::Path;
use domain::agents::{Agent, AgentConfig, AgentSummary, AgentVersion, Agents, UpdateAgent};
use domain::{Error, Paged};
use http::StatusCode;

use super::{Answer, Body, Created, PageQuery, id};
use crate::authentication::SignedIn;

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<AgentSummary>>> {
    Ok(Json(session.list_agents(page).await?))
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

pub async fn delete(SignedIn(session): SignedIn, Path(agent): Path<String>) -> Answer<StatusCode> {
    session.delete_agent(id(&agent)?).await?;
    Ok(StatusCode::NO_CONTENT)
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
