//! What happened lately, or the first steps in an empty workspace.

use domain::Timestamp;
use domain::conversations::Conversation;
use domain::runs::{RunStatus, RunSummary};
use leptos::prelude::*;

use crate::layout::{Loaded, Page, PageHead, load};
use crate::pages::home::server::{GetOverview, Overview};
use crate::pages::runs::{RunItem, RunState};
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, Icon, LabelledIcon, SkeletonRows, sentence};

/// The overview.
#[component]
pub fn HomePage() -> impl IntoView {
    let overview = load(|| GetOverview {});
    view! {
        <Page title="Home" section="Home">
            <div class="page">
                <PageHead title="Overview" lead="What your agents did lately.">
                    <a class="btn btn-primary lg:hidden" href="/conversations">
                        <Icon name="square-pen" />
                        " New conversation"
                    </a>
                </PageHead>
                <Loaded
                    data=overview
                    fallback=|| view! { <SkeletonRows count=6 /> }
                    view=|AsOf { now, value }| view! { <OverviewView overview=value now /> }.into_any()
                />
            </div>
        </Page>
    }
    .into_any()
}

#[component]
fn OverviewView(overview: Overview, now: Timestamp) -> impl IntoView {
    let Overview {
        has_connection,
        has_agent,
        conversations,
        runs,
    } = overview;
    let is_begun = has_connection && has_agent && !conversations.is_empty();
    let steps = (!is_begun)
        .then(|| view! { <FirstSteps has_connection has_agent has_conversation={!conversations.is_empty()} /> });
    let (failed, recent): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|run| run.status == RunStatus::Failed);
    let failed = (!failed.is_empty()).then(|| view! { <Failed runs=failed now /> });
    let conversations = (!conversations.is_empty()).then(|| view! { <Recent conversations now /> });
    let recent = (!recent.is_empty()).then(|| view! { <RecentRuns runs=recent now /> });
    view! {
        <div class="grid gap-6 [&>*]:min-w-0">
            {steps} {failed}
            <div class="grid gap-6 xl:grid-cols-2 items-start [&>*]:min-w-0">
                {conversations} {recent}
            </div>
        </div>
    }
}

#[component]
fn FirstSteps(has_connection: bool, has_agent: bool, has_conversation: bool) -> impl IntoView {
    let steps = [
        (
            has_connection,
            "Connect a model",
            "The place where answers come from.",
            "/models/new",
        ),
        (
            has_agent,
            "Create an agent",
            "Instructions and a model that follows them.",
            "/agents/new",
        ),
        (
            has_conversation,
            "Start a conversation",
            "Ask the agent something.",
            "/conversations",
        ),
    ];
    let step = |(is_done, title, text, href): (bool, &'static str, &'static str, &'static str)| {
        let mark = if is_done {
            view! { <LabelledIcon name="circle-check" label="Done" class="text-success" /> }
        } else {
            view! { <LabelledIcon name="circle-dashed" label="To do" class="text-ink-3" /> }
        };
        let name = if is_done {
            view! { <span class="text-ink-3">{title}</span> }.into_any()
        } else {
            view! {
                <a class="link-row" href=href>
                    {title}
                </a>
            }
            .into_any()
        };
        view! {
            <li class=if is_done { "" } else { "is-link" }>
                {mark} <div class="min-w-0 grow">
                    <p>{name}</p>
                    <p class="text-xs text-ink-3">{text}</p>
                </div>
            </li>
        }
    };
    view! {
        <section class="card" aria-labelledby="first-steps">
            <header class="card-head">
                <h2 class="card-title" id="first-steps">
                    "First steps"
                </h2>
            </header>
            <ol class="rows">{steps.map(step).collect_view()}</ol>
        </section>
    }
}

#[component]
fn Failed(runs: Vec<RunSummary>, now: Timestamp) -> impl IntoView {
    let row = move |run: RunSummary| {
        let reason = run
            .error
            .map(|error| sentence(&error.message))
            .unwrap_or_default();
        view! {
            <li class="is-link">
                <LabelledIcon name="circle-x" label="Failed" class="text-danger" />
                <div class="min-w-0 grow">
                    <p class="truncate">
                        <a class="link-row" href=format!("/runs/{}", run.id)>
                            {shown_title(run.conversation_title)}
                        </a>
                    </p>
                    <p class="text-xs text-ink-3 truncate">
                        <Age at=run.created_at now /> {format!(" · {} · {reason}", run.agent_name)}
                    </p>
                </div>
            </li>
        }
    };
    view! {
        <section class="card" aria-labelledby="failed-title">
            <header class="card-head">
                <h2 class="card-title grow" id="failed-title">
                    "What failed"
                </h2>
            </header>
            <ul class="rows">{runs.into_iter().take(5).map(row).collect_view()}</ul>
        </section>
    }
}

#[component]
fn Recent(conversations: Vec<Conversation>, now: Timestamp) -> impl IntoView {
    let row = move |conversation: Conversation| {
        view! {
            <li class="is-link">
                <Avatar
                    id=conversation.agent_id.to_string()
                    name=conversation.agent_name.clone()
                    class="avatar-agent"
                />
                <div class="min-w-0 grow">
                    <p class="truncate">
                        <a class="link-row" href=format!("/conversations/{}", conversation.id)>
                            {shown_title(conversation.title)}
                        </a>
                    </p>
                    <p class="text-xs text-ink-3 truncate">
                        {conversation.agent_name} " · " <Age at=conversation.updated_at now />
                    </p>
                </div>
                {conversation.run_status.map(|status| view! { <RunState status /> })}
            </li>
        }
    };
    view! {
        <section class="card" aria-labelledby="recent-title">
            <header class="card-head">
                <h2 class="card-title grow" id="recent-title">
                    "Recent conversations"
                </h2>
                <a class="btn btn-ghost btn-sm" href="/conversations">
                    "All conversations"
                </a>
            </header>
            <ul class="rows">{conversations.into_iter().map(row).collect_view()}</ul>
        </section>
    }
}

#[component]
fn RecentRuns(runs: Vec<RunSummary>, now: Timestamp) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="runs-title">
            <header class="card-head">
                <h2 class="card-title grow" id="runs-title">
                    "Recent runs"
                </h2>
                <a class="btn btn-ghost btn-sm" href="/runs">
                    "All runs"
                </a>
            </header>
            <ul class="rows">
                {runs.into_iter().take(6).map(|run| view! { <RunItem run now /> }).collect_view()}
            </ul>
        </section>
    }
}

fn shown_title(title: String) -> String {
    if title.is_empty() {
        "Untitled conversation".to_owned()
    } else {
        title
    }
}
