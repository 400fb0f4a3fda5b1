//! A list as a table, and as rows where a table does not fit.

use domain::Cursor;
use leptos::prelude::*;

use crate::ui::Pager;

/// One page of a list.
#[component]
pub fn TableCard(
    /// What the table shows, for screen readers.
    caption: &'static str,
    /// Heading and classes of each column.
    columns: &'static [(&'static str, &'static str)],
    /// The `tr` of each entry.
    rows: Vec<AnyView>,
    /// The `li` of each entry.
    items: Vec<AnyView>,
    /// Address of the list.
    path: &'static str,
    /// Where the next page begins.
    next: Option<Cursor>,
) -> impl IntoView {
    let heading = |&(label, class): &(&'static str, &'static str)| {
        view! { <th class=(!class.is_empty()).then_some(class)>{label}</th> }.into_any()
    };
    view! {
        <div class="card">
            <div class="table-wrap max-md:hidden">
                <table class="table">
                    <caption class="sr-only">{caption}</caption>
                    <thead>
                        <tr>{columns.iter().map(heading).collect::<Vec<_>>()}</tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <ul class="rows md:hidden">{items}</ul>
            <Pager path next />
        </div>
    }
    .into_any()
}
