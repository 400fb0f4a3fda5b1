//! An agent's models, in the order in which they are asked.

use domain::agents::{AgentConfig, ModelChoice};
use domain::runs::RunError;
use domain::{Timestamp, WorkspaceId};
use llm::chain::Candidate;
use store::TenantTx;

use super::catalog;
use super::pool::{Connected, ModelPool};

impl ModelPool {
    /// The only model of an agent without fallbacks, if its connection is kept and has not changed
    /// since `updated_at`: then nobody has to be asked.
    pub(crate) fn kept_candidate(
        &self,
        workspace_id: WorkspaceId,
        config: &AgentConfig,
        updated_at: Timestamp,
    ) -> Option<Candidate> {
        if !config.fallbacks.is_empty() {
            return None;
        }
        let choice = &config.model;
        self.kept_connection(workspace_id, choice.connection_id, updated_at)
            .map(|connected| candidate(&connected, choice))
    }

    /// An agent's model and its fallbacks. A fallback whose connection is gone is left out. Inner
    /// error: why the run cannot be.
    pub(crate) async fn candidates(
        &self,
        tx: &mut TenantTx,
        config: &AgentConfig,
    ) -> store::Result<Result<Vec<Candidate>, RunError>> {
        let mut candidates = Vec::with_capacity(1 + config.fallbacks.len());
        let mut missing = None;
        for choice in std::iter::once(&config.model).chain(&config.fallbacks) {
            match self.connected(tx, choice.connection_id).await? {
                Ok(connected) => candidates.push(candidate(&connected, choice)),
                Err(error) => {
                    missing.get_or_insert(error);
                }
            }
        }
        match missing {
            Some(error) if candidates.is_empty() => Ok(Err(error)),
            _ => Ok(Ok(candidates)),
        }
    }
}

fn candidate(connected: &Connected, choice: &ModelChoice) -> Candidate {
    let connection = &connected.connection;
    Candidate {
        model: connected.client.clone(),
        name: choice.name.clone(),
        title: format!("{} · {}", connection.name, choice.name),
        owner: format!("{}/{}", connection.id, choice.name),
        temperature: choice.temperature,
        takes_temperature: catalog::takes_temperature(connection, &choice.name),
        max_output_tokens: choice.max_output_tokens,
        facts: connected.facts(&choice.name),
        breaker: connected.breaker.clone(),
    }
}
