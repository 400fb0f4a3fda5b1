//! The list of runs.

use domain::runs::RunSummary;
use domain::{Action, Paged, Timestamp};
use leptos::prelude::*;

use crate::layout::{ListPage, load_page, may};
use crate::pages::runs::RunState;
use crate::pages::runs::server::ListRuns;
use crate::pages::runs::text::{lasted, title};
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, EmptyCard, LinkRow, TableCard, grouped, price};

const COLUMNS: &[(&str, &str)] = &[
    ("Status", ""),
    ("Conversation", ""),
    ("Agent", ""),
    ("Started", ""),
    ("Duration", "num"),
    ("Tokens", "num max-xl:hidden"),
    ("Cost", "num max-xl:hidden"),
];

/// Every run of the workspace, newest first.
#[component]
pub fn RunsPage() -> impl IntoView {
    let runs = load_page(|after| ListRuns { limit: 50, after });
    view! {
        <ListPage
            title="Runs"
            lead="Every answer of an agent, with its journal. A run survives restarts and disconnects."
            data=runs
            view=|AsOf { now, value }| view! { <RunTable runs=value now /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn RunTable(runs: Paged<RunSummary>, now: Timestamp) -> impl IntoView {
    if runs.items.is_empty() {
        let link = ("/conversations", "Start a conversation");
        return view! {
            <EmptyCard
                icon="activity"
                title="No runs yet"
                text="A run appears here as soon as somebody sends a message to an agent."
                link=may(Action::Converse).then_some(link)
            />
        }
        .into_any();
    }
    let row = |run| view! { <RunRow run now /> }.into_any();
    let item = |run| view! { <RunItem run now /> }.into_any();
    view! {
        <TableCard
            caption="Runs, newest first"
            columns=COLUMNS
            rows=runs.items.iter().cloned().map(row).collect()
            items=runs.items.into_iter().map(item).collect()
            path="/runs"
            next=runs.next
        />
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
                        view! { <span class="block text-xs text-ink-3">{error.message.clone()}</span> }.into_any()
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
    let title = title(&run);
    let href = format!("/runs/{}", run.id);
    let reason = run.error.map(|error| format!(" · {}", error.message));
    let mark = view! {
        <Avatar
            id=run.agent_id.to_string()
            name=run.agent_name.clone()
            class="avatar-agent"
        />
    }
    .into_any();
    let detail = view! {
        <span class="tabular-nums">
            {run.agent_name} " · " <Age at=run.created_at now /> {reason}
        </span>
    }
    .into_any();
    let end = view! { <RunState status=run.status /> }.into_any();
    view! { <LinkRow mark href title detail end=Some(end) /> }
}
