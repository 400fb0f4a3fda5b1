//! The tools of a server, each a link to trying it.

use domain::McpServerId;
use domain::mcp_servers::{McpTool, McpToolState};
use leptos::prelude::*;

use crate::pages::tools::state::kind_tag;
use crate::ui::{Card, Empty, Icon};

/// A server's tools.
#[component]
pub fn ToolList(
    /// The server.
    server: McpServerId,
    /// Its tools.
    tools: Vec<McpTool>,
) -> impl IntoView {
    let content = if tools.is_empty() {
        view! {
            <Empty
                icon="wrench"
                title="No tools"
                text="The server offers none, or could not be asked yet."
            />
        }
        .into_any()
    } else {
        let rows = tools.into_iter().map(|tool| row(server, tool));
        view! { <ul class="rows">{rows.collect::<Vec<_>>()}</ul> }.into_any()
    };
    view! {
        <Card id="tools" title="Tools">
            {content}
        </Card>
    }
    .into_any()
}

fn row(server: McpServerId, tool: McpTool) -> AnyView {
    let definition = tool.definition;
    let mark = match tool.state {
        McpToolState::Active => kind_tag(&definition),
        McpToolState::Quarantined => view! {
            <span class="pill pill-warning">
                <Icon name="shield-alert" />
                <span>"Quarantined"</span>
            </span>
        }
        .into_any(),
    };
    let href = format!("/tools/{server}?tool={}#try", encoded(&definition.name));
    let schema = serde_json::to_string_pretty(&definition.input_schema).unwrap_or_default();
    view! {
        <li class="!items-start !py-3 flex-wrap">
            <div class="min-w-0 grow basis-64 grid gap-1">
                <p class="flex flex-wrap items-center gap-2">
                    <a class="link font-mono text-xs font-medium" href=href>
                        {definition.name}
                    </a>
                    {definition.title}
                </p>
                <p class="text-xs text-ink-3 [overflow-wrap:anywhere]">{definition.description}</p>
                <details class="text-xs">
                    <summary class="text-ink-3 cursor-pointer">"Arguments"</summary>
                    <pre class="pre mt-1 max-h-64" tabindex="0">
                        {schema}
                    </pre>
                </details>
            </div>
            {mark}
        </li>
    }
    .into_any()
}

/// Names have letters, digits and `_ - . /`; only the last needs care.
fn encoded(name: &str) -> String {
    name.replace('/', "%2F")
}
