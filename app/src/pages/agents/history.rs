//! Every version of an agent: who saved it, when, and what it changed.

use domain::agents::VersionChanges;
use domain::{Action, AgentId, Paged, Timestamp};
use leptos::prelude::*;

use crate::layout::{Loaded, Page, PageSkeleton, load_page_by_id, may};
use crate::pages::agents::difference::difference;
use crate::pages::agents::server::{AgentHead, AgentHistory, GetAgentHistory, RestoreVersion};
use crate::pages::agents::versions::slot_mark;
use crate::time::{Age, AsOf};
use crate::ui::{ActionForm, Avatar, FormAction, FormAlert, SubmitButton, on_change, use_toasts};

/// Versions with their differences, newest first.
#[component]
pub fn AgentHistoryPage() -> impl IntoView {
    let history = load_page_by_id(|id: AgentId, after| GetAgentHistory { id, after });
    let refresh = Callback::new(move |()| history.refetch());
    view! {
        <Loaded
            section="Agents"
            data=history
            fallback=|| view! { <PageSkeleton title="Versions" section="Agents" /> }
            view=move |AsOf { now, value }| {
                view! { <History history=value now refresh /> }.into_any()
            }
        />
    }
    .into_any()
}

#[component]
fn History(history: AgentHistory, now: Timestamp, refresh: Callback<()>) -> impl IntoView {
    let AgentHistory { agent, versions } = history;
    let restore = FormAction::<RestoreVersion>::new();
    let toasts = use_toasts();
    on_change(move || {
        if let Some(Ok(version)) = restore.value().get() {
            toasts.success(format!("Version {version} is live"));
            refresh.run(());
        }
    });
    let name = agent.name.clone();
    let title = format!("Versions of {name}");
    let href = format!("/agents/{}", agent.id);
    let pager = pager(&agent, &versions);
    let cards = versions
        .items
        .into_iter()
        .map(|version| card(&agent, version, now, restore))
        .collect::<Vec<_>>();
    view! {
        <Page title section="Agents" href="/agents">
            <div class="page">
                <header class="page-head">
                    <div class="flex items-center gap-3 grow min-w-0 basis-72">
                        <Avatar id=agent.id.to_string() name=name.clone() class="avatar-agent avatar-lg" />
                        <div class="min-w-0">
                            <h1 class="page-title">"Versions"</h1>
                            <p class="page-lead">
                                "Of " <a class="link" href=href.clone()>{name}</a>
                                ": who saved what, newest first."
                            </p>
                        </div>
                    </div>
                    <div class="toolbar">
                        <a class="btn btn-secondary" href=href>
                            "Back to the agent"
                        </a>
                    </div>
                </header>
                <FormAlert errors=restore.errors() fields=&[] />
                <ol class="grid gap-4 max-w-(--container-form)">{cards}</ol>
                {pager}
            </div>
        </Page>
    }
}

fn card(
    agent: &AgentHead,
    version: VersionChanges,
    now: Timestamp,
    restore: FormAction<RestoreVersion>,
) -> AnyView {
    let (id, number) = (agent.id, version.version);
    let is_live = number == agent.live;
    let is_draft = agent.draft == Some(number);
    let mark = slot_mark(is_live, is_draft);
    let is_fixed = agent.is_archived || !may(Action::BuildAgents);
    let button = (!is_live && !is_draft && !is_fixed).then(|| {
        view! {
            <ActionForm action=restore>
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="version" value=number.to_string() />
                <SubmitButton class="btn btn-secondary btn-sm" is_busy=restore.pending()>
                    "Restore"
                </SubmitButton>
            </ActionForm>
        }
        .into_any()
    });
    let body = if number == 1 {
        view! { <p class="px-4 py-3 text-ink-3">"The agent was made."</p> }.into_any()
    } else if version.changes.is_empty() {
        view! { <p class="px-4 py-3 text-ink-3">"The same as the version before."</p> }.into_any()
    } else {
        let changes = version.changes.into_iter().map(difference);
        view! { <div class="grid">{changes.collect::<Vec<_>>()}</div> }.into_any()
    };
    view! {
        <li>
            <section class="card overflow-hidden" aria-label=format!("Version {number}")>
                <header class="card-head flex-wrap">
                    <h2 class="card-title tabular-nums">{format!("v{number}")}</h2>
                    {mark}
                    <p class="grow min-w-0 basis-40 flex items-center gap-1.5 text-ink-3">
                        <Avatar
                            id=version.author_id.to_string()
                            name=version.author.clone()
                            class="avatar-sm"
                        />
                        <span class="truncate">{version.author}</span>
                        <span aria-hidden="true">"·"</span>
                        <span class="shrink-0">
                            <Age at=version.created_at now />
                        </span>
                    </p>
                    {button}
                </header>
                {body}
            </section>
        </li>
    }
    .into_any()
}

/// Links to the newest and to older versions.
fn pager(agent: &AgentHead, versions: &Paged<VersionChanges>) -> Option<AnyView> {
    let path = format!("/agents/{}/versions", agent.id);
    let first = versions.items.first();
    let newer = first
        .is_some_and(|first| first.version < agent.draft.unwrap_or(agent.live))
        .then(|| path.clone());
    let older = versions
        .next
        .as_ref()
        .map(|next| format!("{path}?after={}", next.0));
    if newer.is_none() && older.is_none() {
        return None;
    }
    let link = |class: &'static str, label: &'static str| {
        move |href: String| {
            view! {
                <a class=class href=href>
                    {label}
                </a>
            }
            .into_any()
        }
    };
    Some(
        view! {
            <nav class="pager max-w-(--container-form)" aria-label="Pages of the list">
                {newer.map(link("btn btn-ghost btn-sm", "Newest"))}
                {older.map(link("btn btn-ghost btn-sm ml-auto", "Older"))}
            </nav>
        }
        .into_any(),
    )
}
