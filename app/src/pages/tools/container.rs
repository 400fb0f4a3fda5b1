//! A server's container: what it uses, whom it may reach and was refused, and its log.

use domain::containers::{ContainerReport, ContainerSettings, EgressRefusal, ServerLogLine};
use domain::{Action, McpServerId, Timestamp};
use leptos::prelude::*;

use crate::layout::may;
use crate::pages::tools::container_server::{ContainerDetail, StopToolServer};
use crate::time::Age;
use crate::ui::{
    ActionForm, Card, FormAction, FormAlert, SubmitButton, live, use_toasts, when_done,
};

/// The cards of a container.
#[component]
pub fn ContainerCards(
    /// The server.
    server: McpServerId,
    /// How it runs.
    settings: ContainerSettings,
    /// How it is, and when that was.
    seen: RwSignal<(ContainerDetail, Timestamp)>,
    /// Reads the page again.
    refresh: Callback<()>,
) -> impl IntoView {
    let stop = FormAction::<StopToolServer>::new();
    let toasts = use_toasts();
    when_done(stop.has_succeeded(), move || {
        toasts.success("Stopped".to_owned());
        refresh.run(());
    });
    let is_running = seen.with_untracked(|seen| seen.0.report.is_running);
    let stop_button = (is_running && may(Action::ManageTools)).then(|| {
        view! {
            <ActionForm action=stop>
                <input type="hidden" name="id" value=server.to_string() />
                <SubmitButton class="btn btn-secondary btn-sm" is_busy=stop.pending()>
                    "Stop"
                </SubmitButton>
            </ActionForm>
        }
        .into_any()
    });
    let allowed = allowed(&settings);
    let facts = live(move || seen.with(|(it, now)| facts(&it.report, &settings, *now)));
    let refused = live(move || seen.with(|(it, now)| refused(&it.report.refusals, *now)));
    let log = live(move || seen.with(|(it, _)| log_lines(&it.log)));
    let graphs = move || seen.with(|(it, _)| it.graphs.clone());
    view! {
        <FormAlert errors=stop.errors() fields=&[] />
        <div class="grid gap-6 lg:grid-cols-2 items-start [&>*]:min-w-0 mb-6">
            <Card id="container" title="Container">
                <div class="card-body grid gap-4">
                    {facts}
                    <div class="grid gap-3 sm:grid-cols-2 empty:hidden" inner_html=graphs></div>
                    <div class="toolbar">{stop_button}</div>
                </div>
            </Card>
            <Card id="egress" title="Network">
                <div class="card-body grid gap-4">
                    {allowed} {refused}
                </div>
            </Card>
        </div>
        <div class="mb-6">
            <Card id="log" title="Log">
                {log}
            </Card>
        </div>
    }
    .into_any()
}

fn facts(report: &ContainerReport, settings: &ContainerSettings, now: Timestamp) -> AnyView {
    let resources = settings.resources;
    let since = match report.started_at {
        Some(at) => view! { "Running since " <Age at now /> }.into_any(),
        None => "Not running; the next call of a tool starts it".into_any(),
    };
    let memory = match report.memory_bytes {
        Some(bytes) => format!("{} of {} MiB", bytes >> 20, resources.memory_mb),
        None => format!("at most {} MiB", resources.memory_mb),
    };
    let cpu = match report.cpu_ms {
        Some(ms) => format!("{}.{} s so far, ", ms / 1000, ms % 1000 / 100),
        None => String::new(),
    };
    let share = f64::from(resources.cpu_millis) / 1000.0;
    let cores = if resources.cpu_millis <= 1000 {
        "core"
    } else {
        "cores"
    };
    let pids = match report.pids {
        Some(pids) => format!("{pids} of {}", resources.pids),
        None => format!("at most {}", resources.pids),
    };
    let image = settings.pinned_image.clone().unwrap_or_default();
    let fact = |name: &'static str, value: AnyView| {
        view! {
            <dt class="text-ink-3">{name}</dt>
            <dd class="min-w-0 [overflow-wrap:anywhere]">{value}</dd>
        }
        .into_any()
    };
    view! {
        <dl class="grid gap-x-4 gap-y-2 grid-cols-[auto_minmax(0,1fr)]">
            {fact("State", since)} {fact("Memory", memory.into_any())}
            {fact("Processor", format!("{cpu}at most {share} {cores}").into_any())}
            {fact("Processes", pids.into_any())}
            {(!image.is_empty())
                .then(|| {
                    let image = view! { <span class="font-mono text-2xs">{image}</span> };
                    fact("Image", image.into_any())
                })}
        </dl>
    }
    .into_any()
}

fn allowed(settings: &ContainerSettings) -> AnyView {
    if settings.egress.is_empty() {
        return view! { <p class="text-ink-3">"It may reach nobody."</p> }.into_any();
    }
    let line = |rule: &String| view! { <li class="font-mono text-xs">{rule.clone()}</li> };
    let lines = settings.egress.iter().map(line).collect::<Vec<_>>();
    view! {
        <div>
            <p class="text-ink-3 mb-1">"It may reach"</p>
            <ul>{lines}</ul>
        </div>
    }
    .into_any()
}

fn refused(refusals: &[EgressRefusal], now: Timestamp) -> AnyView {
    if refusals.is_empty() {
        return view! { <p class="text-ink-3">"Nothing was refused since its start."</p> }
            .into_any();
    }
    let row = |refusal: &EgressRefusal| {
        let count = match refusal.count {
            1 => String::new(),
            count => format!(" · {count} times"),
        };
        view! {
            <li class="text-xs [overflow-wrap:anywhere]">
                <span class="font-mono text-danger-ink">{refusal.target.clone()}</span>
                " "
                {refusal.reason.clone()}
                {count}
                <span class="text-ink-3">" · " <Age at=refusal.time now /></span>
            </li>
        }
    };
    let rows = refusals.iter().take(20).map(row).collect::<Vec<_>>();
    view! {
        <div>
            <p class="text-ink-3 mb-1">"It was refused"</p>
            <ul class="grid gap-1">{rows}</ul>
        </div>
    }
    .into_any()
}

/// The lines stay at their end while more come, unless somebody looks further up.
fn log_lines(log: &[ServerLogLine]) -> AnyView {
    if log.is_empty() {
        return view! { <p class="card-body text-ink-3">"It has written nothing since its start."</p> }
            .into_any();
    }
    let line = |line: &ServerLogLine| {
        let time = line.time.to_string();
        let time = time.get(11..19).unwrap_or_default().to_owned();
        format!("{time}  {}\n", line.text)
    };
    let text = log.iter().map(line).collect::<String>();
    view! {
        <div class="max-h-96 overflow-y-auto flex flex-col-reverse" tabindex="0">
            <pre class="pre !rounded-none !overflow-visible" aria-label="Log">
                {text}
            </pre>
        </div>
    }
    .into_any()
}
