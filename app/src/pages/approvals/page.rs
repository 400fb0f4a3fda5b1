//! The inbox of questions.

use domain::approvals::{Approval, ApprovalReason, ApprovalStatus};
use domain::{Paged, Timestamp};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::layout::{Data, Loaded, Page, PageHead, load_by_query};
use crate::pages::approvals::arguments::argument_rows;
use crate::pages::approvals::badge::use_approval_news;
use crate::pages::approvals::form::ApprovalForm;
use crate::pages::approvals::server::ListApprovals;
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, EmptyCard, Keyed, Pager, Pill, SkeletonRows, Tone, keyed, live, or};

type Approvals = Data<AsOf<Paged<Approval>>>;

/// Tool calls that wait for a person, and those that were decided.
#[component]
pub fn ApprovalsPage() -> impl IntoView {
    let query = use_query_map();
    let is_decided = Memo::new(move |_| query.with(|query| query.get("decided").is_some()));
    let approvals = load_by_query(|query| ListApprovals {
        decided: query.get("decided"),
        after: query.get("after"),
    });
    let tab = move |decided: bool, href: &'static str, label: &'static str| {
        view! {
            <a href=href aria-current=move || (is_decided.get() == decided).then_some("page")>
                {label}
            </a>
        }
        .into_any()
    };
    view! {
        <Page title="Approvals" section="Approvals">
            <div class="page">
                <PageHead
                    title="Approvals"
                    lead="Tool calls that wait for a person. Deciding here or in the conversation is the same."
                >
                    <nav class="segmented" aria-label="Which approvals">
                        {tab(false, "/approvals", "Waiting")}
                        {tab(true, "/approvals?decided=1", "All")}
                    </nav>
                </PageHead>
                <Loaded
                    data=approvals
                    fallback=|| view! { <SkeletonRows /> }
                    view=move |AsOf { now, value }| list(value, now, is_decided, approvals)
                />
            </div>
        </Page>
    }
    .into_any()
}

fn list(
    paged: Paged<Approval>,
    now: Timestamp,
    is_decided: Memo<bool>,
    approvals: Approvals,
) -> AnyView {
    if paged.items.is_empty() {
        return live(move || {
            let (title, text) = match is_decided.get() {
                false => (
                    "Nothing waits for you",
                    "When an agent wants to call a tool that asks first, the question appears here.",
                ),
                true => (
                    "No questions yet",
                    "Tool calls that asked a person are listed here, with what became of them.",
                ),
            };
            view! { <EmptyCard icon="shield-check" title text link=None /> }.into_any()
        });
    }
    let items = paged.items;
    let cards = keyed(move || {
        let entry = |approval: Approval| {
            Keyed::new(approval.id.to_string(), move || {
                card(approval, now, approvals)
            })
        };
        items.iter().cloned().map(entry).collect()
    });
    view! {
        <div class="grid gap-4">{cards}</div>
        <Pager path="/approvals" next=paged.next />
    }
    .into_any()
}

fn card(approval: Approval, now: Timestamp, approvals: Approvals) -> AnyView {
    let is_open = approval.status == ApprovalStatus::Pending && approval.expires_at > now;
    let news = use_approval_news();
    let done = Callback::new(move |()| {
        approvals.refetch();
        news.tell();
    });
    let foot = match is_open {
        true => view! {
            <ApprovalForm id=approval.id arguments=approval.arguments.clone() done />
        }
        .into_any(),
        false => decision(&approval),
    };
    let title = approval.conversation_title.clone();
    view! {
        <section class=if is_open { "approval" } else { "card" }>
            <header class="flex flex-wrap items-center gap-3 p-3">
                <Avatar
                    id=approval.agent_id.to_string()
                    name=approval.agent_name.clone()
                    class="avatar-agent"
                />
                <div class="min-w-0 grow basis-48">
                    <h2 class="font-semibold truncate">
                        <span class="tool-name"><span>{approval.server.clone()} " › "</span> {approval.tool.clone()}</span>
                    </h2>
                    <p class="text-xs text-ink-3 truncate">
                        {approval.agent_name.clone()} " · " <Age at=approval.created_at now />
                        " · "
                        <a class="link" href=format!("/conversations/{}", approval.conversation_id)>
                            {or(&title, "Untitled conversation").to_owned()}
                        </a>
                    </p>
                </div>
                {reason(approval.reason)}
            </header>
            <div class="px-3 pb-3">{argument_rows(&approval.arguments)}</div>
            {foot}
        </section>
    }
    .into_any()
}

/// Why somebody is asked, where it is not the agent's usual policy.
fn reason(reason: ApprovalReason) -> AnyView {
    match reason {
        ApprovalReason::Policy => ().into_any(),
        ApprovalReason::UnknownOutcome => {
            view! { <Pill tone=Tone::Warning icon="triangle-alert" label="Interrupted: may have taken effect" /> }.into_any()
        }
        ApprovalReason::ChangedDefinition => {
            view! { <Pill tone=Tone::Warning icon="triangle-alert" label="The tool has changed" /> }.into_any()
        }
    }
}

fn decision(approval: &Approval) -> AnyView {
    let (tone, icon, label) = match approval.status {
        ApprovalStatus::Approved => (Tone::Success, "circle-check", "Approved"),
        ApprovalStatus::Rejected => (Tone::Danger, "circle-x", "Rejected"),
        ApprovalStatus::Expired | ApprovalStatus::Pending => (Tone::Neutral, "clock", "Expired"),
    };
    let said = approval.decision_reason.clone();
    view! {
        <p class="approval-foot">
            <Pill tone icon label class="pill-quiet" />
            <span class="text-ink-2">{said}</span>
        </p>
    }
    .into_any()
}
