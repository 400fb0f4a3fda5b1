//! What can be done with the messages of a thread: asking again, another branch, copying.
//!
//! The forms and buttons stand in each message; the thread listens once for all of them.

use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use crate::pages::conversations::live_thread::LiveThread;
use crate::pages::conversations::server::{Regenerate, ShowBranch};
use crate::ui::{FormAction, FormAlert, copy_text, on_change, show_copied, when_done};

/// What the forms in messages do; one action each for all of them.
#[derive(Clone, Copy)]
pub struct Deeds {
    again: FormAction<Regenerate>,
    branch: FormAction<ShowBranch>,
    switched: StoredValue<Option<Switched>>,
}

/// The button that led to another version. The message around it gives way to the other one.
#[derive(Clone)]
struct Switched {
    label: String,
    /// The message before, which stays.
    message_before: Option<String>,
}

impl Deeds {
    /// Nothing was sent yet.
    pub fn new(live: LiveThread) -> Self {
        let deeds = Self {
            again: FormAction::new(),
            branch: FormAction::new(),
            switched: StoredValue::new(None),
        };
        // What is asked again comes over the stream; a branch that is there is only read.
        when_done(deeds.branch.has_succeeded(), move || live.reload());
        on_change(move || {
            live.messages.track();
            if deeds.switched.with_value(Option::is_some)
                && deeds.branch.has_succeeded().get_untracked()
            {
                // Once the other messages are in the page.
                request_animation_frame(move || deeds.focus_switch());
            }
        });
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
                self.switched.set_value(Switched::by(event));
                self.branch.submit(event);
            }
            _ => {}
        }
    }

    /// Gives the focus to the button in the new message that does what the one did that was clicked.
    fn focus_switch(self) {
        let Some(switched) = self.switched.try_update_value(Option::take).flatten() else {
            return;
        };
        // Whoever went on to something else meanwhile stays there.
        let is_free = |element: &Element| {
            element.tag_name() == "BODY"
                || element
                    .closest("[data-message]")
                    .is_ok_and(|it| it.is_some())
        };
        if !document()
            .active_element()
            .is_none_or(|active| is_free(&active))
        {
            return;
        }
        let before = switched.message_before;
        let ids = messages().map(|message| (message.get_attribute("data-message"), message));
        let mut ids = ids.skip_while(|(id, _)| before.is_some() && *id != before);
        let message = match before {
            Some(_) => ids.nth(1),
            None => ids.next(),
        };
        let Some((_, message)) = message else { return };
        for selector in [
            format!("button[aria-label='{}']:enabled", switched.label),
            "[aria-label='Versions'] button:enabled".to_owned(),
        ] {
            let button = message.query_selector(&selector).ok().flatten();
            if let Some(button) = button.and_then(|it| it.dyn_into::<HtmlElement>().ok()) {
                let _ = button.focus();
                return;
            }
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

impl Switched {
    fn by(event: &SubmitEvent) -> Option<Self> {
        let button = event.submitter()?;
        let message = button.closest("[data-message]").ok().flatten()?;
        let before = messages().take_while(|other| *other != message).last();
        Some(Self {
            label: button.get_attribute("aria-label")?,
            message_before: before.and_then(|it| it.get_attribute("data-message")),
        })
    }
}

/// The messages in the page, in their order.
fn messages() -> impl Iterator<Item = Element> {
    let found = document().query_selector_all("[data-message]").ok();
    let found = found.into_iter();
    found.flat_map(|list| (0..list.length()).filter_map(move |at| list.get(at)?.dyn_into().ok()))
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
