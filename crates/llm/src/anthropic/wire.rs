//! The JSON of a request for a message.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::messages::{self, Message};
use crate::{ModelRequest, ToolSpec, schema};

/// Longest answer where the request names none; the format demands a number.
const MAX_TOKENS: u32 = 16_384;
/// The same for the models before Claude 4, of which some can do no more.
const OLD_MAX_TOKENS: u32 = 4_096;
/// Shortest limit of an answer at which a model is let think.
const MIN_TOKENS_TO_THINK: u32 = 4_096;
/// The format's temperatures end here; ours go to 2.
const MAX_TEMPERATURE: f32 = 1.0;

/// How the inputs of tools come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToolInputs {
    /// As the model writes them.
    Eager,
    /// As the server likes.
    Usual,
}

#[derive(Serialize)]
pub(super) struct MessagesRequest<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<Cow<'a, str>>,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
}

#[derive(Serialize)]
struct Thinking {
    r#type: &'static str,
    display: &'static str,
}

#[derive(Serialize)]
struct OutputConfig {
    format: Format,
}

#[derive(Serialize)]
struct Format {
    r#type: &'static str,
    schema: Value,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    eager_input_streaming: Option<bool>,
}

impl ToolInputs {
    /// How they come from this server. Anthropic holds long ones back unless it is asked not to;
    /// servers that imitate it may refuse to be asked.
    pub(super) fn of(base_url: &Url) -> Self {
        match base_url.host_str() {
            Some("api.anthropic.com") => Self::Eager,
            _ => Self::Usual,
        }
    }
}

impl<'a> MessagesRequest<'a> {
    pub(super) fn new(request: &'a ModelRequest, tool_inputs: ToolInputs) -> Self {
        let schema = request.output_schema.as_deref();
        let closed = schema.and_then(schema::closed);
        let instructions = match schema.filter(|_| closed.is_none()) {
            Some(schema) => Cow::Owned(schema::in_words(&request.instructions, schema)),
            None => Cow::Borrowed(request.instructions.as_str()),
        };
        let max_tokens = request
            .max_output_tokens
            .unwrap_or_else(|| max_tokens(&request.model));
        Self {
            model: &request.model,
            max_tokens,
            thinking: may_think(request, max_tokens).then_some(Thinking {
                r#type: "adaptive",
                display: "summarized",
            }),
            stream: true,
            system: Some(instructions).filter(|text| !text.trim().is_empty()),
            messages: messages::convert(&request.messages),
            temperature: request.temperature.map(|value| value.min(MAX_TEMPERATURE)),
            tools: request
                .tools
                .iter()
                .map(|tool| Tool::new(tool, tool_inputs))
                .collect(),
            output_config: closed.map(|schema| OutputConfig {
                format: Format {
                    r#type: "json_schema",
                    schema,
                },
            }),
        }
    }
}

impl<'a> Tool<'a> {
    fn new(tool: &'a ToolSpec, inputs: ToolInputs) -> Self {
        Self {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.input_schema,
            eager_input_streaming: (inputs == ToolInputs::Eager).then_some(true),
        }
    }
}

/// Whether a model is let decide how much it thinks. Those before Claude 4.6 cannot, a temperature
/// forbids it, and thoughts count as answer, of which a short one would have none left.
fn may_think(request: &ModelRequest, max_tokens: u32) -> bool {
    request.supports_reasoning == Some(true)
        && request.temperature.is_none()
        && max_tokens >= MIN_TOKENS_TO_THINK
        && version(&request.model).is_some_and(|version| version >= (4, 6))
}

/// The version in a name such as `claude-opus-4-8` or `claude-sonnet-5`; dates are none.
fn version(model: &str) -> Option<(u32, u32)> {
    let mut parts = model.strip_prefix("claude-")?.split('-');
    let family = parts.next()?;
    let mut number = || parts.next().filter(|part| part.len() <= 2)?.parse().ok();
    let major = number().filter(|_| family.chars().all(char::is_alphabetic))?;
    Some((major, number().unwrap_or(0)))
}

fn max_tokens(model: &str) -> u32 {
    if model.starts_with("claude-3") || model.starts_with("claude-2") {
        OLD_MAX_TOKENS
    } else {
        MAX_TOKENS
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_anthropic_itself_is_asked_for_inputs_as_they_are_written() {
        let spec = ToolSpec {
            name: "write".to_owned(),
            description: "Writes.".to_owned(),
            input_schema: json!({"type": "object"}),
        };
        for (base_url, eager) in [
            ("https://api.anthropic.com", json!(true)),
            ("https://api.anthropic.com/v1", json!(true)),
            ("https://api.z.ai/api/anthropic", Value::Null),
        ] {
            let inputs = ToolInputs::of(&Url::parse(base_url).expect("a URL"));

            let tool = json!(Tool::new(&spec, inputs));

            assert_eq!(tool["eager_input_streaming"], eager, "{base_url}");
        }
    }
}
