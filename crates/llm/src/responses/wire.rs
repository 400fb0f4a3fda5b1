//! The JSON of a request for a response, as far as it is used.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::image::data_url;
use crate::{Image, ModelMessage, ModelRequest, ToolSpec, carry, optional, schema};

#[derive(Serialize)]
pub(super) struct ResponsesRequest<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instructions: &'a str,
    input: Vec<Item<'a>>,
    stream: bool,
    /// The conversation is sent whole each time.
    store: bool,
    /// Thoughts come sealed, to be sent back: nothing of them is kept there.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    include: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Thinking>,
}

#[derive(Serialize)]
struct Thinking {
    summary: &'static str,
}

#[derive(Serialize)]
struct Text<'a> {
    format: Format<'a>,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    name: &'static str,
    schema: &'a Value,
    strict: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item<'a> {
    Message {
        role: &'static str,
        content: Vec<Part<'a>>,
    },
    Other(OtherItem<'a>),
    /// Thoughts as they came.
    Carried(Value),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OtherItem<'a> {
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: Cow<'a, str>,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    InputText { text: &'a str },
    InputImage { image_url: String },
    OutputText { text: &'a str },
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: Cow<'a, Value>,
    /// Schemas of tool servers need not keep to the narrow form that this demands.
    strict: bool,
}

impl<'a> ResponsesRequest<'a> {
    /// The request with these of its optional parts.
    pub(super) fn new(request: &'a ModelRequest, parts: &[&str]) -> Self {
        Self {
            model: &request.model,
            instructions: &request.instructions,
            input: request.messages.iter().flat_map(items).collect(),
            stream: true,
            store: false,
            include: match parts.contains(&optional::INCLUDE) {
                true => &["reasoning.encrypted_content"],
                false => &[],
            },
            temperature: request.temperature,
            max_output_tokens: request.max_output_tokens,
            tools: request.tools.iter().map(Tool::new).collect(),
            text: request.output_schema.as_deref().map(|schema| Text {
                format: Format {
                    r#type: "json_schema",
                    name: schema::NAME,
                    schema,
                    strict: schema::is_strict(schema),
                },
            }),
            reasoning: parts
                .contains(&optional::SUMMARY)
                .then_some(Thinking { summary: "auto" }),
        }
    }
}

fn items(message: &ModelMessage) -> Vec<Item<'_>> {
    match message {
        ModelMessage::User { text, images } => vec![Item::Message {
            role: "user",
            content: said(text, images),
        }],
        ModelMessage::Assistant {
            text,
            tool_calls,
            carry,
        } => {
            let mut items = match carry::of(carry::RESPONSES, carry.as_deref()) {
                Some(Value::Array(thoughts)) => thoughts.into_iter().map(Item::Carried).collect(),
                _ => Vec::new(),
            };
            if !text.is_empty() {
                items.push(Item::Message {
                    role: "assistant",
                    content: vec![Part::OutputText { text }],
                });
            }
            items.extend(tool_calls.iter().map(|call| {
                Item::Other(OtherItem::FunctionCall {
                    call_id: &call.id,
                    name: &call.name,
                    arguments: call.sound_arguments(),
                })
            }));
            items
        }
        ModelMessage::Tool { call_id, text, .. } => {
            vec![Item::Other(OtherItem::FunctionCallOutput {
                call_id,
                output: text,
            })]
        }
    }
}

fn said<'a>(text: &'a str, images: &'a [Image]) -> Vec<Part<'a>> {
    let text = (!text.is_empty() || images.is_empty()).then_some(Part::InputText { text });
    let images = images.iter().map(|image| Part::InputImage {
        image_url: data_url(image),
    });
    text.into_iter().chain(images).collect()
}

impl<'a> Tool<'a> {
    fn new(tool: &'a ToolSpec) -> Self {
        Self {
            r#type: "function",
            name: &tool.name,
            description: &tool.description,
            parameters: schema::with_properties(&tool.input_schema),
            strict: false,
        }
    }
}

/// A thought as it is sent back: sealed, without what only the provider's store knows.
pub(super) fn sealed_thought(item: &Value) -> Option<Value> {
    let sealed = item["encrypted_content"].as_str()?;
    Some(json!({
        "type": "reasoning",
        "id": item["id"],
        "summary": item.get("summary").cloned().unwrap_or_else(|| json!([])),
        "encrypted_content": sealed,
    }))
}
