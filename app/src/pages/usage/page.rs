//! The usage page.

use domain::usage::{UsageReport, UsageRow, UsageSum};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::layout::{Loaded, Page, PageHead, load_by_query};
use crate::pages::usage::budgets::budgets;
use crate::pages::usage::chart::day_chart;
use crate::pages::usage::server::GetUsage;
use crate::ui::{Card, EmptyCard, Icon, SkeletonRows, grouped, price};

/// Ranges to choose from, in days.
const RANGES: [(u32, &str); 3] = [(7, "7 days"), (30, "30 days"), (90, "90 days")];
/// The range that is shown unless another is chosen.
const USUAL_DAYS: u32 = 30;

/// Tokens, calls and cost of the workspace.
#[component]
pub fn UsagePage() -> impl IntoView {
    let query = use_query_map();
    let days = Memo::new(move |_| query.with(|query| days_of(query.get("days"))));
    let report = load_by_query(|query| GetUsage {
        days: days_of(query.get("days")),
    });
    let range = move |(range, label): (u32, &'static str)| {
        view! {
            <a
                href=format!("/usage?days={range}")
                aria-current=move || (days.get() == range).then_some("page")
            >
                {label}
            </a>
        }
        .into_any()
    };
    view! {
        <Page title="Usage" section="Usage">
            <div class="page">
                <PageHead
                    title="Usage"
                    lead="From the ledger: every model and tool call, priced when it was made."
                >
                    <nav class="segmented" aria-label="Range">
                        {RANGES.map(range).into_iter().collect::<Vec<_>>()}
                    </nav>
                    <a
                        class="btn btn-secondary"
                        rel="external"
                        download="usage.csv"
                        href=move || format!("/api/v1/usage/export?days={}", days.get())
                    >
                        <Icon name="download" />
                        " CSV"
                    </a>
                    <a
                        class="btn btn-secondary"
                        rel="external"
                        download="calls.csv"
                        href=move || {
                            format!("/api/v1/usage/export?days={}&part=calls", days.get())
                        }
                    >
                        <Icon name="download" />
                        " Calls"
                    </a>
                </PageHead>
                <div class="grid gap-6 [&>*]:min-w-0">
                    <Loaded data=report fallback=|| view! { <SkeletonRows /> } view=whole />
                    {budgets()}
                </div>
            </div>
        </Page>
    }
    .into_any()
}

fn days_of(text: Option<String>) -> u32 {
    let chosen = text.and_then(|text| text.parse().ok());
    chosen
        .filter(|days| RANGES.iter().any(|(range, _)| range == days))
        .unwrap_or(USUAL_DAYS)
}

fn whole(report: UsageReport) -> AnyView {
    if report.total.model_calls + report.total.tool_calls == 0 {
        return view! {
            <EmptyCard
                icon="chart-column"
                title="Nothing used yet"
                text="Tokens and cost of model calls appear here as soon as an agent has answered."
                link=Some(("/conversations", "Start a conversation"))
            />
        }
        .into_any();
    }
    let UsageReport {
        total,
        days,
        agents,
        models,
        tools,
        people,
    } = report;
    let chart = match total.usage.cost_usd_micros {
        0 => view! {
            <Card id="per-day" title="Tokens per day">
                <div class="card-body">{day_chart(&days, "Tokens per day", tokens, short)}</div>
            </Card>
        },
        _ => view! {
            <Card id="per-day" title="Cost per day">
                <div class="card-body">{day_chart(&days, "Cost per day", cost, price)}</div>
            </Card>
        },
    };
    view! {
        <div class="grid gap-6 [&>*]:min-w-0">
            {totals(total)}
            {chart}
            <div class="grid gap-6 xl:grid-cols-2 items-start [&>*]:min-w-0">
                <Card id="by-agent" title="By agent">{table("Agent", agents)}</Card>
                <Card id="by-model" title="By model">{table("Model", models)}</Card>
                {(!tools.is_empty())
                    .then(|| {
                        view! { <Card id="by-tool" title="By tool">{tool_table(tools)}</Card> }.into_any()
                    })}
                <Card id="by-person" title="By person">{table("Person", people)}</Card>
            </div>
        </div>
    }
    .into_any()
}

fn totals(total: UsageSum) -> AnyView {
    let stat = |label: &'static str, value: String, note: String| {
        view! {
            <div class="stat">
                <span class="stat-label">{label}</span>
                <span class="stat-value">{value}</span>
                <span class="stat-note">{note}</span>
            </div>
        }
        .into_any()
    };
    let UsageSum {
        model_calls,
        tool_calls,
        errors,
        usage,
    } = total;
    let spend_note = match usage.cost_usd_micros {
        0 => "Nothing had a price".to_owned(),
        cost => format!("{} per model call", price(cost / model_calls.max(1))),
    };
    view! {
        <section class="stats grid-cols-2 lg:grid-cols-4" aria-label="Totals">
            {stat("Spend", price(usage.cost_usd_micros), spend_note)}
            {stat(
                "Input tokens",
                short(usage.input_tokens),
                match usage.cached_input_tokens {
                    0 => String::new(),
                    cached => format!("{} cached", short(cached)),
                },
            )}
            {stat("Output tokens", short(usage.output_tokens), String::new())}
            {stat(
                "Calls",
                grouped(model_calls + tool_calls),
                format!("{} of tools, {} failed", grouped(tool_calls), grouped(errors)),
            )}
        </section>
    }
    .into_any()
}

fn table(what: &'static str, rows: Vec<UsageRow>) -> AnyView {
    let row = |row: UsageRow| {
        view! {
            <tr>
                <td class="wide">{row.name.clone()}</td>
                <td class="num">{grouped(row.sum.model_calls + row.sum.tool_calls)}</td>
                <td class="num">{short(tokens(&row))}</td>
                <td class="num">{price(cost(&row))}</td>
            </tr>
        }
        .into_any()
    };
    view! {
        <div class="table-wrap">
            <table class="table">
                <thead>
                    <tr>
                        <th>{what}</th>
                        <th class="num">"Calls"</th>
                        <th class="num">"Tokens"</th>
                        <th class="num">"Cost"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(row).collect::<Vec<_>>()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn tool_table(rows: Vec<UsageRow>) -> AnyView {
    let row = |row: UsageRow| {
        view! {
            <tr>
                <td class="wide font-mono text-xs">{row.name.clone()}</td>
                <td class="num">{grouped(row.sum.tool_calls)}</td>
                <td class="num">{grouped(row.sum.errors)}</td>
                <td class="num">{price(cost(&row))}</td>
            </tr>
        }
        .into_any()
    };
    view! {
        <div class="table-wrap">
            <table class="table">
                <thead>
                    <tr>
                        <th>"Tool"</th>
                        <th class="num">"Calls"</th>
                        <th class="num">"Failed"</th>
                        <th class="num">"Cost"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(row).collect::<Vec<_>>()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn tokens(row: &UsageRow) -> u64 {
    row.sum.usage.input_tokens + row.sum.usage.output_tokens
}

fn cost(row: &UsageRow) -> u64 {
    row.sum.usage.cost_usd_micros
}

/// `21400000` as `21.4 M`.
fn short(number: u64) -> String {
    match number {
        0..10_000 => grouped(number),
        10_000..1_000_000 => format!("{}.{} k", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{} M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}
