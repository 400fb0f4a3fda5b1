//! A conversation as turns of blocks.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{Image, ModelMessage, ToolCall, carry, image};

/// What stands for the words of a tool that failed without any: the format refuses errors that say
/// nothing, and with them everything that is asked after.
const SILENT_FAILURE: &str = "The tool failed and said nothing.";

#[derive(Serialize)]
pub(super) struct Message<'a> {
    role: Role,
    content: Vec<Block<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    User,
    Assistant,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Block<'a> {
    Own(OwnBlock<'a>),
    /// What the model said before, as it came: thoughts with their signatures.
    Carried(Value),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OwnBlock<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Value>,
    },
    Image {
        source: Value,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Value,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "str::is_empty")]
        content: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Value>,
    },
}

/// The turns, in which results of tools are the user's.
///
/// Everything up to the last block is to be cached: the next turn of the conversation, and the
/// next call of a loop over tools, begins with it.
pub(super) fn convert(messages: &[ModelMessage]) -> Vec<Message<'_>> {
    let mut turns: Vec<Message<'_>> = Vec::new();
    for message in messages {
        let (role, content) = match message {
            ModelMessage::User { text, images } => (Role::User, said(text, images)),
            ModelMessage::Assistant {
                text,
                tool_calls,
                carry,
            } => (
                Role::Assistant,
                answered(text, tool_calls, carry.as_deref()),
            ),
            ModelMessage::Tool {
                call_id,
                text,
                is_error,
                ..
            } => (Role::User, vec![result(call_id, text, *is_error)]),
        };
        if content.is_empty() {
            continue;
        }
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.extend(content),
            _ => turns.push(Message { role, content }),
        }
    }
    mark_for_cache(&mut turns);
    turns
}

fn said<'a>(text: &'a str, images: &[Image]) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block<'a>> = images
        .iter()
        .map(|picture| {
            let source = json!({
                "type": "base64",
                "media_type": &*picture.media_type,
                "data": image::base64(picture),
            });
            Block::Own(OwnBlock::Image { source })
        })
        .collect();
    blocks.extend(words(text));
    blocks
}

/// Thoughts, text and calls in the order in which they came: thoughts that are moved are refused.
fn answered<'a>(text: &'a str, tool_calls: &'a [ToolCall], carry: Option<&str>) -> Vec<Block<'a>> {
    let carried = match carry::of(carry::ANTHROPIC, carry) {
        Some(Value::Array(blocks)) => blocks,
        _ => Vec::new(),
    };
    let mut text = words(text);
    let mut calls: Vec<&ToolCall> = tool_calls.iter().collect();
    let mut blocks = Vec::new();
    for block in carried {
        match block["type"].as_str() {
            Some("text") => blocks.extend(text.take()),
            Some("tool_use") => {
                let placed = calls.extract_if(.., |call| block["id"] == call.id);
                blocks.extend(placed.map(called));
            }
            _ => blocks.push(Block::Carried(block)),
        }
    }
    blocks.extend(text);
    blocks.extend(calls.into_iter().map(called));
    blocks
}

fn called(call: &ToolCall) -> Block<'_> {
    Block::Own(OwnBlock::ToolUse {
        id: clean_id(&call.id),
        name: &call.name,
        input: call.input(),
    })
}

fn result<'a>(call_id: &'a str, text: &'a str, is_error: bool) -> Block<'a> {
    let is_silent = text.trim().is_empty();
    Block::Own(OwnBlock::ToolResult {
        tool_use_id: clean_id(call_id),
        content: if is_error && is_silent {
            SILENT_FAILURE
        } else {
            text
        },
        is_error,
        cache_control: None,
    })
}

/// A block of text, unless there is nothing but blanks, which the format refuses.
fn words(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Own(OwnBlock::Text {
        text,
        cache_control: None,
    }))
}

/// The format allows fewer characters than ids of other providers may have.
fn clean_id(id: &str) -> Cow<'_, str> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(is_fine) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.replace(|c| !is_fine(c), "_"))
}

fn mark_for_cache(turns: &mut [Message<'_>]) {
    // A first question is not worth it: writing to the cache costs a quarter more than reading.
    if turns.len() < 2 {
        return;
    }
    let last = turns.last_mut().and_then(|turn| turn.content.last_mut());
    if let Some(Block::Own(
        OwnBlock::Text { cache_control, .. } | OwnBlock::ToolResult { cache_control, .. },
    )) = last
    {
        *cache_control = Some(json!({"type": "ephemeral"}));
    }
}
