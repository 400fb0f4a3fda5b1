//! Native dialogs. They open without our code where the browser knows invoker commands.

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDialogElement, HtmlElement};

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
    /// Called before it opens.
    #[prop(optional)]
    before: Option<Callback<()>>,
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
            on:click=move |event| {
                if let Some(before) = before {
                    before.run(());
                }
                focus_menu(&event);
                open_dialog(&id);
            }
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

/// The focus returns to the button of the menu, which closes: an item in it could not take it.
fn focus_menu(event: &MouseEvent) {
    let target = event.target().and_then(|it| it.dyn_into::<Element>().ok());
    let button = target
        .and_then(|item| item.closest("details").ok().flatten())
        .and_then(|menu| menu.query_selector("summary").ok().flatten())
        .and_then(|button| button.dyn_into::<HtmlElement>().ok());
    if let Some(button) = button {
        // A button that cannot take the focus is no harm.
        let _ = button.focus();
    }
}

fn find_dialog(id: &str) -> Option<HtmlDialogElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}
