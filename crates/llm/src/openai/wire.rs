//! The JSON of Chat Completions, as far as it is used.

use serde::{Deserialize, Serialize};

use crate::{ListedModel, ModelError, ModelMessage, ModelRequest, ToolCall, ToolSpec};

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum ChatMessage<'a> {
    System {
        content: &'a str,
    },
    User {
        content: &'a str,
    },
    Assistant {
        content: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<AskedTool<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
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
    pub(super) error: Option<WireError>,
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

#[derive(Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) arguments: Option<String>,
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

#[derive(Clone, Copy, Deserialize)]
pub(super) struct WireUsage {
    #[serde(default)]
    pub(super) prompt_tokens: Option<u64>,
    #[serde(default)]
    pub(super) completion_tokens: Option<u64>,
}

/// Servers differ: `{"error": {"message": "…"}}`, `{"error": "…"}`, `{"message": "…"}`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WireError {
    Text(String),
    Object {
        #[serde(default)]
        message: Option<String>,
    },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: Option<WireError>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<WireModel>,
}

#[derive(Deserialize)]
struct WireModel {
    id: String,
    /// OpenRouter and others; vLLM says `max_model_len`.
    #[serde(default, alias = "max_model_len", alias = "context_window")]
    context_length: Option<u32>,
}

impl<'a> ChatRequest<'a> {
    pub(super) fn new(request: &'a ModelRequest) -> Self {
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
            max_tokens: request.max_output_tokens,
            tools: request.tools.iter().map(Tool::new).collect(),
        }
    }
}

impl<'a> ChatMessage<'a> {
    fn new(message: &'a ModelMessage) -> Self {
        match message {
            ModelMessage::User { text, .. } => Self::User { content: text },
            ModelMessage::Assistant {
                text, tool_calls, ..
            } => Self::Assistant {
                content: text,
                tool_calls: tool_calls.iter().map(AskedTool::new).collect(),
            },
            ModelMessage::Tool { call_id, text, .. } => Self::Tool {
                tool_call_id: call_id,
                content: text,
            },
        }
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

impl WireError {
    pub(super) fn into_message(self) -> Option<String> {
        match self {
            Self::Text(message) => Some(message),
            Self::Object { message } => message,
            Self::Other(_) => None,
        }
    }
}

/// The provider's words in an error's body, if it has any that can be found.
pub(super) fn error_message(body: &[u8]) -> Option<String> {
    let body: ErrorBody = serde_json::from_slice(body).ok()?;
    body.error
        .and_then(WireError::into_message)
        .or(body.message)
}

pub(super) fn parse_models(body: &[u8]) -> Result<Vec<ListedModel>, ModelError> {
    let list: ModelList = serde_json::from_slice(body).map_err(|_| ModelError::Malformed {
        what: "no list of models",
    })?;
    let models = list.data.into_iter().map(|model| ListedModel {
        name: model.id,
        context_window: model.context_length,
        supports_tools: None,
    });
    Ok(models.collect())
}
