//! What happened lately, or the first steps in an empty workspace.

use domain::conversations::Conversation;
use domain::runs::{RunStatus, RunSummary};
use domain::{Action, Timestamp};
use leptos::prelude::*;

use crate::layout::{Allowed, Loaded, Page, PageHead, load};
use crate::pages::home::first_steps::FirstSteps;
use crate::pages::home::server::{GetOverview, Overview};
use crate::pages::runs::{RunItem, RunState, title};
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, Card, Icon, LabelledIcon, LinkRow, SkeletonRows, or, sentence};

/// The overview.
#[component]
pub fn HomePage() -> impl IntoView {
    let overview = load(|| GetOverview {});
    view! {
        <Page title="Home" section="Home">
            <div class="page">
                <PageHead title="Overview" lead="What your agents did lately.">
                    <Allowed action=Action::Converse>
                        <a class="btn btn-primary lg:hidden" href="/conversations">
                            <Icon name="square-pen" />
                            " New conversation"
                        </a>
                    </Allowed>
                </PageHead>
                <Loaded
                    data=overview
                    fallback=|| view! { <SkeletonRows count=6 /> }.into_any()
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
        .then(|| view! { <FirstSteps has_connection has_agent has_conversation={!conversations.is_empty()} /> }.into_any());
    let (failed, recent): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|run| run.status == RunStatus::Failed);
    let failed = (!failed.is_empty()).then(|| view! { <Failed runs=failed now /> }.into_any());
    let conversations =
        (!conversations.is_empty()).then(|| view! { <Recent conversations now /> }.into_any());
    let recent = (!recent.is_empty()).then(|| view! { <RecentRuns runs=recent now /> }.into_any());
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
fn Failed(runs: Vec<RunSummary>, now: Timestamp) -> impl IntoView {
    let row = move |run: RunSummary| {
        let title = title(&run);
        let href = format!("/runs/{}", run.id);
        let reason = run
            .error
            .map(|error| sentence(&error.message))
            .unwrap_or_default();
        let mark = view! { <LabelledIcon name="circle-x" label="Failed" class="text-danger" /> }
            .into_any();
        let detail = view! {
            <Age at=run.created_at now />
            {format!(" · {} · {reason}", run.agent_name)}
        }
        .into_any();
        view! { <LinkRow mark=mark.into_any() href title detail=detail.into_any() end=None /> }
            .into_any()
    };
    view! {
        <Card id="failed-title" title="What failed">
            <ul class="rows">{runs.into_iter().take(5).map(row).collect::<Vec<_>>()}</ul>
        </Card>
    }
}

#[component]
fn Recent(conversations: Vec<Conversation>, now: Timestamp) -> impl IntoView {
    let row = move |conversation: Conversation| {
        let title = or(&conversation.title, "Untitled conversation").to_owned();
        let href = format!("/conversations/{}", conversation.id);
        let name = conversation.agent_name;
        let mark = view! {
            <Avatar
                id=conversation.agent_id.to_string()
                name=name.clone()
                class="avatar-agent"
            />
        }
        .into_any();
        let detail = view! { {name} " · " <Age at=conversation.updated_at now /> }.into_any();
        let end = conversation
            .run_status
            .map(|status| view! { <RunState status /> }.into_any());
        view! { <LinkRow mark=mark.into_any() href title detail=detail.into_any() end /> }
            .into_any()
    };
    view! {
        <Card
            id="recent-title"
            title="Recent conversations"
            link=("/conversations", "All conversations")
        >
            <ul class="rows">{conversations.into_iter().map(row).collect::<Vec<_>>()}</ul>
        </Card>
    }
}

#[component]
fn RecentRuns(runs: Vec<RunSummary>, now: Timestamp) -> impl IntoView {
    view! {
        <Card id="runs-title" title="Recent runs" link=("/runs", "All runs")>
            <ul class="rows">
                {runs.into_iter().take(6).map(|run| view! { <RunItem run now /> }.into_any()).collect::<Vec<_>>()}
            </ul>
        </Card>
    }
}
