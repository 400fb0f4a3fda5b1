//! What happens after a change.

use leptos::prelude::*;

/// Runs `deed` now and after each change of what it reads; in the browser only.
///
/// The machinery of effects is compiled once per type, so there is one type.
pub fn on_change(deed: impl Fn() + 'static) {
    let deed: Box<dyn Fn()> = Box::new(deed);
    Effect::new(move |_| deed());
}

/// Runs `deed` whenever `is_done` is told to be true.
pub fn when_done(is_done: Signal<bool>, deed: impl Fn() + 'static) {
    on_change(move || {
        if is_done.get() {
            deed();
        }
    });
}
