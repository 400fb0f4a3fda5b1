//! The clipboard.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDocument, HtmlTextAreaElement};

/// How long a button says that it has copied.
const STAY: Duration = Duration::from_secs(2);

/// Puts a text into the clipboard; tells whether that was allowed.
pub fn copy_text(text: &str) -> bool {
    let document = document();
    let field = document
        .create_element("textarea")
        .ok()
        .and_then(|field| field.dyn_into::<HtmlTextAreaElement>().ok());
    let (Some(field), Some(body)) = (field, document.body()) else {
        return false;
    };
    field.set_value(text);
    field.set_class_name("sr-only");
    let focused = document.active_element();
    // An open body takes every child.
    let _ = body.append_child(&field);
    field.select();
    // The clipboard API is missing where pages come without https; this command is not.
    let is_copied = document
        .dyn_into::<HtmlDocument>()
        .is_ok_and(|document| document.exec_command("copy").unwrap_or(false));
    field.remove();
    if let Some(focused) = focused.and_then(|it| it.dyn_into::<web_sys::HtmlElement>().ok()) {
        // What cannot take the focus did not have it.
        let _ = focused.focus();
    }
    is_copied
}

/// Has a copy button say so for a while.
pub fn show_copied(button: &Element) {
    let Ok(Some(label)) = button.query_selector("span") else {
        return;
    };
    label.set_text_content(Some("Copied"));
    set_timeout(move || label.set_text_content(Some("Copy")), STAY);
}
