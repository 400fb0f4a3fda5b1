//! A conversation as the messages of a chat.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::quirks::CallIds;
use crate::image::data_url;
use crate::{Image, ModelMessage, ModelRequest, ToolCall, carry};

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum ChatMessage<'a> {
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
pub(super) enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Serialize)]
pub(super) struct ImageUrl {
    url: String,
}

#[derive(Serialize)]
pub(super) struct AskedTool<'a> {
    id: Cow<'a, str>,
    r#type: &'static str,
    function: AskedFunction<'a>,
}

#[derive(Serialize)]
pub(super) struct AskedFunction<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

/// The messages, the instructions first.
pub(super) fn convert(request: &ModelRequest, call_ids: CallIds) -> Vec<ChatMessage<'_>> {
    let instructions = (!request.instructions.is_empty()).then_some(ChatMessage::System {
        content: &request.instructions,
    });
    let messages = request.messages.iter();
    let messages = messages.map(|message| ChatMessage::new(message, call_ids));
    instructions.into_iter().chain(messages).collect()
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
