//! One model of a chain.

use std::borrow::Cow;
use std::sync::Arc;

use domain::models::ModelFacts;
use serde::Deserialize;

use super::Breaker;
use crate::{ChatModel, ModelMessage, ModelRequest};

/// Room that an answer needs where nobody says how long it may be, in tokens.
const USUAL_ANSWER: u64 = 1_000;
/// From here on an answer's limit is not told to a model of unknown limits: nearly no answer is so
/// long, and servers with a small window refuse numbers that do not fit into it.
const LONG_ANSWER: u32 = 16_384;
/// What a picture takes, in tokens.
const IMAGE_TOKENS: u64 = 1_000;
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens that a request may have beyond its estimate, however small it is: those of the format.
const UNSEEN_TOKENS: u32 = 512;

/// What a model is told that does not see pictures.
const BLIND: &str = "[Pictures of this message are left out, since this model does not see any.]";
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
    /// Names connection and model for good. What the provider wants to see again is told to nobody
    /// else: others refuse it, even where they speak the same format.
    pub owner: String,
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
        let shows_images = request.messages.iter().any(|it| image_count(it) > 0);
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

    /// What the run's limits leave for the answer, as far as it makes sense to say so.
    fn answer_tokens_left(&self, request: &ModelRequest) -> Option<u32> {
        let left = request.output_tokens_left?;
        let most = self.facts.max_output_tokens;
        let left = most.map_or(left, |most| left.min(most));
        match self.facts.context_window {
            Some(window) => Some(left).filter(|&left| left <= sure_room(window, request)),
            None => Some(left).filter(|&left| most.is_some() || left < LONG_ANSWER),
        }
    }

    /// What this model wanted to see again; `None` if it is another's.
    fn own_carry(&self, marked: &str) -> Option<String> {
        let marked: MarkedCarry<'_> = serde_json::from_str(marked).ok()?;
        (marked.of == self.owner).then(|| marked.carry.into_owned())
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
        let left = self.answer_tokens_left(&request);
        let limits = [
            request.max_output_tokens,
            self.max_output_tokens,
            left,
            // Providers refuse what is beyond their limit instead of keeping to it.
            request
                .max_output_tokens
                .or(self.max_output_tokens)
                .or(left)
                .and(self.facts.max_output_tokens),
        ];
        request.max_output_tokens = limits.into_iter().flatten().min();
        request.output_tokens_left = None;
        request.supports_reasoning = self.facts.supports_reasoning;
        for message in &mut request.messages {
            if let ModelMessage::Assistant { carry, .. } = message {
                let own = carry.take().and_then(|it| self.own_carry(&it));
                *carry = own.map(Into::into);
            }
        }
        if self.facts.supports_tools == Some(false) {
            request.tools = Arc::new([]);
        }
        if self.facts.supports_vision == Some(false) {
            request.messages.iter_mut().for_each(drop_images);
        }
        request
    }
}

/// Room for an answer that a window has for sure.
///
/// The estimate is often too low, and servers refuse to be asked for more than there is; asked for
/// nothing, their answers end where the window does.
fn sure_room(window: u32, request: &ModelRequest) -> u32 {
    let asked = u32::try_from(estimated_tokens(request)).unwrap_or(u32::MAX);
    let room = window.saturating_sub(asked);
    (room - room / 8).saturating_sub(UNSEEN_TOKENS)
}

/// What a provider wants to see again, marked with whose it is.
pub(super) fn mark_carry(owner: &str, carry: &str) -> String {
    serde_json::json!({ "of": owner, "carry": carry }).to_string()
}

#[derive(Deserialize)]
struct MarkedCarry<'a> {
    of: Cow<'a, str>,
    carry: Cow<'a, str>,
}

/// Takes the pictures out of a message and tells the model, which can tell the person.
fn drop_images(message: &mut ModelMessage) {
    if let ModelMessage::User { images, text } = message
        && !images.is_empty()
    {
        *images = Arc::new([]);
        *text = format!("{text}\n\n{BLIND}").into();
    }
}

fn image_count(message: &ModelMessage) -> u64 {
    message.picture_count() as u64
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
