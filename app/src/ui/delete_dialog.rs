//! Asks before something is deleted for good.

use leptos::prelude::*;

use crate::ui::action_form::{Calls, form};
use crate::ui::{Dialog, FormAlert, SubmitButton, close_dialog, when_done};

/// A dialog that deletes one thing, or keeps it.
#[component]
pub fn DeleteDialog(
    /// Element id, unique on the page.
    #[prop(into)]
    id: String,
    /// What it asks.
    #[prop(into)]
    title: String,
    /// What is lost.
    text: &'static str,
    /// Words of the button that deletes.
    button: &'static str,
    /// Path of the server function that deletes; its input is `id`.
    action: &'static str,
    /// Id of the thing.
    thing: String,
    /// Called when it is gone, if the page stays.
    #[prop(optional)]
    done: Option<Callback<()>>,
) -> impl IntoView {
    let calls = Calls::new(action);
    if let Some(done) = done {
        let id = id.clone();
        when_done(calls.has_succeeded(), move || {
            // The list that is read again may use this dialog for another thing.
            close_dialog(&id);
            done.run(());
        });
    }
    let fields = move || {
        view! {
            <input type="hidden" name="id" value=thing />
            <SubmitButton class="btn btn-danger" is_busy=calls.pending()>
                {button}
            </SubmitButton>
        }
        .into_any()
    };
    view! {
        <Dialog id title>
            <div class="dialog-body grid gap-3">
                <p>{text}</p>
                <FormAlert errors=calls.errors() fields=&[] />
            </div>
            <div class="dialog-foot">
                <form method="dialog">
                    <button class="btn btn-secondary" autofocus>
                        "Keep it"
                    </button>
                </form>
                {form(calls, Box::new(fields))}
            </div>
        </Dialog>
    }
    .into_any()
}
