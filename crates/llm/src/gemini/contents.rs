//! A conversation as contents made of parts.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{ModelMessage, ModelRequest, ToolCall, carry, image};

/// What stands for the signature of a call that another model made; Gemini 3 refuses calls
/// without one.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

#[derive(Serialize)]
pub(super) struct Content<'a> {
    role: &'static str,
    parts: Vec<Part<'a>>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<String>,
}

impl<'a> Part<'a> {
    pub(super) fn text(text: &'a str, thought_signature: Option<String>) -> Self {
        Self {
            text: Some(text),
            thought_signature,
            ..Self::default()
        }
    }
}

/// The contents; results of tools are the user's.
pub(super) fn convert(request: &ModelRequest) -> Vec<Content<'_>> {
    let needs_signatures = request.model.starts_with("gemini-3");
    let mut contents: Vec<Content<'_>> = Vec::new();
    for message in &request.messages {
        let (role, parts) = match message {
            ModelMessage::User { text, images } => {
                let images = images.iter().map(|picture| Part {
                    inline_data: Some(json!({
                        "mimeType": &*picture.media_type,
                        "data": image::base64(picture),
                    })),
                    ..Part::default()
                });
                let text = (!text.is_empty()).then(|| Part::text(text, None));
                ("user", images.chain(text).collect())
            }
            ModelMessage::Assistant {
                text,
                tool_calls,
                carry,
            } => (
                "model",
                answered(text, tool_calls, carry.as_deref(), needs_signatures),
            ),
            ModelMessage::Tool {
                name,
                text,
                is_error,
                ..
            } => ("user", vec![response(name, text, *is_error)]),
        };
        if parts.is_empty() {
            continue;
        }
        match contents.last_mut() {
            Some(content) if content.role == role => content.parts.extend(parts),
            _ => contents.push(Content { role, parts }),
        }
    }
    contents
}

fn answered<'a>(
    text: &'a str,
    tool_calls: &'a [ToolCall],
    carry: Option<&str>,
    needs_signatures: bool,
) -> Vec<Part<'a>> {
    let signatures = carry::of(carry::GEMINI, carry).unwrap_or_default();
    let signature = |value: &Value| value.as_str().map(str::to_owned);
    let mut parts = Vec::new();
    if !text.is_empty() {
        parts.push(Part::text(text, signature(&signatures["text"])));
    }
    for (number, call) in tool_calls.iter().enumerate() {
        let mut thought_signature = signature(&signatures["calls"][number]);
        // Of calls side by side the first one has the signature.
        if thought_signature.is_none() && needs_signatures && number == 0 {
            thought_signature = Some(NO_SIGNATURE.to_owned());
        }
        parts.push(Part {
            function_call: Some(json!({ "name": call.name, "args": call.input() })),
            thought_signature,
            ..Part::default()
        });
    }
    parts
}

fn response<'a>(name: &str, text: &str, is_error: bool) -> Part<'a> {
    let key = if is_error { "error" } else { "output" };
    Part {
        function_response: Some(json!({ "name": name, "response": { key: text } })),
        ..Part::default()
    }
}
