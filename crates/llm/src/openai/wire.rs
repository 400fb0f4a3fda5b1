//! The JSON of Chat Completions, as far as it is used.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MaxTokens;
use crate::http::parse_list;
use crate::image::data_url;
use crate::{
    Image, ListedModel, ModelError, ModelMessage, ModelRequest, ToolCall, ToolSpec, carry, schema,
};

#[derive(Serialize)]
pub(super) struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    /// What OpenAI calls it since its models think.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'static str,
    schema: &'a Value,
    strict: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum ChatMessage<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<Value>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<AskedTool<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

/// Plain text where that is enough: not every server knows parts.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

#[derive(Serialize)]
struct AskedTool<'a> {
    id: &'a str,
    r#type: &'static str,
    function: AskedFunction<'a>,
}

#[derive(Serialize)]
struct AskedFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a serde_json::Value,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// One event of an answer. Text is decoded once, into the `String` that is handed on.
#[derive(Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub(super) usage: Option<WireUsage>,
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) delta: Option<Delta>,
    #[serde(default)]
    pub(super) finish_reason: Option<WireFinish>,
}

#[derive(Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub(super) content: Option<String>,
    /// DeepSeek, Kimi, older vLLM; wanted back with the results of tools.
    #[serde(default)]
    pub(super) reasoning_content: Option<String>,
    /// OpenRouter, Ollama, Groq, newer vLLM.
    #[serde(default)]
    pub(super) reasoning: Option<String>,
    #[serde(default)]
    pub(super) tool_calls: Option<Vec<ToolCallDelta>>,
}

/// A piece of a tool call; the pieces of one call share its index.
#[derive(Deserialize)]
pub(super) struct ToolCallDelta {
    #[serde(default)]
    pub(super) index: Option<usize>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) function: Option<FunctionDelta>,
}

#[derive(Default, Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) arguments: Option<Arguments>,
}

/// A text in the format's words; some servers send the object itself.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Arguments {
    Text(String),
    Object(Value),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireFinish {
    Stop,
    Length,
    ToolCalls,
    FunctionCall,
    ContentFilter,
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
pub(super) struct WireUsage {
    #[serde(default)]
    pub(super) prompt_tokens: Option<u64>,
    #[serde(default)]
    pub(super) completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptTokens>,
    /// DeepSeek.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct PromptTokens {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<WireModel>,
}

#[derive(Deserialize)]
struct WireModel {
    id: String,
    /// OpenRouter and others; vLLM says `max_model_len`.
    #[serde(
        default,
        alias = "max_model_len",
        alias = "context_window",
        alias = "max_context_length"
    )]
    context_length: Option<u32>,
}

impl<'a> ChatRequest<'a> {
    pub(super) fn new(request: &'a ModelRequest, max_tokens: MaxTokens) -> Self {
        let instructions = (!request.instructions.is_empty()).then_some(ChatMessage::System {
            content: &request.instructions,
        });
        let messages = request.messages.iter().map(ChatMessage::new);
        Self {
            model: &request.model,
            messages: instructions.into_iter().chain(messages).collect(),
            stream: true,
            stream_options: StreamOptions {
                include_usage: true,
            },
            temperature: request.temperature,
            max_tokens: request
                .max_output_tokens
                .filter(|_| max_tokens == MaxTokens::Usual),
            max_completion_tokens: request
                .max_output_tokens
                .filter(|_| max_tokens == MaxTokens::Completion),
            tools: request.tools.iter().map(Tool::new).collect(),
            response_format: request
                .output_schema
                .as_deref()
                .map(|schema| ResponseFormat {
                    r#type: "json_schema",
                    json_schema: JsonSchema {
                        name: schema::NAME,
                        schema,
                        strict: schema::is_strict(schema),
                    },
                }),
        }
    }
}

impl<'a> ChatMessage<'a> {
    fn new(message: &'a ModelMessage) -> Self {
        match message {
            ModelMessage::User { text, images } => Self::User {
                content: Content::new(text, images),
            },
            ModelMessage::Assistant {
                text,
                tool_calls,
                carry,
            } => Self::Assistant {
                content: text,
                reasoning_content: carry::of(carry::CHAT, carry.as_deref()),
                tool_calls: tool_calls.iter().map(AskedTool::new).collect(),
            },
            ModelMessage::Tool { call_id, text, .. } => Self::Tool {
                tool_call_id: call_id,
                content: text,
            },
        }
    }
}

impl<'a> Content<'a> {
    fn new(text: &'a str, images: &'a [Image]) -> Self {
        if images.is_empty() {
            return Self::Text(text);
        }
        let text = (!text.is_empty()).then_some(Part::Text { text });
        let images = images.iter().map(|image| Part::ImageUrl {
            image_url: ImageUrl {
                url: data_url(image),
            },
        });
        Self::Parts(text.into_iter().chain(images).collect())
    }
}

impl<'a> AskedTool<'a> {
    fn new(call: &'a ToolCall) -> Self {
        Self {
            id: &call.id,
            r#type: "function",
            function: AskedFunction {
                name: &call.name,
                arguments: &call.arguments,
            },
        }
    }
}

impl<'a> Tool<'a> {
    fn new(tool: &'a ToolSpec) -> Self {
        Self {
            r#type: "function",
            function: Function {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.input_schema,
            },
        }
    }
}

impl WireUsage {
    /// Tokens of the prompt that the server had in a cache.
    pub(super) fn cached_tokens(&self) -> u64 {
        self.prompt_tokens_details
            .as_ref()
            .and_then(|details| details.cached_tokens)
            .or(self.prompt_cache_hit_tokens)
            .unwrap_or_default()
    }
}

impl Arguments {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Object(Value::Null) => String::new(),
            Self::Object(object) => object.to_string(),
        }
    }
}

/// The list of models that servers of this kind give.
pub(crate) fn parse_models(body: &[u8]) -> Result<Vec<ListedModel>, ModelError> {
    let list: ModelList = parse_list(body)?;
    let models = list.data.into_iter().map(|model| ListedModel {
        name: model.id,
        context_window: model.context_length,
        ..ListedModel::default()
    });
    Ok(models.collect())
}
