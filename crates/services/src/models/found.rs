//! Model servers on this machine, at their usual ports.

use std::time::Duration;

use domain::models::{ConnectionKind, FoundServer, ModelConnection};
use futures::future::join_all;
use llm::openai::OpenAi;
use llm::{ChatModel, Deadlines};
use outbound::Outbound;

use super::{address, catalog};
use crate::mint;

const PATIENCE: Duration = Duration::from_millis(800);
const MAX_NAMES: usize = 100;

/// Asks the usual ports of this machine. Where private addresses are out of reach nothing is found.
pub(super) async fn find(outbound: &Outbound) -> Vec<FoundServer> {
    let here = catalog::providers().iter().filter(|provider| {
        provider.key_url.is_none() && provider.base_url.starts_with("http://127.0.0.1:")
    });
    let looks = here.map(|provider| async move {
        let connection = ModelConnection {
            id: mint::id(),
            name: provider.name.clone(),
            kind: provider.kind,
            base_url: Some(provider.base_url.clone()),
            has_api_key: false,
            created_at: mint::now(),
            updated_at: mint::now(),
        };
        let deadlines = Deadlines {
            list: PATIENCE,
            ..Deadlines::default()
        };
        let client = OpenAi::new(outbound.clone(), address::api_url(&connection)?, None)
            .with_deadlines(deadlines);
        let models = client.list_models().await.ok()?;
        debug_assert_ne!(provider.kind, ConnectionKind::Local);
        Some(FoundServer {
            provider: provider.key.clone(),
            name: provider.name.clone(),
            base_url: provider.base_url.clone(),
            models: models
                .into_iter()
                .take(MAX_NAMES)
                .map(|model| model.name)
                .collect(),
        })
    });
    join_all(looks).await.into_iter().flatten().collect()
}
