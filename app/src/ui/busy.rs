//! The button that sends a form.

use leptos::prelude::*;

use crate::ui::{Icon, live};

/// Sends the form it stands in; says so while the answer is on its way.
#[component]
pub fn SubmitButton(
    /// Classes: `btn btn-primary` and the like.
    #[prop(default = "btn btn-primary")]
    class: &'static str,
    /// Whether the answer is on its way.
    #[prop(into)]
    is_busy: Signal<bool>,
    /// Icon before the words; the spinner takes its place.
    #[prop(optional)]
    icon: &'static str,
    /// The words.
    children: Children,
) -> impl IntoView {
    let mark = live(move || match (is_busy.get(), icon) {
        (true, _) => view! { <Icon name="loader-circle" class="spin" /> }.into_any(),
        (false, "") => ().into_any(),
        (false, name) => view! { <Icon name=name /> }.into_any(),
    });
    view! {
        <button
            type="submit"
            class=class
            aria-busy=move || is_busy.get().then_some("true")
            disabled=move || is_busy.get()
        >
            {mark}
            {children()}
        </button>
    }
}
