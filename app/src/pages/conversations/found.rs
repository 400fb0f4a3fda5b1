//! The message that a search found, brought into sight.

use domain::{ConversationId, Cursor};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};

use crate::pages::conversations::live_thread::LiveThread;
use crate::ui::{on_change, use_toasts};

/// Reads back to the message that the address names and shows it. One that is on another branch is
/// not there; then the whole conversation has been read, and its end stays in sight.
pub fn show_found(live: LiveThread, id: ConversationId) {
    let query = use_query_map();
    let path = use_location().pathname;
    let toasts = use_toasts();
    let wanted = Memo::new(move |_| {
        // On the way to another conversation this one is still there.
        let is_here = path.with(|path| path.ends_with(&id.to_string()));
        query.with(|query| query.get("message")).filter(|_| is_here)
    });
    let shown = StoredValue::new(None::<String>);
    // What could not be read is not asked for again.
    let asked = StoredValue::new(None::<Cursor>);
    on_change(move || {
        let is_reading = live.is_reading.get();
        let Some(id) = wanted
            .get()
            .filter(|id| shown.get_value().as_ref() != Some(id))
        else {
            return;
        };
        let is_there = live
            .messages
            .with(|messages| messages.iter().any(|message| message.id.to_string() == id));
        let older = live.older.get_untracked();
        if is_there {
            shown.set_value(Some(id.clone()));
            // Once it is in the page and laid out.
            request_animation_frame(move || request_animation_frame(move || mark(&id)));
        } else if !is_reading && older.is_none() {
            shown.set_value(Some(id));
            toasts.failure("What was found is in another version of this conversation.");
        } else if !is_reading && asked.get_value() != older {
            asked.set_value(older);
            live.read_older();
        }
    });
}

/// Marks a message and scrolls to it, if it is in the page.
pub fn mark(id: &str) {
    let find = |selector: &str| document().query_selector(selector).ok().flatten();
    let Some(message) = find(&format!("[data-message='{id}']")) else {
        return;
    };
    if let Some(former) = find("[data-found]") {
        let _ = former.remove_attribute("data-found");
    }
    let _ = message.set_attribute("data-found", "");
    message.scroll_into_view();
}
