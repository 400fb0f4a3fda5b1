//! Trying a tool: fields made from its schema, and what it answered.

use domain::mcp_servers::{McpTool, McpToolState, ToolTrial};
use domain::{Error, McpServerId};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde_json::Value;

use crate::pages::tools::choice::choice;
use crate::pages::tools::server::TryTool;
use crate::ui::{ActionForm, Empty, FormAction, Icon, NeedsScript, SubmitButton, live, sentence};

/// The tool that the address names by `tool`, ready to be called.
#[component]
pub fn Trial(
    /// The server.
    server: McpServerId,
    /// Its tools.
    tools: Vec<McpTool>,
) -> impl IntoView {
    let query = use_query_map();
    let chosen = Memo::new(move |_| query.with(|query| query.get("tool")));
    let panel = live(move || {
        let name = chosen.get();
        let found = tools.iter().find(|tool| match &name {
            Some(name) => tool.definition.name == *name,
            None => tool.state == McpToolState::Active,
        });
        match found {
            Some(tool) if tool.state == McpToolState::Active => form(server, tool),
            Some(_) => view! {
                <Empty
                    icon="shield-alert"
                    title="Quarantined"
                    text="Its definition has changed. Once an administrator accepts the change it can be called."
                />
            }
            .into_any(),
            None => view! {
                <Empty icon="play" title="Nothing to try" text="Choose a tool from the list." />
            }
            .into_any(),
        }
    });
    view! {
        <section class="card scroll-mt-20" id="try" aria-label="Try a tool">
            {panel}
        </section>
    }
    .into_any()
}

fn form(server: McpServerId, tool: &McpTool) -> AnyView {
    let action = FormAction::<TryTool>::new();
    let definition = &tool.definition;
    let fields = fields(&definition.input_schema);
    let name = definition.name.clone();
    let answer = action.value();
    let result = live(move || match answer.get() {
        Some(result) => outcome(result),
        None => ().into_any(),
    });
    view! {
        <header class="card-head">
            <h2 class="card-title grow min-w-0 truncate">
                "Try " <span class="font-mono text-xs font-medium">{name.clone()}</span>
            </h2>
        </header>
        <div class="card-body grid gap-4">
            <NeedsScript text="Results are shown only where JavaScript runs." />
            <ActionForm action=action>
                <input type="hidden" name="id" value=server.to_string() />
                <input type="hidden" name="tool" value=name />
                <div class="grid gap-4">
                    {fields} <div class="flex items-center gap-3">
                        <SubmitButton is_busy=action.pending() icon="play">
                            "Run"
                        </SubmitButton>
                        <span class="text-xs text-ink-3">"As you, recorded in the audit log"</span>
                    </div>
                </div>
            </ActionForm>
            <div role="status" class="empty:hidden min-w-0">
                {result}
            </div>
        </div>
    }
    .into_any()
}

/// One field for each property of the schema, required ones first.
fn fields(schema: &Value) -> Vec<AnyView> {
    let Some(properties) = schema["properties"].as_object() else {
        return vec![view! { <p class="text-ink-3">"It takes no arguments."</p> }.into_any()];
    };
    let required = |name: &str| {
        let list = schema["required"].as_array();
        list.is_some_and(|list| list.iter().any(|entry| entry == name))
    };
    let mut names: Vec<_> = properties
        .keys()
        // Others cannot be told apart in a form.
        .filter(|name| !name.contains(['[', ']', '&', '=']))
        .collect();
    names.sort_by_key(|name| !required(name));
    if names.is_empty() {
        return vec![view! { <p class="text-ink-3">"It takes no arguments."</p> }.into_any()];
    }
    let field = |name: &String| field(name, &properties[name], required(name));
    names.into_iter().map(field).collect()
}

fn field(name: &str, schema: &Value, required: bool) -> AnyView {
    let kind = schema["type"].as_str().unwrap_or("any").to_owned();
    let id = format!("field-{name}");
    let key = format!("fields[{name}]");
    let note = match required {
        true => format!("{kind}, required"),
        false => kind.clone(),
    };
    let hint = schema["description"]
        .as_str()
        .map(|text| view! { <p class="field-hint">{text.to_owned()}</p> }.into_any());
    let start = match &schema["default"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let label = id.clone();
    view! {
        <div class="field">
            <label class="field-label" for=label>
                <span class="font-mono text-xs">{name.to_owned()}</span>
                <small>{note}</small>
            </label>
            {control(id, key, &kind, schema, start, required)}
            {hint}
        </div>
    }
    .into_any()
}

fn control(
    id: String,
    name: String,
    kind: &str,
    schema: &Value,
    start: String,
    required: bool,
) -> AnyView {
    let choices: Vec<String> = match (kind, schema["enum"].as_array()) {
        ("boolean", _) => vec!["true".to_owned(), "false".to_owned()],
        ("string", Some(list)) => list
            .iter()
            .filter_map(|entry| entry.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    };
    if !choices.is_empty() {
        return choice(id, name, choices, &start, required);
    }
    match kind {
        "integer" | "number" => {
            let step = if kind == "integer" { "1" } else { "any" };
            view! {
                <input
                    class="input tabular-nums"
                    type="number"
                    step=step
                    id=id
                    name=name
                    value=start
                    required=required
                />
            }
            .into_any()
        }
        "array" | "object" => view! {
            <textarea
                class="textarea font-mono !text-xs"
                id=id
                name=name
                placeholder="JSON"
                required=required
                prop:value=start
            ></textarea>
        }
        .into_any(),
        _ => view! {
            <input class="input" id=id name=name value=start required=required autocomplete="off" />
        }
        .into_any(),
    }
}

fn outcome(result: Result<ToolTrial, Error>) -> AnyView {
    let (is_error, head, text) = match result {
        Ok(trial) => (
            trial.is_error,
            format!("{} ms", trial.duration_ms),
            trial.text,
        ),
        Err(error) => (true, "Not called".to_owned(), sentence(&error.to_string())),
    };
    let icon = match is_error {
        true => view! { <Icon name="circle-x" class="icon-sm text-danger-ink" /> }.into_any(),
        false => view! { <Icon name="check" class="icon-sm text-success" /> }.into_any(),
    };
    view! {
        <div class="code">
            <div class="code-head">
                <span class="flex items-center gap-1.5">
                    {icon} {if is_error { "Failed · " } else { "" }} {head}
                </span>
            </div>
            <pre class="max-h-96 !whitespace-pre-wrap" tabindex="0">
                <code>{text}</code>
            </pre>
        </div>
    }
    .into_any()
}
