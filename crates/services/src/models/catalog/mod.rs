//! The catalog: providers and their models as data, which ships with the program.
//!
//! `providers.json` and `models.json` have one row a line. Prices are list prices for a million
//! tokens; whoever pays others puts them in on the models page.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::models::{ConnectionKind, ModelConnection, ModelFacts, Price, Provider};
use serde::Deserialize;
use url::Url;

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("providers.json")).expect("a test reads it")
});
static MODELS: LazyLock<Vec<KnownModel>> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).expect("a test reads it"));

/// Keys of providers by where they are.
static PROVIDER_OF_PLACE: LazyLock<HashMap<Place, &'static str>> = LazyLock::new(|| {
    let mut keys = HashMap::new();
    for provider in providers() {
        if let Some(place) = Url::parse(&provider.base_url)
            .ok()
            .and_then(|url| place(&url))
        {
            keys.entry(place).or_insert(provider.key.as_str());
        }
    }
    keys
});

/// Host and port.
type Place = (String, u16);

/// A model of the catalog.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownModel {
    /// Key of its provider.
    provider: String,
    /// Name to ask for; versions with a date behind it count as the same.
    pub(super) name: String,
    #[serde(default)]
    context_window: Option<u32>,
    #[serde(default)]
    max_output_tokens: Option<u32>,
    tools: bool,
    vision: bool,
    reasoning: bool,
    /// Whether it keeps to a JSON schema; unknown where a row says nothing.
    #[serde(default)]
    json_schema: Option<bool>,
    /// Whether a temperature can be given; otherwise the provider refuses the request.
    #[serde(default = "yes")]
    temperature: bool,
    #[serde(default)]
    price: Option<Price>,
}

fn yes() -> bool {
    true
}

/// Every provider, in the order of the picker.
pub(super) fn providers() -> &'static [Provider] {
    &PROVIDERS
}

/// Key of the provider behind a connection: by its kind, else by its host.
pub(super) fn provider_of(connection: &ModelConnection) -> Option<&'static str> {
    match connection.kind {
        ConnectionKind::OpenAi | ConnectionKind::OpenAiResponses => Some("openai"),
        ConnectionKind::Anthropic => Some("anthropic"),
        ConnectionKind::Gemini => Some("gemini"),
        ConnectionKind::Ollama => Some("ollama"),
        ConnectionKind::Local => None,
        ConnectionKind::OpenAiCompatible => {
            let url = Url::parse(connection.base_url.as_deref()?).ok()?;
            PROVIDER_OF_PLACE.get(&place(&url)?).copied()
        }
    }
}

/// The models that the catalog knows of a provider, the usual choice first.
pub(super) fn models_of(provider: &str) -> impl Iterator<Item = &'static KnownModel> {
    MODELS
        .iter()
        .filter(move |model| model.provider == provider)
}

/// What the catalog knows of a model of a connection.
pub(super) fn facts_of(connection: &ModelConnection, name: &str) -> ModelFacts {
    match connection.kind {
        ConnectionKind::Local => ModelFacts {
            context_window: Some(llm::local::CONTEXT_TOKENS),
            supports_tools: Some(false),
            supports_vision: Some(false),
            supports_reasoning: Some(false),
            supports_json_schema: Some(false),
            price: Some(Price::FREE),
            ..ModelFacts::default()
        },
        ConnectionKind::Ollama => ModelFacts {
            price: Some(Price::FREE),
            ..ModelFacts::default()
        },
        _ => provider_of(connection)
            .and_then(|provider| find(provider, name))
            .map(KnownModel::facts)
            .unwrap_or_default(),
    }
}

/// Whether a model takes a temperature; unknown ones do.
pub(super) fn takes_temperature(connection: &ModelConnection, name: &str) -> bool {
    provider_of(connection)
        .and_then(|provider| find(provider, name))
        .is_none_or(|model| model.temperature)
}

fn place(url: &Url) -> Option<Place> {
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

fn find(provider: &str, name: &str) -> Option<&'static KnownModel> {
    models_of(provider)
        .find(|model| model.name == name)
        .or_else(|| {
            let name = undated(name)?;
            models_of(provider).find(|model| model.name == name)
        })
}

/// A name without the date or `latest` at its end: `gpt-4o-2024-11-20`,
/// `claude-haiku-4-5-20251001`, `claude-3-5-haiku-latest`.
fn undated(name: &str) -> Option<&str> {
    if let Some(name) = name.strip_suffix("-latest") {
        return Some(name);
    }
    // The digits of a version may stand before those of the date.
    let mut digits = 0;
    for (at, c) in name.char_indices().rev() {
        match c {
            '0'..='9' => digits += 1,
            '-' if digits == 8 => return Some(&name[..at]),
            '-' => {}
            _ => return None,
        }
    }
    None
}

impl KnownModel {
    pub(super) fn facts(&self) -> ModelFacts {
        ModelFacts {
            context_window: self.context_window,
            max_output_tokens: self.max_output_tokens,
            supports_tools: Some(self.tools),
            supports_vision: Some(self.vision),
            supports_reasoning: Some(self.reasoning),
            supports_json_schema: self.json_schema,
            price: self.price,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const LOGOS: &str = include_str!("../../../../../public/providers.svg");

    #[test]
    fn every_provider_can_be_connected_to() {
        assert!(providers().len() >= 30);
        let mut keys = HashSet::new();
        for provider in providers() {
            assert!(keys.insert(&provider.key), "{} twice", provider.key);
            assert!((2..=3).contains(&provider.monogram.len()));
            assert!(
                LOGOS.contains(&format!("id=\"{}\"", provider.key)),
                "{}",
                provider.key
            );
            assert!(!provider.summary.is_empty() && !provider.summary.ends_with('.'));
            let url = Url::parse(&provider.base_url).expect("a base URL");
            let is_here = url.host_str() == Some("127.0.0.1");
            assert_eq!(url.scheme() == "http", is_here, "{}", provider.key);
            assert_eq!(provider.key_url.is_none(), is_here, "{}", provider.key);
            assert!(!provider.base_url.ends_with('/'));
            for page in provider.key_url.iter().chain([&provider.docs_url]) {
                let page = Url::parse(page).expect("a page");
                assert_eq!(page.scheme(), "https");
            }
        }
    }

    #[test]
    fn every_model_has_a_provider_and_plausible_numbers() {
        let keys: HashSet<&str> = providers().iter().map(|p| p.key.as_str()).collect();
        let mut names = HashSet::new();
        for model in &*MODELS {
            assert!(keys.contains(&*model.provider), "{}", model.provider);
            assert!(names.insert((&model.provider, &model.name)));
            if let (Some(window), Some(output)) = (model.context_window, model.max_output_tokens) {
                assert!(output <= window, "{}", model.name);
                assert!(window >= 8_000, "{}", model.name);
            }
            if let Some(price) = model.price {
                assert!(price.input_usd_micros <= price.output_usd_micros);
                assert!(price.output_usd_micros <= 200_000_000, "{}", model.name);
                assert!(
                    price
                        .cached_input_usd_micros
                        .is_none_or(|cached| cached <= price.input_usd_micros)
                );
            }
        }
        for provider in ["openai", "anthropic", "gemini"] {
            assert!(models_of(provider).count() >= 5, "{provider}");
        }
    }

    #[test]
    fn a_date_behind_the_name_is_no_other_model() {
        for (name, known) in [
            ("gpt-4o-2024-11-20", Some("gpt-4o")),
            ("claude-haiku-4-5-20251001", Some("claude-haiku-4-5")),
            ("claude-3-5-haiku-latest", Some("claude-3-5-haiku")),
            ("gpt-4.1", None),
            ("claude-opus-4-8", None),
            ("2024", None),
            ("", None),
        ] {
            assert_eq!(undated(name), known, "{name}");
        }
    }
}
