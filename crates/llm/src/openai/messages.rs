//! A conversation as the messages of a chat.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::carried::Carried;
use super::quirks::{CallIds, Quirks, Thoughts};
use crate::image::data_url;
use crate::{Image, ModelMessage, ModelRequest, ToolCall};

/// What stands for an answer that never came to its end, between a tool's result and a question.
const BROKEN_OFF: &str = "[The answer broke off here.]";

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
        reasoning_content: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        reasoning_details: Vec<Value>,
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
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    Text { text: Cow<'a, str> },
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
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
}

#[derive(Serialize)]
pub(super) struct AskedFunction<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

/// The messages, the instructions first.
///
/// Runs that failed or were stopped leave histories in which people and the model do not take
/// turns; strict servers refuse those, and with them everything that is asked after.
pub(super) fn convert(request: &ModelRequest, quirks: Quirks) -> Vec<ChatMessage<'_>> {
    let instructions = (!request.instructions.is_empty()).then_some(ChatMessage::System {
        content: &request.instructions,
    });
    let mut messages: Vec<ChatMessage<'_>> = instructions.into_iter().collect();
    for message in &request.messages {
        match (message, messages.last_mut()) {
            (ModelMessage::User { text, images }, Some(ChatMessage::User { content })) => {
                content.append(Content::new(text, images));
                continue;
            }
            (ModelMessage::User { .. }, Some(ChatMessage::Tool { .. })) => {
                messages.push(ChatMessage::broken_off());
            }
            _ => {}
        }
        messages.push(ChatMessage::new(message, quirks.call_ids));
    }
    if quirks.thoughts == Thoughts::All && !request.tools.is_empty() {
        messages.iter_mut().for_each(ChatMessage::have_thoughts);
    }
    messages
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
            } => Self::answer(text, tool_calls, Carried::of(carry.as_deref()), call_ids),
            ModelMessage::Tool { call_id, text, .. } => Self::Tool {
                tool_call_id: call_ids.of(call_id),
                content: text,
            },
        }
    }

    fn answer(
        text: &'a str,
        tool_calls: &'a [ToolCall],
        mut carried: Carried,
        call_ids: CallIds,
    ) -> Self {
        let tool_calls = tool_calls.iter().map(|call| {
            let extra = carried.extra_content.remove(&call.id);
            AskedTool::new(call, call_ids, extra)
        });
        Self::Assistant {
            content: text,
            tool_calls: tool_calls.collect(),
            reasoning_content: carried.reasoning_content,
            reasoning_details: carried.reasoning_details,
        }
    }

    /// Adds empty thoughts to an answer without any.
    fn have_thoughts(&mut self) {
        if let Self::Assistant {
            reasoning_content, ..
        } = self
        {
            reasoning_content.get_or_insert_with(String::new);
        }
    }

    fn broken_off() -> Self {
        Self::answer(BROKEN_OFF, &[], Carried::default(), CallIds::Any)
    }
}

impl<'a> Content<'a> {
    fn new(text: &'a str, images: &'a [Image]) -> Self {
        if images.is_empty() {
            return Self::Text(text.into());
        }
        let text = (!text.is_empty()).then_some(Part::Text { text: text.into() });
        let images = images.iter().map(|image| Part::ImageUrl {
            image_url: ImageUrl {
                url: data_url(image),
            },
        });
        Self::Parts(text.into_iter().chain(images).collect())
    }

    fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Text(text), Self::Text(more)) => *text = format!("{text}\n\n{more}").into(),
            (this, more) => {
                let before = std::mem::replace(this, Self::Parts(Vec::new()));
                let parts = before.into_parts().into_iter().chain(more.into_parts());
                *this = Self::Parts(parts.collect());
            }
        }
    }

    fn into_parts(self) -> Vec<Part<'a>> {
        match self {
            Self::Text(text) => vec![Part::Text { text }],
            Self::Parts(parts) => parts,
        }
    }
}

impl<'a> AskedTool<'a> {
    fn new(call: &'a ToolCall, call_ids: CallIds, extra_content: Option<Value>) -> Self {
        Self {
            id: call_ids.of(&call.id),
            r#type: "function",
            function: AskedFunction {
                name: &call.name,
                arguments: call.sound_arguments(),
            },
            extra_content,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ToolSpec;

    /// A conversation with an answer of each sort.
    fn request(tools: Vec<ToolSpec>) -> ModelRequest {
        let thoughtful = ModelMessage::Assistant {
            text: "One.".into(),
            tool_calls: [].into(),
            carry: Some(json!({"chat": "Hm."}).to_string().into()),
        };
        let result = ModelMessage::Tool {
            call_id: "a".into(),
            name: "look".into(),
            text: "seen".into(),
            is_error: false,
        };
        ModelRequest {
            model: "m".to_owned(),
            instructions: String::new(),
            messages: vec![
                thoughtful,
                ModelMessage::assistant("Two."),
                result,
                ModelMessage::user("Go on"),
            ],
            temperature: None,
            max_output_tokens: None,
            output_tokens_left: None,
            supports_reasoning: None,
            tools: tools.into(),
            output_schema: None,
        }
    }

    #[test]
    fn all_answers_have_thoughts_where_a_server_wants_them_with_tools() {
        let tool = ToolSpec {
            name: "look".to_owned(),
            description: "Looks.".to_owned(),
            input_schema: json!({"type": "object"}),
        };
        let (none, empty) = (Value::Null, json!(""));
        for (tools, thoughts, expected) in [
            (vec![tool.clone()], Thoughts::All, &empty),
            (vec![tool], Thoughts::Known, &none),
            (vec![], Thoughts::All, &none),
        ] {
            let quirks = Quirks {
                call_ids: CallIds::Any,
                thoughts,
            };

            let sent = json!(convert(&request(tools), quirks));

            assert_eq!(sent[0]["reasoning_content"], "Hm.");
            assert_eq!(sent[1]["reasoning_content"], *expected);
            assert_eq!(sent[3]["content"], BROKEN_OFF);
            assert_eq!(sent[3]["reasoning_content"], *expected);
        }
    }
}
