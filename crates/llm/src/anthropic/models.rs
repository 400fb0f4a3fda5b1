//! The list of models.

use serde::Deserialize;

use crate::http::parse_list;
use crate::{ListedModel, ModelError};

#[derive(Deserialize)]
struct ModelList {
    data: Vec<WireModel>,
}

#[derive(Deserialize)]
struct WireModel {
    id: String,
    #[serde(default)]
    max_input_tokens: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u32>,
}

pub(super) fn parse(body: &[u8]) -> Result<Vec<ListedModel>, ModelError> {
    let list: ModelList = parse_list(body)?;
    let models = list.data.into_iter().map(|model| ListedModel {
        name: model.id,
        context_window: model.max_input_tokens.filter(|&tokens| tokens > 0),
        max_output_tokens: model.max_tokens.filter(|&tokens| tokens > 0),
        ..ListedModel::default()
    });
    Ok(models.collect())
}
