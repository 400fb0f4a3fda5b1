//! The list of tool servers, and the address that gives them all to clients.

use domain::Action;
use domain::mcp_servers::McpServer;
use leptos::prelude::*;

use crate::call::call;
use crate::layout::{ListPage, NewButton, load};
use crate::pages::tools::mark::mark;
use crate::pages::tools::server::ListToolServers;
use crate::pages::tools::state::{place, quarantine_pill, state_pill};
use crate::ui::{Callout, EmptyCard, LinkRow, Tone, follow, live, sentence};

const NEW: NewButton = NewButton {
    action: Action::ManageTools,
    href: "/tools/new",
    label: "Add server",
    others: &[
        ("/tools/catalog", "Catalog"),
        ("/tools/new/container", "Run an image"),
    ],
};

/// The workspace's tool servers.
#[component]
pub fn ToolsPage() -> impl IntoView {
    let servers = load(|| ListToolServers {});
    // People come here from a sign-in that nobody began, or that was finished already.
    let query = leptos_router::hooks::use_query_map();
    let is_unknown = move || query.read().get_str("sign_in") == Some("unknown");
    let notice = move || {
        is_unknown().then(|| {
            view! {
                <Callout tone=Tone::Warning icon="circle-alert" class="mb-6">
                    <p>
                        "This sign-in is not known here: it was begun in another browser, took too long or was finished already. Begin again on the server’s page."
                    </p>
                </Callout>
            }
            .into_any()
        })
    };
    view! {
        <ListPage
            title="Tools"
            lead="Servers whose tools agents can use, by the Model Context Protocol. Secrets are stored encrypted and never shown again."
            button=NEW
            data=servers
            view=move |servers| view! { {notice} {followed(servers)} }.into_any()
        />
    }
    .into_any()
}

/// The list, which is looked at again and again and shown again when it has changed.
fn followed(servers: Vec<McpServer>) -> AnyView {
    let shown = RwSignal::new(servers);
    let ask = || call(ListToolServers {});
    follow(5, ask, move |answer| {
        let Ok(servers) = answer.read::<Vec<McpServer>>() else {
            return;
        };
        let mark = |it: &McpServer| (it.state, it.state_since, it.updated_at, it.tool_count);
        let is_same = shown.with_untracked(|shown| {
            let marks = servers.iter().map(mark);
            marks.eq(shown.iter().map(mark))
        });
        if !is_same {
            shown.set(servers);
        }
    });
    live(move || {
        let servers = shown.get();
        view! { <Servers servers /> }.into_any()
    })
}

#[component]
fn Servers(servers: Vec<McpServer>) -> impl IntoView {
    if servers.is_empty() {
        return view! {
            <EmptyCard
                icon="plug"
                title="No tool server yet"
                text="Add a server by its address, from the catalog or from an image; agents can then use its tools."
                link=NEW.link()
            />
        }
        .into_any();
    }
    let rows = servers.into_iter().map(row).collect::<Vec<_>>();
    view! {
        <section class="card mb-6" aria-label="Servers">
            <ul class="rows">{rows}</ul>
        </section>
        <Gateway />
    }
    .into_any()
}

fn row(server: McpServer) -> AnyView {
    let detail = match &server.reason {
        Some(reason) if server.state.is_passing() => sentence(reason).into_any(),
        Some(reason) => {
            view! { <span class="text-danger-ink">{sentence(reason)}</span> }.into_any()
        }
        None => {
            let tools = match server.tool_count {
                1 => "1 tool".to_owned(),
                count => format!("{count} tools"),
            };
            view! { {tools} " · " <span class="font-mono text-2xs">{place(&server.source)}</span> }
                .into_any()
        }
    };
    let mark = mark("tile", server.source.catalog());
    let end = view! {
        <span class="flex flex-wrap justify-end gap-1.5 shrink-0 max-w-1/2">
            {quarantine_pill(&server)} {state_pill(server.state)}
        </span>
    }
    .into_any();
    view! {
        <LinkRow
            mark
            href=format!("/tools/{}", server.id)
            title=server.name.clone()
            detail
            end=Some(end)
        />
    }
    .into_any()
}

/// How programs outside reach the same tools.
#[component]
fn Gateway() -> impl IntoView {
    view! {
        <section class="card card-body grid gap-2" aria-label="Gateway">
            <h2 class="section-title">"Connect a client"</h2>
            <p class="text-ink-3">
                "Programs that speak the Model Context Protocol reach all of these tools at one address, with an API key as bearer token:"
            </p>
            <p>
                <code class="font-mono text-xs">"/mcp"</code>
                " for all servers, "
                <code class="font-mono text-xs">"/mcp/<server>"</code>
                " for one. "
                <a class="link" href="/settings/api-keys">
                    "Make an API key"
                </a>
            </p>
        </section>
    }
    .into_any()
}
