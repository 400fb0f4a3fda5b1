//! The list of models.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::http::parse_list;
use crate::{ListedModel, ModelError};

#[derive(Deserialize)]
#[serde(untagged)]
enum ModelList {
    Usual {
        data: Vec<WireModel>,
    },
    /// Together AI's.
    Bare(Vec<WireModel>),
}

#[derive(Deserialize)]
struct WireModel {
    id: String,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// How servers call the tokens that fit: OpenRouter and others, vLLM, Groq, Mistral. Some say it
/// twice.
const WINDOWS: [&str; 4] = [
    "context_length",
    "max_model_len",
    "context_window",
    "max_context_length",
];

/// The list of models that servers of this kind give.
pub(crate) fn parse_models(body: &[u8]) -> Result<Vec<ListedModel>, ModelError> {
    let list = match parse_list(body)? {
        ModelList::Usual { data } => data,
        ModelList::Bare(list) => list,
    };
    let models = list.into_iter().map(|model| ListedModel {
        context_window: WINDOWS.iter().find_map(|name| {
            let tokens = model.others.get(*name)?.as_u64()?;
            u32::try_from(tokens).ok().filter(|&tokens| tokens > 0)
        }),
        name: model.id,
        ..ListedModel::default()
    });
    Ok(models.collect())
}
