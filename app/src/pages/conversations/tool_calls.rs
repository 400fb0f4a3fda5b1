//! The tools that an answer called, and the questions that it asks.

use domain::ApprovalId;
use domain::tools::{ToolCall, ToolCallStatus};
use leptos::prelude::*;

use crate::pages::approvals::{ApprovalForm, argument_rows, one_line};
use crate::ui::{Icon, Keyed, LabelledIcon, keyed, live};

/// Tool calls in the order in which they were asked for.
#[component]
pub fn ToolCalls(
    /// The calls, as they change.
    calls: ArcRwSignal<Vec<ToolCall>>,
) -> impl IntoView {
    let asked = calls.clone();
    let rows = live(move || {
        let rows: Vec<AnyView> = calls
            .get()
            .into_iter()
            .filter(|call| call.approval_id.is_none())
            .map(row)
            .collect();
        match rows.is_empty() {
            true => ().into_any(),
            false => view! { <div class="tools">{rows}</div> }.into_any(),
        }
    });
    let questions = keyed(move || asked.get().into_iter().filter_map(question).collect());
    view! { {rows} {questions} }
}

fn row(call: ToolCall) -> AnyView {
    let icon = match (call.status, call.is_error) {
        (ToolCallStatus::Completed, false) => {
            view! { <LabelledIcon name="check" label="Done" class="icon-sm text-success" /> }.into_any()
        }
        (ToolCallStatus::Completed, true) => {
            view! { <LabelledIcon name="circle-x" label="Failed" class="icon-sm text-danger" /> }.into_any()
        }
        _ => view! {
            <LabelledIcon name="loader-circle" label="Running" class="icon-sm text-accent-ink spin" />
        }
        .into_any(),
    };
    let time = (call.status == ToolCallStatus::Completed && call.duration_ms > 0)
        .then(|| duration(call.duration_ms));
    let result = (!call.result.is_empty()).then(|| {
        let label = if call.is_error { "Error" } else { "Result" };
        view! {
            <div>
                <p class="tool-label">{label}</p>
                <pre class="pre max-h-80 overflow-auto whitespace-pre-wrap" tabindex="0">
                    <code>{call.result}</code>
                </pre>
            </div>
        }
        .into_any()
    });
    let whole = call.artifact_id.map(|id| {
        view! {
            <a class="link text-xs" href=format!("/api/v1/files/{id}")>
                "Download the whole result"
            </a>
        }
        .into_any()
    });
    view! {
        <details class="tool">
            <summary>
                {icon}
                <span class="tool-name">
                    <span>{call.server} " › "</span>
                    {call.tool}
                </span>
                <span class="tool-args">{one_line(&call.arguments)}</span>
                <span class="tool-time">{time}</span>
                <Icon name="chevron-right" class="icon-sm chevron" />
            </summary>
            <div class="tool-body">{argument_rows(&call.arguments)} {result} {whole}</div>
        </details>
    }
    .into_any()
}

/// The card of a call that waits; it stays the same while others come and go.
fn question(call: ToolCall) -> Option<Keyed> {
    let id = call.approval_id?;
    Some(Keyed::new(id.to_string(), move || card(id, call)))
}

fn card(id: ApprovalId, call: ToolCall) -> AnyView {
    let title = format!("approval-{id}");
    let heading = title.clone();
    // The stream tells what became of it.
    let done = Callback::new(|()| ());
    view! {
        <section class="approval" aria-labelledby=title>
            <header class="approval-head">
                <Icon name="hand" />
                <h2 class="grow min-w-0 font-semibold" id=heading>
                    "May the agent call "
                    <span class="tool-name">
                        <span>{call.server} " › "</span>
                        {call.tool}
                    </span>
                    "?"
                </h2>
            </header>
            <div class="approval-body">{argument_rows(&call.arguments)}</div>
            <ApprovalForm id arguments=call.arguments done />
        </section>
    }
    .into_any()
}

fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        _ => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
    }
}
