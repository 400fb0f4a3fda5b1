//! One model of a chain.

use std::sync::Arc;

use domain::models::ModelFacts;

use super::Breaker;
use crate::{ChatModel, ModelMessage, ModelRequest};

/// Room that an answer needs where nobody says how long it may be, in tokens.
const USUAL_ANSWER: u64 = 1_000;
/// What a picture takes, in tokens.
const IMAGE_TOKENS: u64 = 1_000;
const BYTES_PER_TOKEN: u64 = 4;

/// Why a model is passed over that cannot keep to a JSON schema.
const NO_JSON_SCHEMA: &str = "it cannot keep to a JSON schema";

/// One model of a chain, with what is known of it.
pub struct Candidate {
    /// Who answers.
    pub model: Arc<dyn ChatModel>,
    /// Name to ask for.
    pub name: String,
    /// Name for people: connection and model.
    pub title: String,
    /// 0 to 2; `None` leaves it to the provider.
    pub temperature: Option<f32>,
    /// Whether the model takes a temperature at all.
    pub takes_temperature: bool,
    /// Longest answer in tokens; `None` leaves it to the provider.
    pub max_output_tokens: Option<u32>,
    /// Limits, abilities and price, as far as they are known.
    pub facts: ModelFacts,
    /// Failures of its connection.
    pub breaker: Arc<Breaker>,
}

impl Candidate {
    /// Why the model is known not to be up to a request; `None` if it may be.
    pub(super) fn misfit(&self, request: &ModelRequest) -> Option<&'static str> {
        if !request.tools.is_empty() && self.facts.supports_tools == Some(false) {
            return Some("it cannot call tools");
        }
        if request.output_schema.is_some() && self.cannot_keep_to_a_schema() {
            return Some(NO_JSON_SCHEMA);
        }
        let shows_images = request
            .messages
            .last()
            .is_some_and(|message| image_count(message) > 0);
        if shows_images && self.facts.supports_vision == Some(false) {
            return Some("it does not see pictures");
        }
        let window = u64::from(self.facts.context_window?);
        let answer = self
            .max_output_tokens
            .or(request.max_output_tokens)
            .map_or(USUAL_ANSWER, u64::from);
        (estimated_tokens(request) + answer.min(USUAL_ANSWER) > window)
            .then_some("the conversation does not fit into it")
    }

    /// Whether it is known that no answer of the model keeps to a JSON schema.
    pub(super) fn cannot_keep_to_a_schema(&self) -> bool {
        self.facts.supports_json_schema == Some(false)
    }

    /// The request as this model gets it: with its settings, without what it cannot read.
    pub(super) fn adapt(&self, request: &ModelRequest, is_first: bool) -> ModelRequest {
        let mut request = request.clone();
        request.model.clone_from(&self.name);
        if !is_first {
            request.temperature = self.temperature;
        }
        if !self.takes_temperature {
            request.temperature = None;
        }
        let limits = [
            request.max_output_tokens,
            self.max_output_tokens,
            // Providers refuse what is beyond their limit instead of keeping to it.
            request
                .max_output_tokens
                .or(self.max_output_tokens)
                .and(self.facts.max_output_tokens),
        ];
        request.max_output_tokens = limits.into_iter().flatten().min();
        if self.facts.supports_tools == Some(false) {
            request.tools = Arc::new([]);
        }
        if self.facts.supports_vision == Some(false) {
            request.messages.iter_mut().for_each(drop_images);
        }
        request
    }
}

fn drop_images(message: &mut ModelMessage) {
    if let ModelMessage::User { images, .. } = message {
        *images = Arc::new([]);
    }
}

fn image_count(message: &ModelMessage) -> u64 {
    match message {
        ModelMessage::User { images, .. } => images.len() as u64,
        ModelMessage::Assistant { .. } | ModelMessage::Tool { .. } => 0,
    }
}

/// Tokens that a request has, as far as one can tell without the model's own counting.
pub fn estimated_tokens(request: &ModelRequest) -> u64 {
    let messages: usize = request.messages.iter().map(ModelMessage::size_bytes).sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| tool.description.len() + tool.input_schema.to_string().len())
        .sum();
    let images: u64 = request.messages.iter().map(image_count).sum();
    let schema = request.output_schema.as_ref();
    let schema = schema.map_or(0, |schema| schema.to_string().len());
    let bytes = (request.instructions.len() + messages + tools + schema) as u64;
    bytes / BYTES_PER_TOKEN + images * IMAGE_TOKENS
}
