//! The way to the next page of a list.

use domain::Cursor;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::address::encode;

/// Links below a list; nothing if everything is on one page.
#[component]
pub fn Pager(
    /// Address of the list.
    path: &'static str,
    /// Where the next page begins.
    next: Option<Cursor>,
) -> impl IntoView {
    let has_newer = use_query_map().with_untracked(|query| query.get("after").is_some());
    (has_newer || next.is_some()).then(|| {
        view! {
            <nav class="pager border-t border-line" aria-label="Pages of the list">
                {has_newer.then(|| view! { <a class="btn btn-ghost btn-sm" href=path>"Newest"</a> })}
                {next.map(|Cursor(after)| {
                    view! {
                        <a class="btn btn-ghost btn-sm ml-auto" href=format!("{path}?after={}", encode(&after))>
                            "Older"
                        </a>
                    }
                })}
            </nav>
        }
    })
}
