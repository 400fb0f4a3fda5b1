//! The list of agents.

use domain::agents::AgentSummary;
use domain::{Action, Paged, Timestamp};
use leptos::prelude::*;

use crate::layout::{ListPage, NewButton, load_page};
use crate::pages::agents::server::ListAgents;
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, EmptyCard, LinkRow, TableCard};

const NEW: NewButton = NewButton {
    action: Action::BuildAgents,
    href: "/agents/new",
    label: "New agent",
    others: &[],
};

/// Every agent of the workspace.
#[component]
pub fn AgentsPage() -> impl IntoView {
    let agents = load_page(|after| ListAgents { after });
    view! {
        <ListPage
            title="Agents"
            lead="Instructions and a model. Every save is a version you can go back to."
            button=NEW
            data=agents
            view=|AsOf { now, value }| view! { <AgentTable agents=value now /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn AgentTable(agents: Paged<AgentSummary>, now: Timestamp) -> impl IntoView {
    if agents.items.is_empty() {
        return view! {
            <EmptyCard
                icon="bot"
                title="No agents yet"
                text="An agent is a set of instructions and a model that follows them."
                link=NEW.link()
            />
        }
        .into_any();
    }
    let row = |agent| view! { <AgentRow agent now /> }.into_any();
    let item = |agent| view! { <AgentItem agent /> }.into_any();
    view! {
        <TableCard
            caption="Agents"
            columns=&[("Agent", ""), ("Model", ""), ("Edited", "")]
            rows=agents.items.iter().cloned().map(row).collect()
            items=agents.items.into_iter().map(item).collect()
            path="/agents"
            next=agents.next
        />
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
    let id = agent.id.to_string();
    let href = format!("/agents/{id}");
    let mark = view! { <Avatar id name=agent.name.clone() class="avatar-agent" /> }.into_any();
    let detail = agent.model.name.into_any();
    view! { <LinkRow mark href title=agent.name detail end=None /> }
}
