//! Agents and their versions.

mod changes;
mod file;
mod names;
mod templates;

use std::collections::HashSet;

use async_trait::async_trait;
use domain::agents::{
    Agent, AgentConfig, AgentFilter, AgentSummary, AgentTemplate, AgentVersion, Agents,
    MAX_AGENT_NAME_CHARS, TagCount, UpdateAgent, VersionChanges,
};
use domain::audit::Deed;
use domain::conversations::Export;
use domain::{Action, AgentId, Error, Page, Paged};
use store::TenantTx;

use self::names::Names;
use crate::change::Change;
use crate::fault::OrFault;
use crate::tools::check_schema;
use crate::{Session, mint};

#[async_trait]
impl Agents for Session {
    async fn list_agents(
        &self,
        filter: AgentFilter,
        page: Page,
    ) -> Result<Paged<AgentSummary>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let filter = filter.checked()?;
        tx.list_agents(&filter, &page).await.or_fault()
    }

    async fn list_agent_tags(&self) -> Result<Vec<TagCount>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        tx.list_agent_tags().await.or_fault()
    }

    async fn get_agent(&self, id: AgentId) -> Result<Agent, Error> {
        let mut tx = self.begin(Action::Read).await?;
        get(&mut tx, id).await
    }

    async fn create_agent(&self, input: AgentConfig) -> Result<Agent, Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentCreate).await?;
        let config = checked(&mut tx, input).await?;
        self.create(tx, config).await
    }

    async fn update_agent(&self, id: AgentId, input: UpdateAgent) -> Result<Agent, Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentUpdate).await?;
        let agent = get_editable(&mut tx, id).await?;
        let config = checked(&mut tx, input.apply(agent.config.clone())).await?;
        if config == agent.config {
            return Ok(agent);
        }
        self.save(tx, agent, config).await
    }

    async fn get_agent_draft(&self, id: AgentId) -> Result<Agent, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let agent = get(&mut tx, id).await?;
        draft(&mut tx, &agent).await?.ok_or(Error::NotFound)
    }

    async fn update_agent_draft(&self, id: AgentId, input: UpdateAgent) -> Result<Agent, Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentDraft).await?;
        let agent = get_editable(&mut tx, id).await?;
        let start = draft(&mut tx, &agent).await?.unwrap_or(agent);
        let config = checked(&mut tx, input.apply(start.config.clone())).await?;
        if config == start.config {
            return Ok(start);
        }
        let version = tx.next_agent_version(id).await.or_fault()?;
        let saved = Agent {
            version,
            draft_version: Some(version),
            config,
            updated_at: mint::now(),
            ..start
        };
        tx.save_agent_draft(&saved, self.actor.user_id)
            .await
            .or_fault()?;
        tx.commit(id.uuid(), &saved.config.name).await?;
        Ok(saved)
    }

    async fn publish_agent_draft(&self, id: AgentId) -> Result<Agent, Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentPublish).await?;
        let agent = get_editable(&mut tx, id).await?;
        let draft = draft(&mut tx, &agent).await?;
        let draft = draft.ok_or_else(|| Error::conflict("this agent has no draft to publish"))?;
        // What it names may be gone by now.
        checked(&mut tx, draft.config.clone()).await?;
        let now = mint::now();
        tx.publish_agent_draft(id, now).await.or_fault()?;
        tx.commit(id.uuid(), &draft.config.name).await?;
        self.services.agent_changed(id).await;
        Ok(Agent {
            draft_version: None,
            updated_at: now,
            ..draft
        })
    }

    async fn discard_agent_draft(&self, id: AgentId) -> Result<(), Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentDiscard).await?;
        let agent = get_editable(&mut tx, id).await?;
        if !tx.discard_agent_draft(id).await.or_fault()? {
            return Err(Error::NotFound);
        }
        tx.commit(id.uuid(), &agent.config.name).await
    }

    async fn duplicate_agent(&self, id: AgentId) -> Result<Agent, Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentCreate).await?;
        let mut config = get_editable(&mut tx, id).await?.config;
        config.name = copy_name(&config.name);
        let config = checked(&mut tx, config).await?;
        self.create(tx, config).await
    }

    async fn export_agent(&self, id: AgentId) -> Result<Export, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let agent = get(&mut tx, id).await?;
        let names = Names::read(&mut tx).await?;
        file::export(agent.config, &names)
    }

    async fn import_agent(&self, file: String) -> Result<Agent, Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentCreate).await?;
        let file = file::read(&file)?;
        let names = Names::read(&mut tx).await?;
        let config = file::config(file, &names)?;
        let config = checked(&mut tx, config).await;
        self.create(tx, config.map_err(file::as_named)?).await
    }

    async fn list_agent_templates(&self) -> Result<Vec<AgentTemplate>, Error> {
        self.actor.require(Action::Read)?;
        Ok(templates::list())
    }

    async fn delete_agent(&self, id: AgentId) -> Result<(), Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentDelete).await?;
        let agent = get(&mut tx, id).await?;
        tx.archive_agent(id, mint::now()).await.or_fault()?;
        tx.commit(id.uuid(), &agent.config.name).await?;
        self.services.agent_changed(id).await;
        Ok(())
    }

    async fn list_agent_versions(
        &self,
        id: AgentId,
        page: Page,
    ) -> Result<Paged<AgentVersion>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        get(&mut tx, id).await?;
        tx.list_agent_versions(id, &page).await.or_fault()
    }

    async fn list_agent_changes(
        &self,
        id: AgentId,
        page: Page,
    ) -> Result<Paged<VersionChanges>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        get(&mut tx, id).await?;
        let versions = tx.list_agent_versions(id, &page).await.or_fault()?;
        // The last of the page is compared with the first of the next.
        let before = match versions.items.last() {
            Some(last) if last.version > 1 => tx
                .find_agent_version(id, last.version - 1)
                .await
                .or_fault()?,
            _ => None,
        };
        let names = Names::read(&mut tx).await?;
        drop(tx);
        let compare = move || changes::of(versions, before, &names);
        tokio::task::spawn_blocking(compare)
            .await
            .map_err(|error| crate::internal(&error.into()))
    }

    async fn restore_agent_version(&self, id: AgentId, version: u32) -> Result<Agent, Error> {
        let mut tx = self.change(Action::BuildAgents, Deed::AgentRestore).await?;
        let agent = get_editable(&mut tx, id).await?;
        let config = tx
            .find_agent_version(id, version)
            .await
            .or_fault()?
            .ok_or(Error::NotFound)?;
        let config = checked(&mut tx, config).await?;
        self.save(tx, agent, config).await
    }
}

impl Session {
    async fn create(&self, mut tx: Change, config: AgentConfig) -> Result<Agent, Error> {
        let now = mint::now();
        let agent = Agent {
            id: mint::id(),
            version: 1,
            draft_version: None,
            config,
            created_at: now,
            updated_at: now,
            archived_at: None,
        };
        tx.create_agent(&agent, self.actor.user_id)
            .await
            .or_fault()?;
        tx.commit(agent.id.uuid(), &agent.config.name).await?;
        Ok(agent)
    }

    /// Writes a new version and makes it live.
    async fn save(
        &self,
        mut tx: Change,
        agent: Agent,
        config: AgentConfig,
    ) -> Result<Agent, Error> {
        let agent = Agent {
            version: tx.next_agent_version(agent.id).await.or_fault()?,
            draft_version: None,
            config,
            updated_at: mint::now(),
            ..agent
        };
        tx.save_agent(&agent, self.actor.user_id).await.or_fault()?;
        tx.commit(agent.id.uuid(), &agent.config.name).await?;
        self.services.agent_changed(agent.id).await;
        Ok(agent)
    }
}

async fn get(tx: &mut TenantTx, id: AgentId) -> Result<Agent, Error> {
    tx.find_agent(id).await.or_fault()?.ok_or(Error::NotFound)
}

/// An agent that nobody else changes before the transaction ends.
async fn get_editable(tx: &mut TenantTx, id: AgentId) -> Result<Agent, Error> {
    tx.lock_agent(id).await.or_fault()?;
    let agent = get(tx, id).await?;
    if agent.archived_at.is_some() {
        return Err(Error::conflict("this agent was deleted"));
    }
    Ok(agent)
}

/// The agent as its draft says, if it has one.
async fn draft(tx: &mut TenantTx, agent: &Agent) -> Result<Option<Agent>, Error> {
    let Some(version) = agent.draft_version else {
        return Ok(None);
    };
    let config = tx.find_agent_version(agent.id, version).await.or_fault()?;
    Ok(config.map(|config| Agent {
        version,
        config,
        ..agent.clone()
    }))
}

/// The name of a copy, no longer than a name may be.
fn copy_name(name: &str) -> String {
    const MARK: &str = " (copy)";
    let room = MAX_AGENT_NAME_CHARS - MARK.chars().count();
    let name: String = name.chars().take(room).collect();
    format!("{}{MARK}", name.trim_end())
}

/// Trims and checks a config, the connection included.
async fn checked(tx: &mut TenantTx, config: AgentConfig) -> Result<AgentConfig, Error> {
    let config = config.tidy();
    config.validate()?;
    if let Some(schema) = &config.output_schema {
        check_schema(schema)
            .map_err(|why| Error::invalid("output_schema", format!("is no JSON Schema: {why}")))?;
    }
    let fields = (0..config.fallbacks.len()).map(|index| format!("fallbacks[{index}]"));
    let fields: Vec<String> = std::iter::once("model".to_owned()).chain(fields).collect();
    let choices = std::iter::once(&config.model).chain(&config.fallbacks);
    for (field, choice) in fields.iter().zip(choices) {
        let connection = tx
            .find_model_connection(choice.connection_id)
            .await
            .or_fault()?;
        if connection.is_none() {
            return Err(Error::invalid(
                format!("{field}.connection_id"),
                "there is no such model connection in this workspace",
            ));
        }
    }
    check_servers(tx, &config).await?;
    Ok(config)
}

/// Every tool's server must be there; whether it still offers the tool may change at any time.
async fn check_servers(tx: &mut TenantTx, config: &AgentConfig) -> Result<(), Error> {
    let mut known = HashSet::new();
    for (index, tool) in config.tools.iter().enumerate() {
        let Some(id) = tool.server_id.filter(|id| !known.contains(id)) else {
            continue;
        };
        if tx.find_mcp_server(id).await.or_fault()?.is_none() {
            return Err(Error::invalid(
                format!("tools[{index}].server_id"),
                "there is no such tool server in this workspace",
            ));
        }
        known.insert(id);
    }
    Ok(())
}
