//! A menu that opens without our code, and closes by itself with it.

use leptos::ev::{FocusEvent, KeyboardEvent};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, Node};

/// A button with a list of actions below it. Arrow keys move, `Esc` closes.
#[component]
pub fn Menu(
    /// What the button does, for screen readers.
    #[prop(into)]
    label: String,
    /// Classes of the button.
    #[prop(default = "btn btn-ghost btn-icon")]
    class: &'static str,
    /// Where the list opens.
    #[prop(default = "right-0 top-full mt-1")]
    place: &'static str,
    /// What the button shows.
    #[prop(into)]
    trigger: ViewFn,
    /// The items.
    children: Children,
) -> impl IntoView {
    let details = NodeRef::<html::Details>::new();
    let close = move || {
        if let Some(details) = details.get_untracked() {
            details.set_open(false);
        }
    };
    let on_keydown = move |event: KeyboardEvent| {
        let Some(details) = details.get_untracked().filter(|details| details.open()) else {
            return;
        };
        match event.key().as_str() {
            "Escape" => {
                details.set_open(false);
                focus(details.query_selector("summary").ok().flatten());
            }
            "ArrowDown" => move_focus(&details, 1),
            "ArrowUp" => move_focus(&details, -1),
            _ => return,
        }
        event.prevent_default();
    };
    let on_focusout = move |event: FocusEvent| {
        let next = event
            .related_target()
            .and_then(|next| next.dyn_into::<Node>().ok());
        let is_inside = details
            .get_untracked()
            .is_some_and(|details| next.is_none() || details.contains(next.as_ref()));
        if !is_inside {
            close();
        }
    };
    view! {
        <details class="relative" node_ref=details on:keydown=on_keydown on:focusout=on_focusout>
            <summary class=class aria-label=label.clone() title=label>
                {trigger.run()}
            </summary>
            <div class=format!("menu absolute z-30 {place}") on:click=move |_| close()>
                {children()}
            </div>
        </details>
    }
}

fn move_focus(details: &HtmlElement, step: i32) {
    let Ok(items) = details.query_selector_all(".menu-item") else {
        return;
    };
    let count = items.length() as i32;
    if count == 0 {
        return;
    }
    let active = document().active_element();
    let current = (0..count).find(|&index| {
        items.item(index as u32).as_ref() == active.as_ref().map(AsRef::<Node>::as_ref)
    });
    let next = match current {
        Some(index) => (index + step).rem_euclid(count),
        None if step > 0 => 0,
        None => count - 1,
    };
    focus(items.item(next as u32));
}

fn focus(target: Option<impl JsCast>) {
    if let Some(element) = target.and_then(|target| target.dyn_into::<HtmlElement>().ok()) {
        // An element that cannot take the focus is no harm.
        let _ = element.focus();
    }
}
