//! The list of models.

use serde::Deserialize;

use crate::http::parse_list;
use crate::{ListedModel, ModelError};

#[derive(Deserialize)]
struct ModelList {
    #[serde(default)]
    models: Vec<WireModel>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireModel {
    name: String,
    #[serde(default)]
    input_token_limit: Option<u32>,
    #[serde(default)]
    output_token_limit: Option<u32>,
    #[serde(default)]
    supported_generation_methods: Vec<String>,
    #[serde(default)]
    thinking: Option<bool>,
}

/// The models that can talk.
pub(super) fn parse(body: &[u8]) -> Result<Vec<ListedModel>, ModelError> {
    let list: ModelList = parse_list(body)?;
    let models = list.models.into_iter().filter(|model| {
        let methods = &model.supported_generation_methods;
        methods.is_empty() || methods.iter().any(|method| method == "generateContent")
    });
    let models = models.map(|model| ListedModel {
        name: match model.name.strip_prefix("models/") {
            Some(name) => name.to_owned(),
            None => model.name,
        },
        context_window: model.input_token_limit,
        max_output_tokens: model.output_token_limit,
        supports_reasoning: model.thinking,
        ..ListedModel::default()
    });
    Ok(models.collect())
}
