//! A changed definition beside the accepted one.

use domain::Action;
use domain::McpServerId;
use domain::mcp_servers::{McpTool, ToolDefinition};
use leptos::prelude::*;

use crate::layout::may;
use crate::pages::tools::server::AcceptTool;
use crate::ui::{ActionForm, FormAction, FormAlert, Icon, SubmitButton, when_done};

/// What was accepted, what the server says now, and the button that accepts it.
#[component]
pub fn ChangedTool(
    /// The server.
    server: McpServerId,
    /// The quarantined tool.
    tool: McpTool,
    /// Reads the page again.
    refresh: Callback<()>,
) -> impl IntoView {
    let action = FormAction::<AcceptTool>::new();
    when_done(action.has_succeeded(), move || refresh.run(()));
    let name = tool.definition.name.clone();
    let now = lines(&tool.definition);
    let then = tool.accepted.as_ref().map(lines).unwrap_or_default();
    let removed = marked(&then, &now, "-", "del");
    let added = marked(&now, &then, "+", "add");
    let label = format!("Changed definition of {name}");
    let hidden = name.clone();
    let hash = tool.definition_hash.clone();
    let button = may(Action::ManageTools).then(|| {
        view! {
            <ActionForm action=action>
                <input type="hidden" name="id" value=server.to_string() />
                <input type="hidden" name="tool" value=hidden />
                <input type="hidden" name="hash" value=hash />
                <SubmitButton class="btn btn-primary btn-sm" is_busy=action.pending()>
                    "Accept new definition"
                </SubmitButton>
            </ActionForm>
        }
        .into_any()
    });
    view! {
        <section class="card mb-6 overflow-hidden" aria-label=label>
            <header class="card-head flex-wrap !bg-warning-soft !border-warning-line">
                <Icon name="shield-alert" class="text-warning-ink" />
                <h2 class="card-title grow basis-64">
                    {name} " no longer matches the accepted definition"
                </h2>
                {button}
            </header>
            <FormAlert errors=action.errors() fields=&[] />
            <div class="diff">
                <div role="group" aria-label="Accepted definition">{removed}</div>
                <div role="group" aria-label="Definition now offered">{added}</div>
            </div>
        </section>
    }
    .into_any()
}

/// The parts of a definition that count, one line each.
fn lines(definition: &ToolDefinition) -> Vec<String> {
    let mut value = serde_json::to_value(definition).unwrap_or_default();
    if let Some(title) = &definition.title {
        value["title"] = title.clone().into();
    }
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Lines with their numbers; those that the other side lacks are marked.
fn marked(
    own: &[String],
    other: &[String],
    sign: &'static str,
    class: &'static str,
) -> Vec<AnyView> {
    let line = |(index, line): (usize, &String)| {
        let is_new = !other.contains(line);
        view! {
            <p class=is_new.then_some(class)>
                <span>{index + 1}</span>
                <span>{if is_new { sign } else { " " }}</span>
                <span>{line.clone()}</span>
            </p>
        }
        .into_any()
    };
    own.iter().enumerate().map(line).collect()
}
