//! The list of agents, with search and tags.

use domain::agents::{AgentSummary, TagCount};
use domain::{Action, Timestamp};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::address::encode;
use crate::layout::{Allowed, Loaded, Page, PageHead, load_by_query, may};
use crate::pages::agents::search::SearchForm;
use crate::pages::agents::server::{AgentList, ListAgents};
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, EmptyCard, Icon, LinkRow, SkeletonRows, TableCard};

/// Every agent of the workspace, or those that match.
#[component]
pub fn AgentsPage() -> impl IntoView {
    let agents = load_by_query(|query| ListAgents {
        after: query.get("after"),
        search: query.get("search"),
        tag: query.get("tag"),
    });
    view! {
        <Page title="Agents" section="Agents">
            <div class="page">
                <PageHead
                    title="Agents"
                    lead="Instructions, a model and tools. Every save is a version you can go back to."
                >
                    <Allowed action=Action::BuildAgents>
                        <a class="btn btn-secondary" href="/agents/import">
                            <Icon name="upload" />
                            " Import"
                        </a>
                        <a class="btn btn-primary" href="/agents/new">
                            <Icon name="plus" />
                            " New agent"
                        </a>
                    </Allowed>
                </PageHead>
                <SearchForm />
                <Loaded
                    data=agents
                    fallback=|| view! { <SkeletonRows /> }.into_any()
                    view=|AsOf { now, value }| view! { <Agents list=value now /> }.into_any()
                />
            </div>
        </Page>
    }
    .into_any()
}

/// What the address asks for.
#[derive(Clone, Default)]
struct Asked {
    search: String,
    tag: String,
}

impl Asked {
    fn of_address() -> Self {
        let query = use_query_map();
        query.with_untracked(|query| Self {
            search: query.get("search").unwrap_or_default(),
            tag: query.get("tag").unwrap_or_default().trim().to_lowercase(),
        })
    }

    fn is_everything(&self) -> bool {
        self.search.trim().is_empty() && self.tag.is_empty()
    }

    /// The address of the list with another tag, or with none.
    fn with_tag(&self, tag: &str) -> String {
        let mut parts = Vec::new();
        if !self.search.trim().is_empty() {
            parts.push(format!("search={}", encode(&self.search)));
        }
        if !tag.is_empty() {
            parts.push(format!("tag={}", encode(tag)));
        }
        match parts.is_empty() {
            true => "/agents".to_owned(),
            false => format!("/agents?{}", parts.join("&")),
        }
    }
}

#[component]
fn Agents(list: AgentList, now: Timestamp) -> impl IntoView {
    let asked = Asked::of_address();
    let AgentList { agents, tags } = list;
    if agents.items.is_empty() && asked.is_everything() {
        let link = ("/agents/new", "New agent");
        return view! {
            <EmptyCard
                icon="bot"
                title="No agents yet"
                text="An agent is a set of instructions and a model that follows them."
                link=may(Action::BuildAgents).then_some(link)
            />
        }
        .into_any();
    }
    let chips = tag_chips(tags, &asked);
    if agents.items.is_empty() {
        return view! {
            {chips}
            <EmptyCard
                icon="search-x"
                title="Nothing matches"
                text="No agent has all these words, or this tag."
                link=Some(("/agents", "Show everything"))
            />
        }
        .into_any();
    }
    let row = |agent| row(agent, &asked, now);
    view! {
        {chips}
        <TableCard
            caption="Agents"
            columns=&[("Agent", ""), ("Tags", "max-xl:hidden"), ("Model", ""), ("Edited", "")]
            rows=agents.items.iter().cloned().map(row).collect()
            items=agents.items.into_iter().map(item).collect()
            path="/agents"
            next=agents.next
        />
    }
    .into_any()
}

/// Every tag in use; the chosen one leads back.
fn tag_chips(tags: Vec<TagCount>, asked: &Asked) -> Option<AnyView> {
    let chip = |TagCount { tag, agents }| {
        let is_chosen = tag == asked.tag;
        let href = asked.with_tag(if is_chosen { "" } else { &tag });
        let class = match is_chosen {
            true => "tag !h-6 no-underline !bg-accent-soft !border-accent-line !text-accent-ink",
            false => "tag !h-6 no-underline hover:bg-hover",
        };
        let mark = is_chosen.then(|| view! { <Icon name="x" /> }.into_any());
        view! {
            <li>
                <a class=class href=href aria-current=is_chosen.then_some("true")>
                    {tag}
                    <span class="text-ink-3 tabular-nums">{agents}</span>
                    {mark}
                </a>
            </li>
        }
        .into_any()
    };
    let chips: Vec<AnyView> = tags.into_iter().map(chip).collect();
    (!chips.is_empty()).then(|| {
        view! {
            <nav aria-label="Tags" class="mb-4">
                <ul class="flex flex-wrap gap-1.5">{chips}</ul>
            </nav>
        }
        .into_any()
    })
}

fn row(agent: AgentSummary, asked: &Asked, now: Timestamp) -> AnyView {
    let tag = |tag: &String| {
        view! {
            <a class="tag relative z-1 no-underline hover:bg-hover" href=asked.with_tag(tag)>
                {tag.clone()}
            </a>
        }
        .into_any()
    };
    let tags = agent.tags.iter().take(3).map(tag).collect::<Vec<_>>();
    let rest = agent.tags.len().saturating_sub(3);
    let rest = (rest > 0).then(|| format!("+{rest}"));
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
            <td class="max-xl:hidden">
                <span class="inline-flex items-center gap-1">
                    {tags} <span class="text-xs text-ink-3">{rest}</span>
                </span>
            </td>
            <td class="text-ink-2">{agent.model.name}</td>
            <td class="text-ink-3">
                <Age at=agent.updated_at now />
                {format!(" · v{}", agent.version)}
            </td>
        </tr>
    }
    .into_any()
}

fn item(agent: AgentSummary) -> AnyView {
    let id = agent.id.to_string();
    let href = format!("/agents/{id}");
    let mark = view! { <Avatar id name=agent.name.clone() class="avatar-agent" /> }.into_any();
    let mut detail = agent.model.name;
    if !agent.tags.is_empty() {
        detail = format!("{detail} · {}", agent.tags.join(", "));
    }
    view! { <LinkRow mark href title=agent.name detail=detail.into_any() end=None /> }.into_any()
}
