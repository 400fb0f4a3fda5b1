//! What a tool is called with, for people.

use leptos::prelude::*;
use serde_json::Value;

/// Characters of a line that stands for all arguments.
const LINE_CHARS: usize = 120;

/// Name and value of each argument, as a table.
pub fn argument_rows(arguments: &Value) -> AnyView {
    let rows: Vec<AnyView> = match arguments {
        Value::Object(fields) if fields.is_empty() => return ().into_any(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| row(name.clone(), shown(value)))
            .collect(),
        other => vec![row("arguments".to_owned(), shown(other))],
    };
    view! { <dl class="args">{rows}</dl> }.into_any()
}

fn row(name: String, value: String) -> AnyView {
    view! {
        <div>
            <dt>{name}</dt>
            <dd class="whitespace-pre-wrap break-words">{value}</dd>
        </div>
    }
    .into_any()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// All arguments in one line.
pub fn one_line(arguments: &Value) -> String {
    let line = match arguments {
        Value::Object(fields) => {
            let values: Vec<String> = fields.values().map(shown).collect();
            values.join(" · ")
        }
        other => shown(other),
    };
    line.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LINE_CHARS)
        .collect()
}
