//! The JSON of a request for a chat completion, as far as it is used.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;
use serde_json::Value;

use super::{CallIds, MaxTokens};
use crate::image::data_url;
use crate::{Image, ModelMessage, ModelRequest, ToolCall, ToolSpec, carry, schema};

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
        tool_call_id: Cow<'a, str>,
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
    id: Cow<'a, str>,
    r#type: &'static str,
    function: AskedFunction<'a>,
}

#[derive(Serialize)]
struct AskedFunction<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
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
    pub(super) fn new(request: &'a ModelRequest, max_tokens: MaxTokens, call_ids: CallIds) -> Self {
        let instructions = (!request.instructions.is_empty()).then_some(ChatMessage::System {
            content: &request.instructions,
        });
        let messages = request.messages.iter();
        let messages = messages.map(|message| ChatMessage::new(message, call_ids));
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
    fn new(message: &'a ModelMessage, call_ids: CallIds) -> Self {
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
                tool_calls: tool_calls
                    .iter()
                    .map(|call| AskedTool::new(call, call_ids))
                    .collect(),
            },
            ModelMessage::Tool { call_id, text, .. } => Self::Tool {
                tool_call_id: call_ids.of(call_id),
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
    fn new(call: &'a ToolCall, call_ids: CallIds) -> Self {
        Self {
            id: call_ids.of(&call.id),
            r#type: "function",
            function: AskedFunction {
                name: &call.name,
                arguments: call.sound_arguments(),
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
                parameters: schema::with_properties(&tool.input_schema),
            },
        }
    }
}

impl CallIds {
    /// A call's id as the server takes it.
    fn of(self, id: &str) -> Cow<'_, str> {
        let is_fine = id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if self == Self::Any || is_fine {
            return Cow::Borrowed(id);
        }
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        Cow::Owned(format!("{:09x}", hasher.finish() >> 28))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_other_servers_become_nine_letters_and_digits_and_stay_apart() {
        let [first, second, own] = ["call_1", "call_2", "Ab3dE6gH9"];

        let made = [first, second].map(|id| CallIds::Nine.of(id));

        assert!(made.iter().all(|id| id.len() == 9));
        assert!(made.concat().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(made[0], made[1]);
        assert_eq!(made[0], CallIds::Nine.of(first));
        assert_eq!(CallIds::Nine.of(own), own);
        assert_eq!(CallIds::Any.of(first), first);
    }
}
