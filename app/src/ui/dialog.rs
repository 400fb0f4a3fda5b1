//! Native dialogs. They open without our code where the browser knows invoker commands.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlDialogElement;

/// A modal dialog, closed at first. Children are its body and foot.
#[component]
pub fn Dialog(
    /// Element id, unique on the page.
    #[prop(into)]
    id: String,
    /// What it asks.
    #[prop(into)]
    title: String,
    /// Body and foot.
    children: Children,
) -> impl IntoView {
    let title_id = format!("{id}-title");
    let label = title_id.clone();
    view! {
        <dialog class="dialog" id=id aria-labelledby=label>
            <div class="dialog-head">
                <h2 class="dialog-title" id=title_id>
                    {title}
                </h2>
            </div>
            {children()}
        </dialog>
    }
}

/// Opens a dialog.
#[component]
pub fn DialogButton(
    /// Id of the dialog.
    #[prop(into)]
    dialog: String,
    /// Classes.
    class: &'static str,
    /// The words.
    children: Children,
) -> impl IntoView {
    let id = dialog.clone();
    view! {
        <button
            type="button"
            class=class
            commandfor=dialog
            command="show-modal"
            on:click=move |_| open_dialog(&id)
        >
            {children()}
        </button>
    }
}

/// Closes a dialog, wherever it stands.
pub fn close_dialog(id: &str) {
    if let Some(dialog) = find_dialog(id) {
        dialog.close();
    }
}

fn open_dialog(id: &str) {
    if let Some(dialog) = find_dialog(id).filter(|dialog| !dialog.open()) {
        // Fails only for a dialog outside the document.
        let _ = dialog.show_modal();
    }
}

fn find_dialog(id: &str) -> Option<HtmlDialogElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}
