//! The models of a connection: what its server names, what the catalog and people here know.

use std::collections::BTreeSet;

use domain::models::{Model, ModelFacts};
use llm::ListedModel;

use super::catalog;
use super::pool::Connected;

/// Models that are shown of one connection at most; OpenRouter has several hundred.
const MAX_MODELS: usize = 2_000;

/// Asks a connection's server for its models, for at most 5 s.
///
/// A server that gives no list, or gives none now, has those that the catalog knows of its
/// provider. Models that people here describe are there in any case.
pub(super) async fn list(connected: &Connected) -> Vec<Model> {
    let listed = connected.client.list_models().await.ok();
    if let Some(listed) = &listed {
        connected.note_listed(listed);
    }
    merge(connected, listed)
}

fn merge(connected: &Connected, listed: Option<Vec<ListedModel>>) -> Vec<Model> {
    let mut models: Vec<Model> = match listed {
        Some(listed) => listed
            .into_iter()
            .take(MAX_MODELS)
            .map(|listed| {
                let facts = listed_facts(&listed);
                model(connected, &listed.name, facts)
            })
            .collect(),
        None => catalog::provider_of(&connected.connection)
            .into_iter()
            .flat_map(catalog::models_of)
            .map(|known| model(connected, &known.name, ModelFacts::default()))
            .collect(),
    };
    let names: BTreeSet<&str> = models.iter().map(|model| model.name.as_str()).collect();
    let mut others: Vec<&str> = connected
        .edited_names()
        .filter(|name| !names.contains(name))
        .collect();
    others.sort_unstable();
    let others: Vec<Model> = others
        .into_iter()
        .map(|name| model(connected, name, ModelFacts::default()))
        .collect();
    models.extend(others);
    models
}

/// A model with all that is known: people here know best, then its server, then the catalog.
pub(super) fn model(connected: &Connected, name: &str, listed: ModelFacts) -> Model {
    let connection = &connected.connection;
    Model {
        id: format!("{}/{name}", connection.id),
        connection_id: connection.id,
        name: name.to_owned(),
        facts: connected.edited(name).or(listed).or(connected.facts(name)),
        is_edited: connected.is_edited(name),
    }
}

pub(super) fn listed_facts(listed: &ListedModel) -> ModelFacts {
    ModelFacts {
        context_window: listed.context_window,
        max_output_tokens: listed.max_output_tokens,
        supports_tools: listed.supports_tools,
        supports_vision: listed.supports_vision,
        supports_reasoning: listed.supports_reasoning,
        // No server tells.
        supports_json_schema: None,
        price: None,
    }
}
