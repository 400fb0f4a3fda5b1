//! A secret that is shown once, to be copied.

use domain::Error;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, HtmlInputElement};

use crate::ui::{Callout, Icon, Tone, live};

/// A secret in a box with a button that copies it; nothing until there is one.
#[component]
pub fn ShownOnce(
    /// Element id, unique on the page.
    id: &'static str,
    /// What it is, for screen readers.
    label: &'static str,
    /// What to do with it.
    text: &'static str,
    /// The answer that holds it.
    value: Signal<Option<Result<String, Error>>>,
) -> impl IntoView {
    let secret = live(move || {
        let Some(Ok(secret)) = value.get() else {
            return ().into_any();
        };
        let is_copied = RwSignal::new(false);
        view! {
            <Callout tone=Tone::Success icon="key-round">
                <p>{text}</p>
                <div class="mt-2 flex gap-2">
                    <input
                        class="input input-mono"
                        id=id
                        aria-label=label
                        readonly
                        value=secret
                    />
                    <button
                        class="btn btn-secondary"
                        type="button"
                        on:click=move |_| is_copied.set(copy(id))
                    >
                        <Icon name="copy" />
                        {move || if is_copied.get() { "Copied" } else { "Copy" }}
                    </button>
                </div>
            </Callout>
        }
        .into_any()
    });
    view! { <div role="status">{secret}</div> }.into_any()
}

/// Says what to do where a secret cannot be shown; hidden where it can.
#[component]
pub fn NeedsScript(
    /// What to do.
    text: &'static str,
) -> impl IntoView {
    view! {
        <Callout tone=Tone::Warning icon="info" class="without-script">
            <p>{text}</p>
        </Callout>
    }
    .into_any()
}

/// Copies the text of an input; where that is forbidden it stays selected.
fn copy(id: &str) -> bool {
    let input = document()
        .get_element_by_id(id)
        .and_then(|input| input.dyn_into::<HtmlInputElement>().ok());
    if let Some(input) = input {
        input.select();
    }
    // The clipboard API is missing where pages come without https; this command is not.
    document()
        .dyn_into::<HtmlDocument>()
        .is_ok_and(|document| document.exec_command("copy").unwrap_or(false))
}
