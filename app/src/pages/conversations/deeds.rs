//! What can be done with the messages of a thread: asking again, another branch, copying.
//!
//! The forms and buttons stand in each message; the thread listens once for all of them.

use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::pages::conversations::live_thread::LiveThread;
use crate::pages::conversations::server::{Regenerate, ShowBranch};
use crate::ui::{FormAction, FormAlert, copy_text, on_change, show_copied, when_done};

/// What the forms in messages do; one action each for all of them.
#[derive(Clone, Copy)]
pub struct Deeds {
    again: FormAction<Regenerate>,
    branch: FormAction<ShowBranch>,
}

impl Deeds {
    /// Nothing was sent yet.
    pub fn new(live: LiveThread) -> Self {
        let deeds = Self {
            again: FormAction::new(),
            branch: FormAction::new(),
        };
        // What is asked again comes over the stream; a branch that is there is only read.
        when_done(deeds.branch.has_succeeded(), move || live.reload());
        on_change(move || {
            live.ended_runs.track();
            // What was refused because of a run can be done now.
            if deeds.again.has_failed() {
                deeds.again.forget();
            }
            if deeds.branch.has_failed() {
                deeds.branch.forget();
            }
        });
        deeds
    }

    /// Sends a form of a message, whichever it is.
    pub fn submit(self, event: &SubmitEvent) {
        let form = event.target().and_then(|it| it.dyn_into::<Element>().ok());
        let action = form.and_then(|form| form.get_attribute("action"));
        match action.as_deref() {
            Some(path) if path == Regenerate::url() => {
                event.prevent_default();
                self.again.submit(event);
            }
            Some(path) if path == ShowBranch::url() => {
                event.prevent_default();
                self.branch.submit(event);
            }
            _ => {}
        }
    }

    /// What was wrong with the last.
    pub fn alerts(self) -> AnyView {
        view! {
            <div class="px-4">
                <div class="max-w-(--container-form) mx-auto grid gap-2">
                    <FormAlert errors=self.again.errors() fields=&[] />
                    <FormAlert errors=self.branch.errors() fields=&[] />
                </div>
            </div>
        }
        .into_any()
    }
}

/// Copies what the clicked button stands at: code, or a message as Markdown.
pub fn copy_clicked(event: &MouseEvent, live: LiveThread) {
    let button = event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
        .and_then(|target| target.closest("[data-copy]").ok().flatten());
    let Some(button) = button else { return };
    let around = |selector| button.closest(selector).ok().flatten();
    let text = if button.get_attribute("data-copy").as_deref() == Some("code") {
        around(".code")
            .and_then(|code| code.query_selector("pre").ok().flatten())
            .and_then(|code| code.text_content())
    } else {
        around("[data-message]")
            .and_then(|message| message.get_attribute("data-message")?.parse().ok())
            .and_then(|id| live.text_of(id))
    };
    if text.is_some_and(|text| copy_text(&text)) {
        show_copied(&button);
        live.announcement.set("Copied");
    }
}
