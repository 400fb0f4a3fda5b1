//! Trying a connection out with a real call.

use std::time::{Duration, Instant};

use domain::models::{ConnectionKind, ConnectionTest, ModelFault};
use futures::StreamExt;
use llm::{ListedModel, ModelError, ModelEvent, ModelMessage, ModelRequest};
use tokio::time::timeout;

use super::catalog;
use super::pool::Connected;

/// Longest wait for a word; with the list of models it makes 15 s.
const PATIENCE: Duration = Duration::from_secs(10);
/// Enough for a word, and for models that count their thoughts as answer.
const OUTPUT_TOKENS: u32 = 64;
/// What is no model to talk to, by its name.
const MUTE: [&str; 14] = [
    "embed",
    "whisper",
    "tts",
    "dall-e",
    "image",
    "moderation",
    "rerank",
    "audio",
    "transcribe",
    "realtime",
    "sora",
    "veo",
    "guard",
    "ocr",
];

/// Asks for the list of models, then one of them for a word.
///
/// `in_use` is a model that an agent asks here; others are taken where there is none. A model that
/// was only guessed may be refused: then the list alone counts.
pub(super) async fn test(connected: &Connected, in_use: Option<String>) -> ConnectionTest {
    let started = Instant::now();
    let error = run(connected, in_use).await.err();
    ConnectionTest {
        ok: error.is_none(),
        latency_ms: started.elapsed().as_millis() as u64,
        error: error.map(|error| fault(connected, &error)),
    }
}

async fn run(connected: &Connected, in_use: Option<String>) -> Result<(), ModelError> {
    let listed = connected.client.list_models().await;
    if let Ok(listed) = &listed {
        connected.note_listed(listed);
    }
    if connected.connection.kind == ConnectionKind::Local {
        // Its answers take a processor for seconds.
        return listed.map(drop);
    }
    let is_known = in_use.is_some();
    let names = match &listed {
        Ok(listed) => listed.as_slice(),
        // Not every server lists its models.
        Err(ModelError::NotFound { .. } | ModelError::Unexpected { .. }) => &[],
        Err(error) => return Err(error.clone()),
    };
    let Some(model) = in_use.or_else(|| guess(connected, names)) else {
        return listed.map(drop);
    };
    match ask(connected, model).await {
        Err(ModelError::BadRequest { .. } | ModelError::NotFound { .. })
            if !is_known && listed.is_ok() =>
        {
            Ok(())
        }
        result => result,
    }
}

/// A model to try: one that the catalog knows, else the first that can talk.
fn guess(connected: &Connected, listed: &[ListedModel]) -> Option<String> {
    let provider = catalog::provider_of(&connected.connection);
    let known = provider
        .into_iter()
        .flat_map(catalog::models_of)
        .filter(|known| listed.iter().any(|listed| listed.name == known.name))
        // The cheapest will do.
        .min_by_key(|known| known.facts().price.map(|price| price.output_usd_micros));
    if let Some(known) = known {
        return Some(known.name.clone());
    }
    listed
        .iter()
        .map(|listed| &listed.name)
        .find(|name| {
            let name = name.to_lowercase();
            !MUTE.iter().any(|mute| name.contains(mute))
        })
        .cloned()
}

async fn ask(connected: &Connected, model: String) -> Result<(), ModelError> {
    let supports_reasoning = connected.facts(&model).supports_reasoning;
    let request = ModelRequest {
        model,
        instructions: String::new(),
        messages: vec![ModelMessage::user("Say OK.")],
        temperature: None,
        max_output_tokens: Some(OUTPUT_TOKENS),
        output_tokens_left: None,
        supports_reasoning,
        tools: Default::default(),
        output_schema: None,
    };
    let answer = async {
        let mut stream = connected.client.stream(request).await?;
        while let Some(event) = stream.next().await {
            // The first word proves it; the rest need not be paid for.
            if matches!(event?, ModelEvent::Text(_) | ModelEvent::Finished { .. }) {
                return Ok(());
            }
        }
        Err(ModelError::Interrupted)
    };
    timeout(PATIENCE, answer)
        .await
        .unwrap_or(Err(ModelError::Timeout {
            seconds: PATIENCE.as_secs(),
        }))
}

/// The error, with what is known to be wrong for this kind of server.
fn fault(connected: &Connected, error: &ModelError) -> ModelFault {
    let mut fault = error.to_fault();
    let connection = &connected.connection;
    if matches!(error, ModelError::Authentication { .. }) && !connection.has_api_key {
        fault.message = "the model server wants a key, and this connection has none".to_owned();
    }
    if let (ModelError::NotFound { .. }, Some(base_url), Some(path)) =
        (error, &connection.base_url, connection.kind.answer_path())
    {
        fault.message = format!("{}; it was asked at {base_url}{path}", fault.message);
    }
    fault
}
