//! The tools inside this program. None does more than write files of its own conversation.

mod calculator;
mod conversation_files;
mod current_time;
mod expression;
mod http_fetch;

use std::time::Duration;

pub(crate) use conversation_files::ConversationFiles;
use domain::tools::Builtin;
use engine::ToolOutput;
use llm::ToolSpec;
use outbound::Outbound;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Longest time that one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the built-in tools need.
pub(crate) struct Builtins {
    /// Reaches the public internet and what the administrator lists, never this machine by itself.
    outbound: Outbound,
}

impl Builtins {
    pub(crate) fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }

    /// What models are told of a tool.
    pub(crate) fn spec(builtin: Builtin) -> ToolSpec {
        let (description, input_schema) = match builtin {
            Builtin::CurrentTime => (
                "Tells the current date and time, with weekday and offset from UTC.",
                json!({
                    "type": "object",
                    "properties": {
                        "time_zone": {
                            "type": "string",
                            "description": "IANA name such as Europe/Berlin; UTC if left out",
                        },
                    },
                    "additionalProperties": false,
                }),
            ),
            Builtin::Calculator => (
                "Works out an arithmetic expression: + - * / ^, % for the remainder, brackets, \
                 sqrt, abs, min, max, sin, cos, tan, exp, ln, log2, log10, floor, ceil, round, \
                 pi and e. Whole numbers are exact up to 38 digits, others have 15.",
                json!({
                    "type": "object",
                    "properties": {
                        "expression": {
                            "type": "string",
                            "maxLength": calculator::MAX_CHARS,
                            "description": "for example (1.5 + 2) * 3 ^ 2",
                        },
                    },
                    "required": ["expression"],
                    "additionalProperties": false,
                }),
            ),
            Builtin::HttpFetch => (
                "Reads a public web page or text file. Pages come as plain text with their links.",
                json!({
                    "type": "object",
                    "properties": {
                        "url": {
                            "type": "string",
                            "maxLength": 2000,
                            "description": "address that begins with https://",
                        },
                    },
                    "required": ["url"],
                    "additionalProperties": false,
                }),
            ),
            Builtin::ListFiles => (
                "Lists the files of this conversation: those you have written and those that people \
                 attached.",
                json!({"type": "object", "properties": {}, "additionalProperties": false}),
            ),
            Builtin::ReadFile => (
                "Reads a text file of this conversation.",
                json!({
                    "type": "object",
                    "properties": {
                        "path": path(),
                        "first_line": {
                            "type": "integer",
                            "minimum": 1,
                            "description": "where to begin; 1 if left out",
                        },
                        "lines": {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": conversation_files::MAX_LINES,
                        },
                    },
                    "required": ["path"],
                    "additionalProperties": false,
                }),
            ),
            Builtin::SearchFiles => (
                "Finds the lines with a text in all files of this conversation, upper and lower \
                 case alike.",
                json!({
                    "type": "object",
                    "properties": {
                        "text": {"type": "string", "minLength": 1, "maxLength": 200},
                    },
                    "required": ["text"],
                    "additionalProperties": false,
                }),
            ),
            Builtin::WriteFile => (
                "Writes a text file of this conversation, in place of what was at that path. People \
                 can download it.",
                json!({
                    "type": "object",
                    "properties": {
                        "path": path(),
                        "content": {
                            "type": "string",
                            "maxLength": crate::files::MAX_TEXT_CHARS,
                            "description": "the whole file",
                        },
                    },
                    "required": ["path", "content"],
                    "additionalProperties": false,
                }),
            ),
        };
        ToolSpec {
            name: builtin.as_str().to_owned(),
            description: description.to_owned(),
            input_schema,
        }
    }

    /// Calls a tool with arguments that fit its schema.
    pub(crate) async fn call(
        &self,
        builtin: Builtin,
        arguments: &Value,
        files: &ConversationFiles,
        cancel: CancellationToken,
    ) -> ToolOutput {
        let number = |name: &str, usual: u64| arguments[name].as_u64().unwrap_or(usual);
        let text = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
        let work = async {
            match builtin {
                Builtin::CurrentTime => current_time::tell(&text("time_zone")),
                Builtin::Calculator => calculator::work_out(&text("expression")),
                Builtin::HttpFetch => http_fetch::fetch(&self.outbound, &text("url")).await,
                Builtin::ListFiles => files.list().await,
                Builtin::ReadFile => {
                    let lines = number("lines", conversation_files::MAX_LINES);
                    let first = number("first_line", 1);
                    files.read(&text("path"), first, lines).await
                }
                Builtin::SearchFiles => files.search(&text("text")).await,
                Builtin::WriteFile => files.write(&text("path"), &text("content")).await,
            }
        };
        let result = tokio::select! {
            () = cancel.cancelled() => Err("the call was stopped".to_owned()),
            result = tokio::time::timeout(TIMEOUT, work) => result.unwrap_or_else(|_| {
                Err(format!("no answer within {} s", TIMEOUT.as_secs()))
            }),
        };
        match result {
            Ok(text) => ToolOutput::text(text),
            Err(why) => ToolOutput::error(why),
        }
    }
}

fn path() -> Value {
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": conversation_files::MAX_PATH_CHARS,
        "description": "for example notes/plan.md",
    })
}
