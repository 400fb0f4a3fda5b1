//! What happens after a change.

use leptos::prelude::*;

/// Runs `deed` now and after each change of what it reads; in the browser only.
///
/// The machinery of effects is compiled once per type, so there is one type.
pub fn on_change(deed: impl Fn() + 'static) {
    let deed: Box<dyn Fn()> = Box::new(deed);
    Effect::new(move |_| deed());
}

/// Runs `deed` every `seconds` while the page is shown; in the browser only.
pub fn every(seconds: u64, deed: impl Fn() + 'static) {
    let deed: Box<dyn Fn()> = Box::new(deed);
    repeat(seconds, deed);
}

#[cfg(not(feature = "ssr"))]
fn repeat(seconds: u64, deed: Box<dyn Fn()>) {
    let every = std::time::Duration::from_secs(seconds);
    if let Ok(handle) = set_interval_with_handle(deed, every) {
        on_cleanup(move || handle.clear());
    }
}

#[cfg(feature = "ssr")]
fn repeat(_: u64, _: Box<dyn Fn()>) {}

/// Runs `deed` whenever `is_done` is told to be true.
pub fn when_done(is_done: Signal<bool>, deed: impl Fn() + 'static) {
    on_change(move || {
        if is_done.get() {
            deed();
        }
    });
}
