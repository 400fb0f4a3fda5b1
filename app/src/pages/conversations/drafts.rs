//! What was typed and not sent, or not known to be, kept by the browser's tab.

use domain::ConversationId;
use web_sys::Storage;

/// Keeps what stands in the field of a conversation; nothing forgets it.
pub fn keep(id: ConversationId, text: &str) {
    set(&draft(id), text);
}

/// What was kept; empty if there is nothing.
pub fn find(id: ConversationId) -> String {
    get(&draft(id))
}

/// Keeps what is on its way to the server; nothing forgets it.
pub fn keep_sent(id: ConversationId, text: &str) {
    set(&sent(id), text);
}

/// What was on its way; empty if there was nothing.
pub fn find_sent(id: ConversationId) -> String {
    get(&sent(id))
}

fn draft(id: ConversationId) -> String {
    format!("draft {id}")
}

fn sent(id: ConversationId) -> String {
    format!("sent {id}")
}

fn set(key: &str, text: &str) {
    if let Some(storage) = storage() {
        // Fails only where the storage is full; then nothing is kept.
        let _ = match text.is_empty() {
            true => storage.remove_item(key),
            false => storage.set_item(key, text),
        };
    }
}

fn get(key: &str) -> String {
    let kept = storage().and_then(|storage| storage.get_item(key).ok().flatten());
    kept.unwrap_or_default()
}

/// `None` where the person allows no storage.
fn storage() -> Option<Storage> {
    leptos::prelude::window().session_storage().ok().flatten()
}
