//! The list of runs.

use domain::runs::RunSummary;
use domain::{Paged, Timestamp};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::layout::{Loaded, Page, PageHead, load_page};
use crate::pages::runs::RunState;
use crate::pages::runs::server::ListRuns;
use crate::time::{Age, AsOf, duration};
use crate::ui::{Avatar, Empty, Pager, SkeletonRows, grouped, price};

/// Every run of the workspace, newest first.
#[component]
pub fn RunsPage() -> impl IntoView {
    let query = use_query_map();
    let after = Memo::new(move |_| query.with(|query| query.get("after")));
    let runs = load_page(|after| ListRuns { limit: 50, after });
    view! {
        <Page title="Runs" section="Runs">
            <div class="page">
                <PageHead
                    title="Runs"
                    lead="Every answer of an agent, with its journal. A run survives restarts and disconnects."
                />
                <Loaded
                    data=runs
                    fallback=|| view! { <SkeletonRows /> }
                    view=move |AsOf { now, value }| {
                        view! { <RunTable runs=value now has_newer=after.get_untracked().is_some() /> }
                            .into_any()
                    }
                />
            </div>
        </Page>
    }
    .into_any()
}

#[component]
fn RunTable(runs: Paged<RunSummary>, now: Timestamp, has_newer: bool) -> impl IntoView {
    if runs.items.is_empty() {
        let text = "A run appears here as soon as somebody sends a message to an agent.";
        return view! {
            <div class="card">
                <Empty icon="activity" title="No runs yet" text>
                    <a class="btn btn-secondary btn-sm" href="/conversations">
                        "Start a conversation"
                    </a>
                </Empty>
            </div>
        }
        .into_any();
    }
    let items = runs.items.clone();
    view! {
        <div class="card">
            <div class="table-wrap max-md:hidden">
                <table class="table">
                    <caption class="sr-only">"Runs, newest first"</caption>
                    <thead>
                        <tr>
                            <th>"Status"</th>
                            <th>"Conversation"</th>
                            <th>"Agent"</th>
                            <th>"Started"</th>
                            <th class="num">"Duration"</th>
                            <th class="num max-xl:hidden">"Tokens"</th>
                            <th class="num max-xl:hidden">"Cost"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {items.into_iter().map(|run| view! { <RunRow run now /> }).collect_view()}
                    </tbody>
                </table>
            </div>
            <ul class="rows md:hidden">
                {runs.items.into_iter().map(|run| view! { <RunItem run now /> }).collect_view()}
            </ul>
            <Pager path="/runs" has_newer next=runs.next />
        </div>
    }
    .into_any()
}

#[component]
fn RunRow(run: RunSummary, now: Timestamp) -> impl IntoView {
    view! {
        <tr>
            <td>
                <RunState status=run.status />
            </td>
            <td class="wide">
                <a class="link-row block" href=format!("/runs/{}", run.id)>
                    {title(&run)}
                </a>
                {run
                    .error
                    .as_ref()
                    .map(|error| {
                        view! { <span class="block text-xs text-ink-3">{error.message.clone()}</span> }
                    })}
            </td>
            <td>
                <span class="inline-flex items-center gap-2">
                    <Avatar
                        id=run.agent_id.to_string()
                        name=run.agent_name.clone()
                        class="avatar-agent avatar-sm"
                    />
                    {run.agent_name.clone()}
                </span>
            </td>
            <td class="text-ink-2">
                <Age at=run.created_at now />
            </td>
            <td class="num">{lasted(&run, now)}</td>
            <td class="num max-xl:hidden">
                {grouped(run.usage.input_tokens + run.usage.output_tokens)}
            </td>
            <td class="num max-xl:hidden">{price(run.usage.cost_usd_micros)}</td>
        </tr>
    }
}

/// A run in lists without columns.
#[component]
pub fn RunItem(
    /// The run.
    run: RunSummary,
    /// The server's clock.
    now: Timestamp,
) -> impl IntoView {
    let reason = run
        .error
        .as_ref()
        .map(|error| format!(" · {}", error.message));
    view! {
        <li class="is-link">
            <Avatar
                id=run.agent_id.to_string()
                name=run.agent_name.clone()
                class="avatar-agent"
            />
            <div class="min-w-0 grow">
                <p class="truncate">
                    <a class="link-row" href=format!("/runs/{}", run.id)>
                        {title(&run)}
                    </a>
                </p>
                <p class="text-xs text-ink-3 truncate tabular-nums">
                    {run.agent_name.clone()} " · " <Age at=run.created_at now /> {reason}
                </p>
            </div>
            <RunState status=run.status />
        </li>
    }
}

fn title(run: &RunSummary) -> String {
    if run.conversation_title.is_empty() {
        "Untitled conversation".to_owned()
    } else {
        run.conversation_title.clone()
    }
}

fn lasted(run: &RunSummary, now: Timestamp) -> String {
    match run.started_at {
        Some(start) => duration(start, run.finished_at.unwrap_or(now)),
        None => "–".to_owned(),
    }
}
