//! The JSON of a request for content.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::contents::{self, Content};
use crate::{ModelRequest, ToolSpec, schema};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerateRequest<'a> {
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    generation_config: GenerationConfig<'a>,
}

#[derive(Serialize)]
struct Instruction {
    parts: [Value; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    description: &'a str,
    parameters_json_schema: &'a Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    include_thoughts: bool,
}

impl<'a> GenerateRequest<'a> {
    pub(super) fn new(request: &'a ModelRequest) -> Self {
        let schema = request.output_schema.as_deref();
        let is_told = request.tools.is_empty() || takes_schema_with_tools(&request.model);
        let instructions = match schema.filter(|_| !is_told) {
            Some(schema) => Cow::Owned(schema::in_words(&request.instructions, schema)),
            None => Cow::Borrowed(request.instructions.as_str()),
        };
        let schema = schema.filter(|_| is_told);
        let declarations: Vec<_> = request.tools.iter().map(Declaration::new).collect();
        let tools = (!declarations.is_empty()).then_some(Tools {
            function_declarations: declarations,
        });
        Self {
            contents: contents::convert(request),
            system_instruction: (!instructions.trim().is_empty()).then(|| Instruction {
                parts: [json!({ "text": instructions })],
            }),
            tools: tools.into_iter().collect(),
            generation_config: GenerationConfig {
                temperature: request.temperature,
                max_output_tokens: request.max_output_tokens,
                thinking_config: thinks(&request.model).then_some(ThinkingConfig {
                    include_thoughts: true,
                }),
                response_mime_type: schema.map(|_| "application/json"),
                response_json_schema: schema,
            },
        }
    }
}

impl<'a> Declaration<'a> {
    fn new(tool: &'a ToolSpec) -> Self {
        Self {
            name: &tool.name,
            description: &tool.description,
            parameters_json_schema: &tool.input_schema,
        }
    }
}

/// Whether a model takes a schema beside tools; the others refuse to be asked.
fn takes_schema_with_tools(model: &str) -> bool {
    ["gemini-1", "gemini-2"]
        .iter()
        .all(|old| !model.contains(old))
}

/// Whether a model can show its thoughts; the others refuse to be asked.
fn thinks(model: &str) -> bool {
    let is_text = !["image", "tts", "audio", "live"]
        .iter()
        .any(|other| model.contains(other));
    is_text && (model.starts_with("gemini-2.5") || model.starts_with("gemini-3"))
}
