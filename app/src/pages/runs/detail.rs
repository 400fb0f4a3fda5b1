//! One run: totals, why it failed, its journal.

use std::time::Duration;

use domain::runs::{Run, RunStep, RunSummary, StepKind, StepStatus, Usage};
use domain::{Action, RunId, Timestamp};
use leptos::prelude::*;

use crate::layout::{Loaded, Page, PageSkeleton, load_by_id, may};
use crate::pages::runs::RunState;
use crate::pages::runs::server::{CancelRun, GetRun};
use crate::pages::runs::text::{lasted, title};
use crate::pages::runs::way_out::way_out;
use crate::time::{Age, AsOf, duration};
use crate::ui::{
    ActionForm, Avatar, Callout, FormAction, FormAlert, Icon, LabelledIcon, SubmitButton, Tone,
    grouped, on_change, price, sentence,
};

/// How often a run in progress is read again.
const REFRESH: Duration = Duration::from_secs(2);

/// One run.
#[component]
pub fn RunPage() -> impl IntoView {
    let run = load_by_id(|id: RunId| GetRun { id });
    let is_active = Memo::new(
        move |_| matches!(run.get(), Some(Ok(run)) if !run.value.summary.status.is_final()),
    );
    on_change(move || {
        if is_active.get()
            && let Ok(timer) = set_interval_with_handle(move || run.refetch(), REFRESH)
        {
            on_cleanup(move || timer.clear());
        }
    });
    view! {
        <Loaded
            section="Runs"
            data=run
            fallback=|| view! { <PageSkeleton title="Run" section="Runs" /> }.into_any()
            view=|AsOf { now, value }| view! { <RunView run=value now /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn RunView(run: Run, now: Timestamp) -> impl IntoView {
    let Run { summary, steps } = run;
    let title = title(&summary);
    let failure = summary.error.clone().map(|error| {
        view! {
            <Callout tone=Tone::Danger icon="circle-x" class="mb-4">
                <p>
                    <strong>"This run failed. "</strong>
                    {sentence(&error.message)}
                </p>
                <p class="mt-1">{way_out(&error.kind, summary.agent_id)}</p>
            </Callout>
        }
        .into_any()
    });
    let adopted = (summary.attempt > 1).then(|| {
        view! {
            <Callout tone=Tone::Neutral icon="arrow-right-left" class="mb-4">
                <p>
                    <strong>"Taken over by another worker. "</strong>
                    {format!(
                        "Attempt {} went on from the journal; finished steps were not repeated.",
                        summary.attempt,
                    )}
                </p>
            </Callout>
        }
        .into_any()
    });
    view! {
        <Page title=title.clone() section="Runs" href="/runs">
            <div class="page">
                <RunHead run=summary.clone() title now />
                <Totals run=summary step_count=steps.len() now />
                {failure}
                {adopted}
                <Journal steps now />
            </div>
        </Page>
    }
}

#[component]
fn RunHead(run: RunSummary, title: String, now: Timestamp) -> impl IntoView {
    let cancel = FormAction::<CancelRun>::new();
    let errors = cancel.errors();
    let stop = (!run.status.is_final() && may(Action::Converse)).then(|| {
        view! {
            <ActionForm action=cancel>
                <input type="hidden" name="run_id" value=run.id.to_string() />
                <SubmitButton class="btn btn-danger-quiet" icon="square" is_busy=cancel.pending()>
                    "Cancel run"
                </SubmitButton>
            </ActionForm>
        }
        .into_any()
    });
    view! {
        <header class="page-head !mb-4">
            <div class="grow min-w-0 basis-72">
                <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                    <h1 class="page-title">{title}</h1>
                    <RunState status=run.status />
                </div>
                <p class="page-lead flex flex-wrap items-center gap-x-2">
                    <Avatar
                        id=run.agent_id.to_string()
                        name=run.agent_name.clone()
                        class="avatar-agent avatar-sm"
                    />
                    <a class="hover:text-ink" href=format!("/agents/{}", run.agent_id)>
                        {format!("{}, version {}", run.agent_name, run.agent_version)}
                    </a>
                    <span>"·"</span>
                    <Age at=run.created_at now />
                    <span>"·"</span>
                    <span class="font-mono text-xs">{run.id.to_string()}</span>
                </p>
            </div>
            <div class="toolbar">
                <a class="btn btn-secondary" href=format!("/conversations/{}", run.conversation_id)>
                    <Icon name="messages-square" />
                    " Conversation"
                </a>
                {stop}
            </div>
        </header>
        <FormAlert errors fields=&[] />
    }
}

#[component]
fn Totals(run: RunSummary, step_count: usize, now: Timestamp) -> impl IntoView {
    let figures = [
        ("Time", lasted(&run, now)),
        ("Steps", step_count.to_string()),
        ("Tokens read", read(&run.usage)),
        ("Tokens written", grouped(run.usage.output_tokens)),
        ("Cost", price(run.usage.cost_usd_micros)),
        ("Attempts", run.attempt.to_string()),
    ];
    let figure = |(label, value)| {
        view! {
            <div class="stat !py-3">
                <span class="stat-label">{label}</span>
                <span class="text-lg font-semibold tabular-nums">{value}</span>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="stats grid-cols-2 sm:grid-cols-3 lg:grid-cols-6 mb-4" aria-label="Totals">
            {Vec::from(figures.map(figure))}
        </section>
    }
}

/// Tokens that were read, and how many of them came from the provider's cache.
fn read(usage: &Usage) -> String {
    let all = grouped(usage.input_tokens);
    match usage.cached_input_tokens {
        0 => all,
        cached => format!("{all} ({} cached)", grouped(cached)),
    }
}

#[component]
fn Journal(steps: Vec<RunStep>, now: Timestamp) -> impl IntoView {
    let is_empty = steps.is_empty();
    view! {
        <section class="card overflow-hidden" aria-label="Journal">
            <header class="card-head">
                <h2 class="card-title grow">"Steps"</h2>
            </header>
            <ol class="rows">
                {steps.into_iter().map(|step| view! { <Step step now /> }.into_any()).collect::<Vec<_>>()}
            </ol>
            {is_empty.then(|| view! { <p class="p-4 text-ink-3">"Nothing has been done yet."</p> }.into_any())}
        </section>
    }
}

#[component]
fn Step(step: RunStep, now: Timestamp) -> impl IntoView {
    let mark = match step.status {
        StepStatus::Started => {
            view! { <LabelledIcon name="loader-circle" label="Running" class="icon-sm text-accent-ink spin" /> }.into_any()
        }
        StepStatus::Completed => {
            view! { <LabelledIcon name="check" label="Done" class="icon-sm text-success" /> }.into_any()
        }
        StepStatus::Failed => {
            view! { <LabelledIcon name="circle-x" label="Failed" class="icon-sm text-danger" /> }.into_any()
        }
        StepStatus::Abandoned => {
            view! { <LabelledIcon name="circle-dashed" label="Abandoned" class="icon-sm text-ink-3" /> }.into_any()
        }
    };
    let attempt = (step.attempt > 1).then(|| format!(" · attempt {}", step.attempt));
    let reason = step.error.map(|error| {
        view! { <p class="text-xs text-danger-ink">{sentence(&error.message)}</p> }.into_any()
    });
    let (what, tokens) = match step.kind {
        StepKind::ModelCall => (
            "Model call ",
            format!(
                "{} in · {} out",
                read(&step.usage),
                grouped(step.usage.output_tokens)
            ),
        ),
        StepKind::ToolCall => ("Tool call ", String::new()),
    };
    view! {
        <li>
            {mark}
            <div class="min-w-0 grow">
                <p class="truncate">
                    {what} <span class="text-ink-3">{step.target}{attempt}</span>
                </p>
                {reason}
            </div>
            <span class="text-xs text-ink-3 tabular-nums max-sm:hidden">{tokens}</span>
            <span class="text-xs text-ink-2 tabular-nums">
                {duration(step.started_at, step.finished_at.unwrap_or(now))}
            </span>
        </li>
    }
}
