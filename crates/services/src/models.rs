//! Model connections, and the clients that speak to them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use domain::audit::Deed;
use domain::models::{
    ConnectionKind, ConnectionTest, CreateModelConnection, Model, ModelConnection, Models,
    UpdateModelConnection,
};
use domain::runs::RunError;
use domain::{
    Action, ConnectionId, Error, FieldErrors, Page, Paged, Secret, Timestamp, WorkspaceId, expose,
};
use futures::future::join_all;
use llm::ChatModel;
use llm::local::Local;
use llm::openai::OpenAi;
use outbound::Outbound;
use store::TenantTx;
use store::models::StoredConnection;
use store::vault::Vault;
use url::Url;

use crate::fault::OrFault;
use crate::{Session, mint};

/// Makes model clients and keeps them, so that their connections stay warm.
pub(crate) struct ModelPool {
    vault: Vault,
    outbound: Outbound,
    local: Arc<Local>,
    clients: Mutex<HashMap<(WorkspaceId, ConnectionId), Kept>>,
}

struct Kept {
    updated_at: Timestamp,
    client: Arc<dyn ChatModel>,
}

/// Clients kept at most; more than any one process needs warm.
const MAX_CLIENTS: usize = 1_000;

impl ModelPool {
    pub(crate) fn new(vault: Vault, outbound: Outbound, weights: Option<PathBuf>) -> Self {
        Self {
            vault,
            outbound,
            local: Arc::new(Local::new(weights)),
            clients: Mutex::default(),
        }
    }

    pub(crate) fn has_local_model(&self) -> bool {
        self.local.is_installed()
    }

    /// The client of a connection that has not changed since `updated_at`, if it is kept.
    pub(crate) fn kept(
        &self,
        workspace_id: WorkspaceId,
        id: ConnectionId,
        updated_at: Timestamp,
    ) -> Option<Arc<dyn ChatModel>> {
        let clients = self.clients.lock().expect("no holder panics");
        clients
            .get(&(workspace_id, id))
            .filter(|kept| kept.updated_at == updated_at)
            .map(|kept| kept.client.clone())
    }

    /// The client of a connection. Inner error: why the run cannot be.
    pub(crate) async fn client(
        &self,
        tx: &mut TenantTx,
        id: ConnectionId,
    ) -> store::Result<Result<Arc<dyn ChatModel>, RunError>> {
        let Some(stored) = tx.find_model_connection(id).await? else {
            return Ok(Err(missing_connection()));
        };
        let connection = &stored.connection;
        if let Some(client) = self.kept(tx.workspace_id(), id, connection.updated_at) {
            return Ok(Ok(client));
        }
        let client = match self.connect(tx, &stored).await? {
            Ok(client) => client,
            Err(error) => return Ok(Err(error)),
        };
        let mut clients = self.clients.lock().expect("no holder panics");
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        let kept = Kept {
            updated_at: connection.updated_at,
            client: client.clone(),
        };
        clients.insert((tx.workspace_id(), id), kept);
        Ok(Ok(client))
    }

    async fn connect(
        &self,
        tx: &mut TenantTx,
        stored: &StoredConnection,
    ) -> store::Result<Result<Arc<dyn ChatModel>, RunError>> {
        let connection = &stored.connection;
        if connection.kind == ConnectionKind::Local {
            return Ok(Ok(self.local.clone()));
        }
        let Some(base_url) = api_url(connection) else {
            return Ok(Err(missing_connection()));
        };
        let api_key = match stored.secret_id {
            Some(id) => tx.find_secret(&self.vault, id).await?,
            None => None,
        };
        Ok(Ok(Arc::new(OpenAi::new(
            self.outbound.clone(),
            base_url,
            api_key,
        ))))
    }
}

#[async_trait]
impl Models for Session {
    async fn list_model_connections(&self, page: Page) -> Result<Paged<ModelConnection>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let paged = tx.list_model_connections(&page).await.or_fault()?;
        Ok(Paged {
            items: paged
                .items
                .into_iter()
                .map(|stored| stored.connection)
                .collect(),
            next: paged.next,
        })
    }

    async fn get_model_connection(&self, id: ConnectionId) -> Result<ModelConnection, Error> {
        let mut tx = self.begin(Action::Read).await?;
        Ok(get(&mut tx, id).await?.connection)
    }

    async fn create_model_connection(
        &self,
        input: CreateModelConnection,
    ) -> Result<ModelConnection, Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionCreate)
            .await?;
        input.validate()?;
        let base_url = clean_url(input.kind, input.base_url.as_deref())?;
        let now = mint::now();
        let mut stored = StoredConnection {
            connection: ModelConnection {
                id: mint::id(),
                name: input.name.trim().to_owned(),
                kind: input.kind,
                base_url,
                has_api_key: false,
                created_at: now,
                updated_at: now,
            },
            secret_id: None,
        };
        if let Some(api_key) = input.api_key {
            self.put_key(&mut tx, &mut stored, api_key).await?;
        }
        name_conflict(tx.create_model_connection(&stored).await)?;
        let connection = stored.connection;
        tx.commit(connection.id.uuid(), &connection.name).await?;
        Ok(connection)
    }

    async fn update_model_connection(
        &self,
        id: ConnectionId,
        input: UpdateModelConnection,
    ) -> Result<ModelConnection, Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionUpdate)
            .await?;
        let mut stored = get(&mut tx, id).await?;
        let kind = stored.connection.kind;
        if let Some(name) = input.name {
            let mut errors = FieldErrors::default();
            errors.line("name", &name, 80);
            errors.finish()?;
            stored.connection.name = name.trim().to_owned();
        }
        if let Some(base_url) = input.base_url {
            stored.connection.base_url = clean_url(kind, Some(&base_url))?;
        }
        stored.connection.updated_at = mint::now();
        if let Some(api_key) = input.api_key {
            self.put_key(&mut tx, &mut stored, api_key).await?;
        }
        name_conflict(tx.update_model_connection(&stored).await)?;
        let connection = stored.connection;
        tx.commit(id.uuid(), &connection.name).await?;
        Ok(connection)
    }

    async fn delete_model_connection(&self, id: ConnectionId) -> Result<(), Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionDelete)
            .await?;
        let stored = get(&mut tx, id).await?;
        let users = tx.list_agents_using(id).await.or_fault()?;
        if !users.is_empty() {
            return Err(Error::conflict(format!(
                "these agents use it: {}; give them another model first",
                users.join(", ")
            )));
        }
        tx.delete_model_connection(id).await.or_fault()?;
        if let Some(secret_id) = stored.secret_id {
            tx.delete_secret(secret_id).await.or_fault()?;
        }
        tx.commit(id.uuid(), &stored.connection.name).await
    }

    async fn test_model_connection(&self, id: ConnectionId) -> Result<ConnectionTest, Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionTest)
            .await?;
        let stored = get(&mut tx, id).await?;
        let client = self.services.models.client(&mut tx, id).await.or_fault()?;
        tx.commit(id.uuid(), &stored.connection.name).await?;
        let started = Instant::now();
        let error = match client {
            Ok(client) => client
                .list_models()
                .await
                .err()
                .map(|error| error.to_fault()),
            Err(error) => Some(domain::models::ModelFault {
                kind: error.kind,
                message: error.message,
            }),
        };
        Ok(ConnectionTest {
            ok: error.is_none(),
            latency_ms: started.elapsed().as_millis() as u64,
            error,
        })
    }

    async fn list_models(&self) -> Result<Paged<Model>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let connections = tx
            .list_model_connections(&Page::first(100))
            .await
            .or_fault()?;
        let mut clients = Vec::new();
        for stored in connections.items {
            let id = stored.connection.id;
            if let Ok(client) = self.services.models.client(&mut tx, id).await.or_fault()? {
                clients.push((id, client));
            }
        }
        drop(tx);
        let lists = clients.into_iter().map(|(id, client)| async move {
            let models = client.list_models().await.unwrap_or_default();
            models.into_iter().map(move |model| Model {
                id: format!("{id}/{}", model.name),
                connection_id: id,
                name: model.name,
                context_window: model.context_window,
                supports_tools: model.supports_tools,
            })
        });
        Ok(Paged {
            items: join_all(lists).await.into_iter().flatten().collect(),
            next: None,
        })
    }
}

impl Session {
    /// Stores a key, or removes the stored one if the new one is empty.
    async fn put_key(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredConnection,
        api_key: Secret,
    ) -> Result<(), Error> {
        let api_key = Secret::new(expose(&api_key).trim());
        if expose(&api_key).is_empty() {
            stored.secret_id = None;
        } else {
            check_key(&api_key)?;
            let id = stored.secret_id.unwrap_or_else(mint::id);
            let now = stored.connection.updated_at;
            tx.put_secret(&self.services.vault, id, &api_key.into_inner(), now)
                .await
                .or_fault()?;
            stored.secret_id = Some(id);
        }
        stored.connection.has_api_key = stored.secret_id.is_some();
        Ok(())
    }
}

/// What a run says whose agent lost its model.
pub(crate) fn missing_connection() -> RunError {
    RunError {
        kind: "model_missing".to_owned(),
        message: "the agent's model connection is gone; choose another in the agent's settings"
            .to_owned(),
        retryable: false,
    }
}

async fn get(tx: &mut TenantTx, id: ConnectionId) -> Result<StoredConnection, Error> {
    tx.find_model_connection(id)
        .await
        .or_fault()?
        .ok_or(Error::NotFound)
}

/// A key travels in a header.
fn check_key(api_key: &Secret) -> Result<(), Error> {
    let text = expose(api_key);
    if text.len() > 1_000 || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Error::invalid(
            "api_key",
            "must be at most 1000 visible ASCII characters",
        ));
    }
    Ok(())
}

/// The address to keep, without a slash at the end.
fn clean_url(kind: ConnectionKind, text: Option<&str>) -> Result<Option<String>, Error> {
    if kind == ConnectionKind::Local {
        return Ok(None);
    }
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let Some(text) = text.or(kind.default_base_url()) else {
        return Err(Error::invalid("base_url", "is required"));
    };
    let wrong = |message: &str| Error::invalid("base_url", message);
    let url =
        Url::parse(text).map_err(|_| wrong("must be a URL such as https://api.example.com/v1"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "must not hold a user name or password; use the key field",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must not have a query or fragment"));
    }
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

/// Where the OpenAI-compatible API of a connection is.
fn api_url(connection: &ModelConnection) -> Option<Url> {
    let base_url = connection.base_url.as_deref()?;
    let text = match connection.kind {
        ConnectionKind::Ollama => format!("{base_url}/v1"),
        _ => base_url.to_owned(),
    };
    Url::parse(&text).ok()
}

fn name_conflict(result: store::Result<()>) -> Result<(), Error> {
    match result {
        Err(store::Error::Constraint(name)) if name == "model_connections_name_key" => Err(
            Error::conflict("another connection has this name; choose a different one"),
        ),
        other => other.or_fault(),
    }
}
