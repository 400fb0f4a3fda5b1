//! Server functions of the agents pages.

use domain::agents::{AgentSummary, TagCount, VersionChanges};
use domain::models::ModelConnection;
use domain::{AgentId, Error, Paged, Timestamp};
#[cfg(feature = "ssr")]
use domain::{
    Page,
    agents::{Agent, AgentFilter, AgentVersion, Limits, UpdateAgent},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pages::agents::form::AgentForm;
use crate::pages::tools::server::ServerChoice;
use crate::time::AsOf;

/// What the pages of an agent say of it. An agent whole would take the browser much code to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentHead {
    /// The id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Number of the live version.
    pub live: u32,
    /// Number of the draft, if there is one.
    pub draft: Option<u32>,
    /// Whether it was deleted.
    pub is_archived: bool,
}

/// A version in the list beside the form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionEntry {
    /// Its number.
    pub version: u32,
    /// Who saved it.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
}

/// What an agent's page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    /// The agent.
    pub agent: AgentHead,
    /// Its draft, or else its live version.
    pub form: AgentForm,
    /// Its latest versions, newest first.
    pub versions: Vec<VersionEntry>,
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

/// What the list shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentList {
    /// A page of agents.
    pub agents: Paged<AgentSummary>,
    /// Every tag in use.
    pub tags: Vec<TagCount>,
}

/// What a new agent starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewAgentStart {
    /// What it can choose from.
    pub choices: AgentChoices,
    /// The gallery.
    pub templates: Vec<TemplateCard>,
    /// Key of the template that was picked; empty for none.
    pub picked: String,
    /// What the form shows.
    pub form: AgentForm,
    /// Keys and titles of servers of the catalog that the picked template is better with.
    pub suggested: Vec<(String, String)>,
}

/// A template in the gallery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateCard {
    /// Names it in addresses.
    pub key: String,
    /// Name of an icon.
    pub icon: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub summary: String,
}

/// What the page of all versions shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentHistory {
    /// The agent.
    pub agent: AgentHead,
    /// A page of versions with what they changed, newest first.
    pub versions: Paged<VersionChanges>,
}

/// A page of the agents that match, newest first.
#[server]
pub async fn list_agents(
    after: Option<String>,
    search: Option<String>,
    tag: Option<String>,
) -> Result<AsOf<AgentList>, Error> {
    let platform = crate::context::platform()?;
    let filter = AgentFilter { search, tag };
    let agents = platform
        .list_agents(filter, Page::new(None, after)?)
        .await?;
    let tags = platform.list_agent_tags().await?;
    Ok(AsOf {
        now: crate::context::now(),
        value: AgentList { agents, tags },
    })
}

/// One agent as its page shows it.
#[server]
pub async fn get_agent(id: AgentId) -> Result<AsOf<AgentDetail>, Error> {
    let platform = crate::context::platform()?;
    let agent = platform.get_agent(id).await?;
    let draft = draft(&*platform, &agent).await?;
    let versions = platform
        .list_agent_versions(id, Page::first(20))
        .await?
        .items;
    let choices = choices(&*platform).await?;
    let entry = |version: AgentVersion| VersionEntry {
        version: version.version,
        author: version.author,
        created_at: version.created_at,
    };
    Ok(AsOf {
        now: crate::context::now(),
        value: AgentDetail {
            form: AgentForm::of(&draft.as_ref().unwrap_or(&agent).config),
            agent: head(agent),
            versions: versions.into_iter().map(entry).collect(),
            choices,
        },
    })
}

/// What a new agent starts from: a template of the gallery, or nothing.
#[server]
pub async fn get_agent_start(template: Option<String>) -> Result<NewAgentStart, Error> {
    let platform = crate::context::platform()?;
    let templates = platform.list_agent_templates().await?;
    let key = template.filter(|key| !key.is_empty());
    let picked = match key {
        Some(key) => {
            let found = templates.iter().find(|template| template.key == key);
            Some(found.cloned().ok_or(Error::NotFound)?)
        }
        None => None,
    };
    let wanted = picked.as_ref().map(|template| template.suggests.clone());
    let suggested = match wanted {
        Some(wanted) if !wanted.is_empty() => {
            let catalog = platform.list_mcp_catalog().await?.into_iter();
            catalog
                .filter(|entry| wanted.contains(&entry.key))
                .map(|entry| (entry.key, entry.title))
                .collect()
        }
        _ => Vec::new(),
    };
    let cards = templates.into_iter().map(|template| TemplateCard {
        key: template.key,
        icon: template.icon,
        name: template.name,
        summary: template.summary,
    });
    let (form, picked) = match picked {
        Some(template) => (AgentForm::of_template(&template), template.key),
        None => (AgentForm::limited(Limits::default()), String::new()),
    };
    Ok(NewAgentStart {
        choices: choices(&*platform).await?,
        templates: cards.collect(),
        picked,
        form,
        suggested,
    })
}

/// A page of an agent's versions with what each changed.
#[server]
pub async fn get_agent_history(
    id: AgentId,
    after: Option<String>,
) -> Result<AsOf<AgentHistory>, Error> {
    let platform = crate::context::platform()?;
    let agent = platform.get_agent(id).await?;
    let page = Page {
        limit: 20,
        ..Page::new(None, after)?
    };
    let versions = platform.list_agent_changes(id, page).await?;
    Ok(AsOf {
        now: crate::context::now(),
        value: AgentHistory {
            agent: head(agent),
            versions,
        },
    })
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
    let platform = crate::context::platform()?;
    let (config, rows) = input.config(None)?;
    let created = platform.create_agent(config).await;
    let agent = created.map_err(|error| rows.in_form(error))?;
    crate::context::go_to(&format!("/agents/{}", agent.id));
    Ok(())
}

/// A version that was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedVersion {
    /// Its number.
    pub version: u32,
    /// Whether it is live now.
    pub is_live: bool,
}

#[cfg(feature = "ssr")]
fn head(agent: Agent) -> AgentHead {
    AgentHead {
        id: agent.id,
        name: agent.config.name,
        tags: agent.config.tags,
        live: agent.version,
        draft: agent.draft_version,
        is_archived: agent.archived_at.is_some(),
    }
}

#[cfg(feature = "ssr")]
async fn draft(platform: &dyn domain::Platform, agent: &Agent) -> Result<Option<Agent>, Error> {
    match agent.draft_version {
        // Somebody else may just have published it.
        Some(_) => match platform.get_agent_draft(agent.id).await {
            Err(Error::NotFound) => Ok(None),
            draft => draft.map(Some),
        },
        None => Ok(None),
    }
}

/// Saves a new version, as a draft or for all to use.
#[server]
pub async fn save_agent(
    id: AgentId,
    input: AgentForm,
    is_draft: Option<bool>,
) -> Result<SavedVersion, Error> {
    let platform = crate::context::platform()?;
    let agent = platform.get_agent(id).await?;
    let draft = draft(&*platform, &agent).await?;
    let has_draft = draft.is_some();
    let saved = draft.map_or(agent.config, |draft| draft.config);
    let (config, rows) = input.config(Some(&saved))?;
    let change = UpdateAgent {
        name: Some(config.name),
        description: Some(config.description),
        instructions: Some(config.instructions),
        model: Some(config.model),
        tags: Some(config.tags),
        fallbacks: Some(config.fallbacks),
        tools: Some(config.tools),
        limits: Some(config.limits),
        conversation_titles: Some(config.conversation_titles),
        output_schema: Some(config.output_schema),
    };
    let is_draft = is_draft.unwrap_or_default();
    let updated = match is_draft || has_draft {
        true => platform.update_agent_draft(id, change).await,
        false => platform.update_agent(id, change).await,
    };
    let mut agent = updated.map_err(|error| rows.in_form(error))?;
    if has_draft && !is_draft {
        agent = platform.publish_agent_draft(id).await?;
    }
    Ok(SavedVersion {
        version: agent.version,
        is_live: agent.draft_version.is_none(),
    })
}

/// Lets an agent's draft go.
#[server]
pub async fn discard_draft(id: AgentId) -> Result<(), Error> {
    crate::context::platform()?.discard_agent_draft(id).await
}

/// Makes a copy of an agent and shows it.
#[server]
pub async fn duplicate_agent(id: AgentId) -> Result<(), Error> {
    let copy = crate::context::platform()?.duplicate_agent(id).await?;
    crate::context::go_to(&format!("/agents/{}", copy.id));
    Ok(())
}

/// Makes an agent of a file and shows it.
#[server]
pub async fn import_agent(file: String) -> Result<(), Error> {
    let agent = crate::context::platform()?.import_agent(file).await?;
    crate::context::go_to(&format!("/agents/{}", agent.id));
    Ok(())
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
