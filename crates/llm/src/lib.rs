//! Talks to models: sends a conversation, streams the answer.
//!
//! Each provider's wire format stays in its own module. The crate knows nothing of runs, journals,
//! retries or where keys are kept.

pub mod anthropic;
mod carry;
pub mod chain;
mod error;
pub mod gemini;
mod http;
mod image;
pub mod local;
mod message;
pub mod openai;
mod optional;
pub mod responses;
mod schema;
mod tool_calls;

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use domain::events::FinishReason;
use domain::runs::Usage;
use futures::Stream;

pub use error::ModelError;
pub use http::Deadlines;
pub use message::{Image, ModelMessage, ToolCall, ToolSpec};

/// Name of the built-in model's file.
pub const WEIGHTS_FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// What to answer, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRequest {
    /// Name of the model; the built-in one ignores it.
    pub model: String,
    /// The agent's instructions; empty leaves them to the model.
    pub instructions: String,
    /// The conversation, oldest first.
    pub messages: Vec<ModelMessage>,
    /// 0 (always the likeliest word) to 2; `None` is the provider's default.
    pub temperature: Option<f32>,
    /// Longest answer in tokens; `None` is the provider's default.
    pub max_output_tokens: Option<u32>,
    /// Tokens that whoever asks has left for the answer; a [`chain`] makes `max_output_tokens` of
    /// it, as far as the model's own limits allow. `None` is no limit.
    pub output_tokens_left: Option<u32>,
    /// Whether the model is known to think before it answers, or not to.
    pub supports_reasoning: Option<bool>,
    /// What the model may ask to be called; empty offers nothing.
    pub tools: Arc<[ToolSpec]>,
    /// JSON Schema of an answer that is JSON; `None` leaves the form to the model. Providers keep to
    /// it more or less: whoever asks checks the answer.
    pub output_schema: Option<Arc<serde_json::Value>>,
}

/// What a model says, as it says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelEvent {
    /// The next piece of the answer; never empty.
    Text(String),
    /// The next piece of what the model thinks before it answers; never empty.
    Reasoning(String),
    /// The model asks for a tool; its arguments are complete. Any number, before `Finished`.
    ToolCall(ToolCall),
    /// What this provider wants to see again with this message, in its own format; at most once.
    Carry(String),
    /// The end; nothing follows.
    Finished {
        /// How it ended.
        reason: FinishReason,
        /// What it used up, estimated at four characters a token if the provider says nothing.
        /// The price is 0: this crate knows none.
        usage: Usage,
    },
}

/// An answer as it comes: pieces of it, then one `Finished` or one error, then the end.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelEvent, ModelError>> + Send>>;

/// A model that a provider offers, as far as the provider describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedModel {
    /// Name to ask for.
    pub name: String,
    /// Tokens that fit, if the provider says.
    pub context_window: Option<u32>,
    /// Longest answer in tokens, if the provider says.
    pub max_output_tokens: Option<u32>,
    /// Whether it can call tools, if the provider says.
    pub supports_tools: Option<bool>,
    /// Whether it sees pictures, if the provider says.
    pub supports_vision: Option<bool>,
    /// Whether it thinks before it answers, if the provider says.
    pub supports_reasoning: Option<bool>,
}

/// A place that answers model calls. Adapters never retry: the caller knows what is at stake.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Begins an answer. Dropping the stream stops the model.
    ///
    /// # Errors
    /// Any `ModelError`, here or as the stream's last item.
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError>;

    /// Lists the models, in the provider's order, within 5 s.
    ///
    /// # Errors
    /// Any `ModelError`; it proves address and key.
    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError>;
}
