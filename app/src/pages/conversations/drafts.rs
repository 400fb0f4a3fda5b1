//! What was typed and not sent, kept by the browser's tab.

use domain::ConversationId;
use web_sys::Storage;

/// Keeps what stands in the field of a conversation; nothing forgets it.
pub fn keep(id: ConversationId, text: &str) {
    if let Some(storage) = storage() {
        // Fails only where the storage is full; then nothing is kept.
        let _ = match text.is_empty() {
            true => storage.remove_item(&key(id)),
            false => storage.set_item(&key(id), text),
        };
    }
}

/// What was kept; empty if there is nothing.
pub fn find(id: ConversationId) -> String {
    let kept = storage().and_then(|storage| storage.get_item(&key(id)).ok().flatten());
    kept.unwrap_or_default()
}

fn key(id: ConversationId) -> String {
    format!("draft {id}")
}

/// `None` where the person allows no storage.
fn storage() -> Option<Storage> {
    leptos::prelude::window().session_storage().ok().flatten()
}
