//! Choosing a provider to connect to.

use domain::models::{FoundServer, Provider};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::call::call;
use crate::layout::{Page, PageHead};
use crate::pages::models::server::FindServers;
use crate::ui::{Icon, live, on_change};

/// The choice of providers; `wanted` is what was searched for without JavaScript.
#[component]
pub fn Picker(providers: Vec<Provider>, wanted: String) -> impl IntoView {
    let typed = RwSignal::new(wanted.clone());
    let tiles = providers
        .into_iter()
        .map(|provider| tile(provider, typed))
        .collect::<Vec<_>>();
    view! {
        <Page title="Add connection" section="Models" href="/models">
            <div class="page">
                <PageHead title="Add connection" lead="Whose models do you want to use?">
                    <form method="get" action="/models/new" role="search" class="max-sm:w-full sm:w-60">
                        <label class="input-group">
                            <span class="sr-only">"Search providers"</span>
                            <Icon name="search" class="icon-sm" />
                            <input
                                class="input"
                                type="search"
                                name="q"
                                placeholder="Search providers"
                                autocomplete="off"
                                value=wanted
                                on:input=move |event| typed.set(event_target_value(&event))
                            />
                        </label>
                    </form>
                </PageHead>
                <Found />
                <ul class="grid gap-2 sm:grid-cols-2 lg:grid-cols-3" aria-label="Providers">
                    {tiles}
                    <li>
                        <a class="card flex items-center gap-3 p-3 h-full hover:bg-hover" href="/models/new?provider=custom">
                            <span class="tile !size-7" aria-hidden="true">
                                <Icon name="plus" />
                            </span>
                            <span class="min-w-0">
                                <span class="block font-medium">"Another server"</span>
                                <span class="block text-xs text-ink-3">
                                    "Any that speaks like OpenAI, Anthropic or Gemini"
                                </span>
                            </span>
                        </a>
                    </li>
                </ul>
            </div>
        </Page>
    }
    .into_any()
}

fn tile(provider: Provider, typed: RwSignal<String>) -> AnyView {
    let Provider {
        key, name, summary, ..
    } = provider;
    let text = format!("{name} {summary} {key}").to_lowercase();
    let is_hidden = move || {
        typed.with(|typed| !typed.trim().is_empty() && !text.contains(&typed.trim().to_lowercase()))
    };
    view! {
        <li class:hidden=is_hidden>
            <a
                class="card flex items-center gap-3 p-3 h-full hover:bg-hover"
                href=format!("/models/new?provider={key}")
            >
                <span class="avatar avatar-agent">
                    <svg class="icon" aria-hidden="true">
                        <use_ href=format!("/providers.svg#{key}") />
                    </svg>
                </span>
                <span class="min-w-0">
                    <span class="block font-medium">{name}</span>
                    <span class="block text-xs text-ink-3">{summary}</span>
                </span>
            </a>
        </li>
    }
    .into_any()
}

/// Servers that run on the machine, looked for after the page is there.
#[component]
fn Found() -> impl IntoView {
    let found = RwSignal::new(Vec::<FoundServer>::new());
    on_change(move || {
        spawn_local(async move {
            let servers = call(FindServers {}).await.and_then(|answer| answer.read());
            found.try_set(servers.unwrap_or_default());
        });
    });
    live(move || {
        let servers = found.get();
        if servers.is_empty() {
            return ().into_any();
        }
        let rows = servers.into_iter().map(found_row).collect::<Vec<_>>();
        view! {
            <section class="card mb-4" aria-label="Found on the server’s machine">
                <ul class="rows">{rows}</ul>
            </section>
        }
        .into_any()
    })
}

fn found_row(server: FoundServer) -> AnyView {
    let models = match server.models.len() {
        0 => "no model yet".to_owned(),
        1 => "1 model".to_owned(),
        count => format!("{count} models"),
    };
    view! {
        <li>
            <span class="tile" aria-hidden="true">
                <Icon name="hard-drive" />
            </span>
            <div class="min-w-0 grow">
                <p class="font-medium">{format!("{} runs on this machine", server.name)}</p>
                <p class="truncate text-xs text-ink-3">
                    <span class="font-mono text-2xs">{server.base_url}</span>
                    " · "
                    {models}
                </p>
            </div>
            <a class="btn btn-secondary btn-sm" href=format!("/models/new?provider={}", server.provider)>
                "Connect"
            </a>
        </li>
    }
    .into_any()
}
