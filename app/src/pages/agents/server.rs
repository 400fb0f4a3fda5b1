//! Server functions of the agents pages.

use domain::agents::{Agent, AgentSummary, AgentVersion};
use domain::models::ModelConnection;
use domain::{AgentId, Error, Paged};
#[cfg(feature = "ssr")]
use domain::{
    Page,
    agents::{Limits, UpdateAgent},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pages::agents::form::AgentForm;
use crate::pages::tools::server::ServerChoice;
use crate::time::AsOf;

/// What an agent's page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    /// The agent.
    pub agent: Agent,
    /// Its latest versions, newest first.
    pub versions: Vec<AgentVersion>,
    /// What it can choose from.
    pub choices: AgentChoices,
}

/// What an agent can choose from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentChoices {
    /// Connections with models, at most 100.
    pub connections: Vec<ModelConnection>,
    /// Tool servers with their tools, at most 100.
    pub servers: Vec<ServerChoice>,
}

/// A page of agents, newest first.
#[server]
pub async fn list_agents(after: Option<String>) -> Result<AsOf<Paged<AgentSummary>>, Error> {
    let value = crate::context::platform()?
        .list_agents(Page::new(None, after)?)
        .await?;
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}

/// One agent as its page shows it.
#[server]
pub async fn get_agent(id: AgentId) -> Result<AsOf<AgentDetail>, Error> {
    let platform = crate::context::platform()?;
    let agent = platform.get_agent(id).await?;
    let versions = platform
        .list_agent_versions(id, Page::first(20))
        .await?
        .items;
    let choices = choices(&*platform).await?;
    Ok(AsOf {
        now: crate::context::now(),
        value: AgentDetail {
            agent,
            versions,
            choices,
        },
    })
}

/// What a new agent can choose from.
#[server]
pub async fn get_agent_choices() -> Result<AgentChoices, Error> {
    choices(&*crate::context::platform()?).await
}

#[cfg(feature = "ssr")]
async fn choices(platform: &dyn domain::Platform) -> Result<AgentChoices, Error> {
    let connections = platform.list_model_connections(Page::first(100)).await?;
    Ok(AgentChoices {
        connections: connections.items,
        servers: crate::pages::tools::server::choices(platform).await?,
    })
}

/// Makes an agent and shows it.
#[server]
pub async fn create_agent(input: AgentForm) -> Result<(), Error> {
    let config = input.config(Limits::default())?;
    let agent = crate::context::platform()?.create_agent(config).await?;
    crate::context::go_to(&format!("/agents/{}", agent.id));
    Ok(())
}

/// Saves a new version; answers its number.
#[server]
pub async fn save_agent(id: AgentId, input: AgentForm) -> Result<u32, Error> {
    let platform = crate::context::platform()?;
    let saved = platform.get_agent(id).await?.config;
    let config = input.config(saved.limits)?;
    // The form shows the first fallback; the others stay.
    let others = saved.fallbacks.into_iter().skip(1);
    let change = UpdateAgent {
        name: Some(config.name),
        description: Some(config.description),
        instructions: Some(config.instructions),
        model: Some(config.model),
        fallbacks: Some(config.fallbacks.into_iter().chain(others).collect()),
        tools: Some(config.tools),
        limits: Some(config.limits),
        ..UpdateAgent::default()
    };
    Ok(platform.update_agent(id, change).await?.version)
}

/// Saves an old version as a new one; answers its number.
#[server]
pub async fn restore_version(id: AgentId, version: u32) -> Result<u32, Error> {
    Ok(crate::context::platform()?
        .restore_agent_version(id, version)
        .await?
        .version)
}

/// Deletes an agent and shows the list.
#[server]
pub async fn delete_agent(id: AgentId) -> Result<(), Error> {
    crate::context::platform()?.delete_agent(id).await?;
    crate::context::go_to("/agents");
    Ok(())
}
