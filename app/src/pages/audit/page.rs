//! The audit log with its filters.

use domain::Action;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::layout::{Loaded, load_by_query};
use crate::pages::audit::server::{AuditPage, ListAuditEvents};
use crate::pages::settings::{Entry, entry_row};
use crate::ui::{Avatar, EmptyCard, Pill, SkeletonRows, TableCard, Tone};

const PATH: &str = "/settings/audit";
const COLUMNS: &[(&str, &str)] = &[
    ("Time, UTC", ""),
    ("Who", ""),
    ("Via", "max-xl:hidden"),
    ("Action", ""),
    ("Result", ""),
];

/// The audit page of the settings.
pub fn audit(action: Action) -> AnyView {
    let data = load_by_query(|query| {
        let text = |name: &str| query.get(name).unwrap_or_default();
        ListAuditEvents {
            after: query.get("after"),
            action: text("action"),
            person: text("person"),
            result: text("result"),
        }
    });
    view! { <Loaded data action fallback=|| view! { <SkeletonRows /> }.into_any() view=log /> }
        .into_any()
}

fn log(page: AuditPage) -> AnyView {
    let AuditPage {
        events,
        people,
        deeds,
    } = page;
    let results = [
        ("done", "Done"),
        ("failed", "Failed"),
        ("refused", "Refused"),
    ]
    .map(|(id, title)| Entry {
        id: id.to_owned(),
        title: title.to_owned(),
        ..Entry::default()
    });
    let list = if events.entries.is_empty() {
        view! {
            <EmptyCard
                icon="search-x"
                title="Nothing matches"
                text="No line of the log is like this."
                link=Some((PATH, "Show everything"))
            />
        }
        .into_any()
    } else {
        view! {
            <TableCard
                caption="Audit log, newest first"
                columns=COLUMNS
                rows=events.entries.iter().cloned().map(row).collect()
                items=events.entries.into_iter().map(item).collect()
                path=PATH
                next=events.next
            />
        }
        .into_any()
    };
    view! {
        <form class="toolbar mb-4" method="get" action=PATH role="search">
            {filter("action", "Action", "Any action", deeds)}
            {filter("person", "Person", "Anyone", people)}
            {filter("result", "Result", "Any result", results.into())}
            <button class="btn btn-secondary">"Filter"</button>
        </form>
        {list}
    }
    .into_any()
}

/// A choice of what to show, first of which is everything.
fn filter(
    name: &'static str,
    label: &'static str,
    everything: &'static str,
    choices: Vec<Entry>,
) -> AnyView {
    let chosen = use_query_map()
        .with_untracked(|query| query.get(name))
        .unwrap_or_default();
    let option = |Entry { id, title, .. }: Entry| {
        view! {
            <option selected=id == chosen value=id>
                {title}
            </option>
        }
        .into_any()
    };
    view! {
        <select class="select select-quiet !w-auto max-w-full" name=name aria-label=label>
            <option value="">{everything}</option>
            {choices.into_iter().map(option).collect::<Vec<_>>()}
        </select>
    }
    .into_any()
}

fn row(event: Entry) -> AnyView {
    let result = result(event.is_alert);
    let mut tags = event.tags.into_iter();
    let (time, via) = (tags.next(), tags.next());
    view! {
        <tr>
            <td class="text-ink-3 whitespace-nowrap">{time}</td>
            <td>
                <span class="flex items-center gap-2">
                    <Avatar id=event.id name=event.detail.clone() class="avatar-sm" />
                    <span class="truncate max-w-48">{event.detail}</span>
                </span>
            </td>
            <td class="text-ink-3 max-xl:hidden">{via}</td>
            <td class="wide">
                <span class="block truncate">
                    {event.title} " " <span class="text-ink-3">{event.note}</span>
                </span>
            </td>
            <td>{result}</td>
        </tr>
    }
    .into_any()
}

fn item(event: Entry) -> AnyView {
    let mark = view! { <Avatar id=event.id.clone() name=event.detail.clone() /> }.into_any();
    // Where it is narrow, only what is out of the ordinary is told.
    let end = event.is_alert.then(|| result(true)).into_any();
    let entry = Entry {
        detail: format!("{} · {}", event.detail, event.tags.join(" · ")),
        tags: Vec::new(),
        is_alert: false,
        ..event
    };
    entry_row(mark, entry, end)
}

fn result(is_refused: bool) -> AnyView {
    if is_refused {
        view! { <Pill tone=Tone::Danger icon="ban" label="Refused" /> }.into_any()
    } else {
        view! { <Pill tone=Tone::Neutral icon="check" label="Done" class="pill-quiet" /> }
            .into_any()
    }
}
