//! A conversation as Markdown, for people.

use std::fmt::Write;

use domain::conversations::{Conversation, Message, MessageRole};
use domain::events::FinishReason;
use domain::files::AttachedFile;
use domain::tools::{ToolCall, ToolCallStatus};

/// Messages that say, bring, do or tell of nothing are left out.
pub(super) fn markdown(conversation: &Conversation, messages: &[Message]) -> String {
    let title = match conversation.title.as_str() {
        "" => "Conversation",
        title => title,
    };
    let mut text = format!("# {title}\n");
    for message in messages {
        let parts = parts(message);
        if parts.is_empty() {
            continue;
        }
        let name = match message.role {
            MessageRole::User => "You",
            MessageRole::Assistant => conversation.agent_name.as_str(),
        };
        let time = message.created_at;
        let parts = parts.join("\n\n");
        write!(text, "\n## {name}\n\n<!-- {time} -->\n\n{parts}\n").expect("text takes all");
    }
    text
}

/// Paragraphs of a message.
fn parts(message: &Message) -> Vec<String> {
    let mut parts = Vec::new();
    if !message.reasoning.trim().is_empty() {
        parts.push(format!("*Thought:*\n\n{}", quoted(&message.reasoning)));
    }
    if !message.text.trim().is_empty() {
        parts.push(message.text.trim_end().to_owned());
    }
    if !message.files.is_empty() {
        let files: Vec<String> = message.files.iter().map(file).collect();
        parts.push(format!("Files:\n\n{}", files.join("\n")));
    }
    parts.extend(message.tool_calls.iter().map(call));
    match (&message.error, message.finish_reason) {
        (Some(error), _) => parts.push(format!("**Failed: {}**", error.message)),
        (None, Some(FinishReason::Error)) => {
            parts.push("**Not of the form that was asked for; asked for once more**".to_owned());
        }
        (None, Some(FinishReason::Cancelled)) => parts.push("**Stopped**".to_owned()),
        (None, Some(FinishReason::Length)) => {
            parts.push("**Cut off: the longest answer was reached**".to_owned());
        }
        _ => {}
    }
    parts
}

fn quoted(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| format!("> {line}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn file(file: &AttachedFile) -> String {
    let AttachedFile {
        name,
        media_type,
        size_bytes,
        ..
    } = file;
    format!("- {} ({media_type}, {size_bytes} bytes)", in_code(name))
}

fn call(call: &ToolCall) -> String {
    let state = match (call.status, call.is_error) {
        (ToolCallStatus::Requested, _) => "asked for",
        (ToolCallStatus::Waiting, _) => "waiting for a person",
        (ToolCallStatus::Started, _) => "under way",
        (ToolCallStatus::Completed, true) => "failed",
        (ToolCallStatus::Completed, false) => "done",
    };
    let name = in_code(&format!("{}: {}", call.server, call.tool));
    let arguments = serde_json::to_string_pretty(&call.arguments).expect("plain data");
    let arguments = fenced("json", &arguments);
    let mut text = format!("Tool {name}, {state}\n\nArguments:\n\n{arguments}");
    if call.status == ToolCallStatus::Completed {
        let result = fenced("", &call.result);
        write!(text, "\n\nResult:\n\n{result}").expect("text takes all");
    }
    text
}

/// A block of code, whatever is in it.
fn fenced(language: &str, content: &str) -> String {
    let fence = "`".repeat(longest_run(content).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", content.trim_end())
}

fn in_code(text: &str) -> String {
    let mark = "`".repeat(longest_run(text) + 1);
    match mark.len() {
        1 => format!("{mark}{text}{mark}"),
        _ => format!("{mark} {text} {mark}"),
    }
}

/// Most backticks in a row.
fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or_default()
}
