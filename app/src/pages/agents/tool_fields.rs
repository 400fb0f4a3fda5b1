//! The tools of the agent form: a row for each, with when to ask.

use domain::tools::{ApprovalPolicy, Builtin};
use leptos::prelude::*;

use crate::pages::agents::tool_picks::ToolPick;
use crate::pages::tools::server::ServerChoice;
use crate::ui::{FormErrors, Icon, Section, live};

/// Built-in tools and those of every server.
#[component]
pub fn ToolFields(
    /// What is chosen.
    picks: Vec<ToolPick>,
    /// What there is.
    servers: Vec<ServerChoice>,
    /// What was wrong with the form.
    errors: FormErrors,
) -> impl IntoView {
    let mut rows = Rows { picks, next: 0 };
    let builtins = Builtin::ALL
        .into_iter()
        .map(|builtin| {
            let key = format!("builtin:{}", builtin.as_str());
            rows.row(
                key,
                builtin.label().to_owned(),
                builtin.summary().to_owned(),
            )
        })
        .collect::<Vec<_>>();
    let mut groups = vec![group("Built in".to_owned(), builtins, true)];
    for server in servers {
        let before = rows.picks.len();
        let tools = server
            .tools
            .into_iter()
            .map(|(name, description)| rows.row(format!("{}:{name}", server.id), name, description))
            .collect::<Vec<_>>();
        // A server with a chosen tool is open.
        let is_open = rows.picks.len() < before;
        if !tools.is_empty() {
            groups.push(group(server.name, tools, is_open));
        }
    }
    let gone = std::mem::take(&mut rows.picks)
        .into_iter()
        .map(|pick| {
            let name = pick
                .key
                .split_once(':')
                .map_or("", |(_, name)| name)
                .to_owned();
            rows.picks = vec![pick.clone()];
            rows.row(
                pick.key,
                name,
                "No longer offered by its server.".to_owned(),
            )
        })
        .collect::<Vec<_>>();
    if !gone.is_empty() {
        groups.push(group("Missing".to_owned(), gone, true));
    }
    let error = errors.field("tools");
    let below = live(move || match error.get() {
        Some(message) => view! {
            <p class="field-error">
                <Icon name="circle-alert" />
                <span>{message}</span>
            </p>
        }
        .into_any(),
        None => ().into_any(),
    });
    view! {
        <Section
            title="Tools"
            lead="What the agent may use. Unless you say otherwise, tools that only read run at once and the others ask first."
        >
            <div class="card">{groups}</div>
            {below}
            <p class="field-hint">
                "More tools come from " <a class="link" href="/tools">"tool servers"</a> "."
            </p>
        </Section>
    }
    .into_any()
}

struct Rows {
    /// Chosen tools whose row is still to come.
    picks: Vec<ToolPick>,
    next: usize,
}

impl Rows {
    fn row(&mut self, key: String, name: String, description: String) -> AnyView {
        let index = self.next;
        self.next += 1;
        let found = self.picks.iter().position(|pick| pick.key == key);
        let pick = found.map(|found| self.picks.remove(found));
        let is_chosen = pick.is_some();
        let approval = pick.map(|pick| pick.approval).unwrap_or_default();
        let option = |policy: ApprovalPolicy| {
            view! {
                <option value=policy.as_str() selected=policy.as_str() == approval>
                    {policy.label()}
                </option>
            }
            .into_any()
        };
        let label = format!("When to ask before {name}");
        view! {
            <li class="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2 border-t border-line">
                <label class="check grow basis-64 min-w-0 !items-start">
                    <input
                        class="checkbox mt-0.5"
                        type="checkbox"
                        name=format!("input[tools][{index}][key]")
                        value=key
                        checked=is_chosen
                    />
                    <span class="min-w-0">
                        <span class="font-mono text-xs">{name}</span>
                        <span class="block text-xs text-ink-3 line-clamp-2 [overflow-wrap:anywhere]">
                            {description}
                        </span>
                    </span>
                </label>
                <select
                    class="select select-sm !w-40"
                    name=format!("input[tools][{index}][approval]")
                    aria-label=label
                >
                    <option value="">"By the tool’s kind"</option>
                    {Vec::from(ApprovalPolicy::ALL.map(option))}
                </select>
            </li>
        }
        .into_any()
    }
}

fn group(title: String, rows: Vec<AnyView>, is_open: bool) -> AnyView {
    let count = rows.len();
    view! {
        <details open=is_open class="border-t border-line first:border-0">
            <summary class="flex items-center gap-2 px-4 py-2.5 cursor-pointer font-medium">
                {title} <span class="count">{count}</span>
            </summary>
            <ul>{rows}</ul>
        </details>
    }
    .into_any()
}
