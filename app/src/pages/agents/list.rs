//! The list of agents.

use domain::agents::AgentSummary;
use domain::{Paged, Timestamp};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::layout::{Loaded, Page, PageHead, load_page};
use crate::pages::agents::server::ListAgents;
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, Empty, Icon, Pager, SkeletonRows};

/// Every agent of the workspace.
#[component]
pub fn AgentsPage() -> impl IntoView {
    let query = use_query_map();
    let after = Memo::new(move |_| query.with(|query| query.get("after")));
    let agents = load_page(|after| ListAgents { after });
    view! {
        <Page title="Agents" section="Agents">
            <div class="page">
                <PageHead
                    title="Agents"
                    lead="Instructions and a model. Every save is a version you can go back to."
                >
                    <a class="btn btn-primary" href="/agents/new">
                        <Icon name="plus" />
                        " New agent"
                    </a>
                </PageHead>
                <Loaded
                    data=agents
                    fallback=|| view! { <SkeletonRows /> }
                    view=move |AsOf { now, value }| {
                        let has_newer = after.get_untracked().is_some();
                        view! { <AgentTable agents=value now has_newer /> }.into_any()
                    }
                />
            </div>
        </Page>
    }
    .into_any()
}

#[component]
fn AgentTable(agents: Paged<AgentSummary>, now: Timestamp, has_newer: bool) -> impl IntoView {
    if agents.items.is_empty() {
        let text = "An agent is a set of instructions and a model that follows them.";
        return view! {
            <div class="card">
                <Empty icon="bot" title="No agents yet" text>
                    <a class="btn btn-secondary btn-sm" href="/agents/new">
                        "New agent"
                    </a>
                </Empty>
            </div>
        }
        .into_any();
    }
    let items = agents.items.clone();
    view! {
        <div class="card">
            <div class="table-wrap max-md:hidden">
                <table class="table">
                    <caption class="sr-only">"Agents"</caption>
                    <thead>
                        <tr>
                            <th>"Agent"</th>
                            <th>"Model"</th>
                            <th>"Edited"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {items.into_iter().map(|agent| view! { <AgentRow agent now /> }).collect_view()}
                    </tbody>
                </table>
            </div>
            <ul class="rows md:hidden">
                {agents.items.into_iter().map(|agent| view! { <AgentItem agent /> }).collect_view()}
            </ul>
            <Pager path="/agents" has_newer next=agents.next />
        </div>
    }
    .into_any()
}

#[component]
fn AgentRow(agent: AgentSummary, now: Timestamp) -> impl IntoView {
    view! {
        <tr>
            <td class="wide !h-15">
                <span class="flex items-center gap-3">
                    <Avatar
                        id=agent.id.to_string()
                        name=agent.name.clone()
                        class="avatar-agent"
                    />
                    <span class="min-w-0">
                        <a class="link-row block truncate" href=format!("/agents/{}", agent.id)>
                            {agent.name}
                        </a>
                        <span class="block truncate text-xs text-ink-3">{agent.description}</span>
                    </span>
                </span>
            </td>
            <td class="text-ink-2">{agent.model.name}</td>
            <td class="text-ink-3">
                <Age at=agent.updated_at now />
                {format!(" · v{}", agent.version)}
            </td>
        </tr>
    }
}

#[component]
fn AgentItem(agent: AgentSummary) -> impl IntoView {
    view! {
        <li class="is-link">
            <Avatar id=agent.id.to_string() name=agent.name.clone() class="avatar-agent" />
            <div class="min-w-0 grow">
                <p class="truncate">
                    <a class="link-row" href=format!("/agents/{}", agent.id)>
                        {agent.name}
                    </a>
                </p>
                <p class="text-xs text-ink-3 truncate">{agent.model.name}</p>
            </div>
        </li>
    }
}
