//! Model clients, made once and kept, so that their connections stay warm.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use domain::models::{ConnectionKind, ModelConnection, ModelFacts, UpdateModel};
use domain::runs::RunError;
use domain::{ConnectionId, Timestamp, WorkspaceId};
use llm::anthropic::Anthropic;
use llm::chain::Breaker;
use llm::gemini::Gemini;
use llm::local::Local;
use llm::openai::{MaxTokens, OpenAi};
use llm::responses::Responses;
use llm::{ChatModel, Deadlines, ListedModel};
use outbound::Outbound;
use secrecy::SecretString;
use store::TenantTx;
use store::models::StoredConnection;
use store::vault::Vault;

use super::listing::listed_facts;
use super::{address, catalog};

/// Clients kept at most; more than any one process needs warm.
const MAX_CLIENTS: usize = 1_000;

/// Makes model clients and keeps them.
pub(crate) struct ModelPool {
    vault: Vault,
    pub(super) outbound: Outbound,
    local: Arc<Local>,
    deadlines: Deadlines,
    clients: Mutex<HashMap<(WorkspaceId, ConnectionId), Arc<Connected>>>,
}

/// A connection with its client, as it was at its last change.
pub(crate) struct Connected {
    pub(super) connection: ModelConnection,
    pub(super) client: Arc<dyn ChatModel>,
    /// Its failures in a row.
    pub(super) breaker: Arc<Breaker>,
    /// What people here say of its models.
    edited: HashMap<String, UpdateModel>,
    /// What its server says of them, once it was asked.
    listed: OnceLock<HashMap<String, ModelFacts>>,
}

impl ModelPool {
    pub(crate) fn new(
        vault: Vault,
        outbound: Outbound,
        weights: Option<PathBuf>,
        deadlines: Deadlines,
    ) -> Self {
        Self {
            vault,
            outbound,
            deadlines,
            local: Arc::new(Local::new(weights)),
            clients: Mutex::default(),
        }
    }

    pub(crate) fn has_local_model(&self) -> bool {
        self.local.is_installed()
    }

    /// A connection with its client and what is known of its models. Inner error: why the run
    /// cannot be.
    pub(crate) async fn connected(
        &self,
        tx: &mut TenantTx,
        id: ConnectionId,
    ) -> store::Result<Result<Arc<Connected>, RunError>> {
        let Some(stored) = tx.find_model_connection(id).await? else {
            return Ok(Err(missing_connection()));
        };
        let updated_at = stored.connection.updated_at;
        if let Some(connected) = self.kept_connection(tx.workspace_id(), id, updated_at) {
            return Ok(Ok(connected));
        }
        let Some(client) = self.connect(tx, &stored).await? else {
            return Ok(Err(missing_connection()));
        };
        let connected = Arc::new(Connected {
            client,
            breaker: Arc::default(),
            edited: tx.list_edited_models(id).await?.into_iter().collect(),
            connection: stored.connection,
            listed: OnceLock::new(),
        });
        connected.clone().look_up();
        let mut clients = self.clients.lock().expect("no holder panics");
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.insert((tx.workspace_id(), id), connected.clone());
        Ok(Ok(connected))
    }

    pub(super) fn kept_connection(
        &self,
        workspace_id: WorkspaceId,
        id: ConnectionId,
        updated_at: Timestamp,
    ) -> Option<Arc<Connected>> {
        let clients = self.clients.lock().expect("no holder panics");
        clients
            .get(&(workspace_id, id))
            .filter(|kept| kept.connection.updated_at == updated_at)
            .cloned()
    }

    async fn connect(
        &self,
        tx: &mut TenantTx,
        stored: &StoredConnection,
    ) -> store::Result<Option<Arc<dyn ChatModel>>> {
        let connection = &stored.connection;
        let api_key = match stored.secret_id {
            Some(id) => tx.find_secret(&self.vault, id).await?,
            None => None,
        };
        Ok(self.client(connection, api_key))
    }

    /// A connection that is tried out; nothing of it is kept.
    pub(super) fn untried(
        &self,
        connection: ModelConnection,
        api_key: Option<SecretString>,
    ) -> Option<Connected> {
        Some(Connected {
            client: self.client(&connection, api_key)?,
            breaker: Arc::default(),
            edited: HashMap::new(),
            connection,
            listed: OnceLock::new(),
        })
    }

    /// `None` without an address that can be asked.
    fn client(
        &self,
        connection: &ModelConnection,
        api_key: Option<SecretString>,
    ) -> Option<Arc<dyn ChatModel>> {
        if connection.kind == ConnectionKind::Local {
            return Some(self.local.clone());
        }
        let base_url = address::api_url(connection)?;
        let (outbound, deadlines) = (self.outbound.clone(), self.deadlines);
        Some(match connection.kind {
            ConnectionKind::Anthropic => {
                Arc::new(Anthropic::new(outbound, base_url, api_key).with_deadlines(deadlines))
            }
            ConnectionKind::Gemini => {
                Arc::new(Gemini::new(outbound, base_url, api_key).with_deadlines(deadlines))
            }
            ConnectionKind::OpenAiResponses => {
                Arc::new(Responses::new(outbound, base_url, api_key).with_deadlines(deadlines))
            }
            ConnectionKind::OpenAi => Arc::new(
                OpenAi::new(outbound, base_url, api_key)
                    .with_deadlines(deadlines)
                    .with_max_tokens(MaxTokens::Completion),
            ),
            ConnectionKind::OpenAiCompatible | ConnectionKind::Ollama | ConnectionKind::Local => {
                Arc::new(OpenAi::new(outbound, base_url, api_key).with_deadlines(deadlines))
            }
        })
    }
}

impl Connected {
    /// Asks the server for its models in the background, so that later runs know what it says of them.
    /// It takes 5 s at most.
    fn look_up(self: Arc<Self>) {
        if self.connection.kind == ConnectionKind::Local {
            return;
        }
        tokio::spawn(async move {
            if let Ok(listed) = self.client.list_models().await {
                self.note_listed(&listed);
            }
        });
    }

    /// Remembers what the server says of its models.
    pub(super) fn note_listed(&self, listed: &[ListedModel]) {
        self.listed.get_or_init(|| {
            let facts = listed.iter().map(|it| (it.name.clone(), listed_facts(it)));
            let facts = facts.filter(|(_, facts)| *facts != ModelFacts::default());
            facts.collect()
        });
    }

    /// What is known of a model: people here know best, then its server, then the catalog.
    pub(super) fn facts(&self, name: &str) -> ModelFacts {
        let listed = self.listed.get().and_then(|models| models.get(name));
        self.edited(name)
            .or(listed.copied().unwrap_or_default())
            .or(catalog::facts_of(&self.connection, name))
    }

    /// What people here say of a model.
    pub(super) fn edited(&self, name: &str) -> ModelFacts {
        self.edited
            .get(name)
            .map(|&said| said.into())
            .unwrap_or_default()
    }

    /// Whether people here say anything of a model.
    pub(super) fn is_edited(&self, name: &str) -> bool {
        self.edited.contains_key(name)
    }

    /// Names of the models that people here say something of.
    pub(super) fn edited_names(&self) -> impl Iterator<Item = &str> {
        self.edited.keys().map(String::as_str)
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
