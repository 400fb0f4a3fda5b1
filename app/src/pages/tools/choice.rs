//! One of several values that are known only when the page is made.

use leptos::prelude::*;

/// A field with these values to choose from; `start` is chosen at first, if it is one of them.
pub(super) fn choice(
    id: String,
    name: String,
    values: Vec<String>,
    start: &str,
    required: bool,
) -> AnyView {
    let option = |value: String| {
        let selected = value == start;
        view! {
            <option value=value.clone() selected=selected>
                {value.clone()}
            </option>
        }
        .into_any()
    };
    view! {
        <select class="select" id=id name=name required=required>
            <option value="">"Choose"</option>
            {values.into_iter().map(option).collect::<Vec<_>>()}
        </select>
    }
    .into_any()
}
