//! The JSON of a request for a chat completion, as far as it is used.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::messages::{self, ChatMessage};
use super::quirks::Quirks;
use super::{MaxTokens, Thinking};
use crate::{ModelRequest, ToolSpec, schema};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
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
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Cow<'a, Value>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> ChatRequest<'a> {
    pub(super) fn new(
        request: &'a ModelRequest,
        max_tokens: MaxTokens,
        quirks: Quirks,
        thinking: Thinking,
    ) -> Self {
        Self {
            model: &request.model,
            messages: messages::convert(request, quirks),
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
            reasoning_effort: (thinking == Thinking::Not).then_some("none"),
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

impl<'a> Tool<'a> {
    fn new(tool: &'a ToolSpec) -> Self {
        Self {
            r#type: "function",
            function: Function {
                name: &tool.name,
                description: &tool.description,
                parameters: schema::with_properties(&tool.input_schema),
            },
        }
    }
}
