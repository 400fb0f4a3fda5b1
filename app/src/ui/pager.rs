//! The way to the next page of a list.

use domain::Cursor;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;

/// Links below a list, which keep the rest of the query; nothing if everything is on one page.
#[component]
pub fn Pager(
    /// Address of the list; the page's own if none is given.
    #[prop(optional)]
    path: &'static str,
    /// Where the next page begins.
    next: Option<Cursor>,
) -> impl IntoView {
    let mut query = use_query_map().get_untracked();
    // What a plain form was answered belongs to the page it was sent from.
    query.remove("__path");
    query.remove("__err");
    let newer = query.remove("after").map(|_| address(path, &query));
    let older = next.map(|Cursor(after)| {
        query.insert("after", after);
        address(path, &query)
    });
    (newer.is_some() || older.is_some()).then(|| {
        view! {
            <nav class="pager border-t border-line" aria-label="Pages of the list">
                {newer.map(|href| view! { <a class="btn btn-ghost btn-sm" href=href>"Newest"</a> }.into_any())}
                {older
                    .map(|href| {
                        view! {
                            <a class="btn btn-ghost btn-sm ml-auto" href=href>
                                "Older"
                            </a>
                        }.into_any()
                    })}
            </nav>
        }.into_any()
    })
}

/// Where a query leads: from a page to itself it takes a question mark, even if nothing is asked.
fn address(path: &str, query: &ParamsMap) -> String {
    match query.to_query_string() {
        query if path.is_empty() && query.is_empty() => "?".to_owned(),
        query => format!("{path}{query}"),
    }
}
