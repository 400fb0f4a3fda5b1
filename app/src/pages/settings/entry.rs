//! Lists of the settings, put into words on the server.
//!
//! The browser half decodes and shows one type for all of them (docs/decisions/wasm-size.md).

use domain::Cursor;
#[cfg(feature = "ssr")]
use domain::Paged;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ui::{Empty, Pager};

/// One thing of a list, in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The id.
    pub id: String,
    /// What it is.
    pub title: String,
    /// Quiet words beside the title.
    pub note: String,
    /// Small words below it.
    pub detail: String,
    /// Where it stands, in one word of the API.
    pub state: String,
    /// Short words about it, or what can be chosen for it.
    pub tags: Vec<String>,
    /// Whether something is wrong with it.
    pub is_alert: bool,
    /// Whether whoever looks may remove it.
    pub is_removable: bool,
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// The things.
    pub entries: Vec<Entry>,
    /// Where the next page begins.
    pub next: Option<Cursor>,
}

#[cfg(feature = "ssr")]
impl Listing {
    /// Puts a page into words.
    pub fn of<T>(paged: Paged<T>, entry: impl Fn(T) -> Entry) -> Self {
        Self {
            entries: paged.items.into_iter().map(entry).collect(),
            next: paged.next,
        }
    }
}

/// A list as a card.
#[component]
pub fn Rows(
    /// What it lists, for screen readers.
    label: &'static str,
    /// The rows.
    rows: Vec<AnyView>,
    /// Icon, title and words for no rows.
    empty: (&'static str, &'static str, &'static str),
    /// Address of the list.
    path: &'static str,
    /// Where the next page begins.
    #[prop(optional_no_strip)]
    next: Option<Cursor>,
) -> impl IntoView {
    if rows.is_empty() {
        let (icon, title, text) = empty;
        return view! {
            <div class="card">
                <Empty icon title text />
            </div>
        }
        .into_any();
    }
    view! {
        <section class="card" aria-label=label>
            <ul class="rows">{rows}</ul>
            <Pager path next />
        </section>
    }
    .into_any()
}

/// A row: mark, words, and what can be done at the end.
pub fn entry_row(mark: AnyView, entry: Entry, end: AnyView) -> AnyView {
    let tags = entry
        .tags
        .into_iter()
        .map(|tag| view! { <span class="tag">{tag}</span> }.into_any())
        .collect::<Vec<_>>();
    let note = (!entry.note.is_empty()).then(|| {
        view! { <span class="min-w-0 truncate text-ink-3">{entry.note}</span> }.into_any()
    });
    let tint = if entry.is_alert {
        "text-xs text-danger-ink"
    } else {
        "text-xs text-ink-3"
    };
    view! {
        <li class="max-sm:flex-wrap !py-2.5">
            {mark}
            <div class="min-w-0 grow basis-52">
                <p class="flex flex-wrap items-center gap-x-2 gap-y-1">
                    <span class="min-w-0 truncate font-medium">{entry.title}</span>
                    {note}
                    {tags}
                </p>
                <p class=tint>{entry.detail}</p>
            </div>
            <div class="flex flex-wrap items-center gap-1 max-sm:pl-9 empty:hidden">{end}</div>
        </li>
    }
    .into_any()
}
