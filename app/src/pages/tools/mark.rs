//! The mark in front of a tool server's name.

use domain::containers::LOGOS;
use leptos::prelude::*;

/// The logo of a catalog entry, or a plug.
pub fn mark(class: &'static str, key: Option<&str>) -> AnyView {
    let href = match key {
        Some(key) if LOGOS.split(' ').any(|it| it == key) => format!("/servers.svg#{key}"),
        _ => "/icons.svg#i-plug".to_owned(),
    };
    view! {
        <span class=class aria-hidden="true">
            <svg class="icon">
                <use_ href=href />
            </svg>
        </span>
    }
    .into_any()
}
