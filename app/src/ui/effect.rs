//! What happens after a change.

use std::rc::Rc;

use leptos::prelude::*;

use crate::call::{Answer, Calling};

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

/// Asks every `seconds` while the page is shown, and hands each answer on if it still is; what
/// fails is left to the next time. In the browser only.
pub fn follow(seconds: u64, ask: impl Fn() -> Calling + 'static, told: impl Fn(Answer) + 'static) {
    let page = StoredValue::new(());
    let told: Rc<dyn Fn(Answer)> = Rc::new(told);
    every(seconds, move || tell(ask(), page, Rc::clone(&told)));
}

/// Hands an answer on if it comes while `page` is shown.
pub fn tell(calling: Calling, page: StoredValue<()>, told: Rc<dyn Fn(Answer)>) {
    leptos::task::spawn_local(async move {
        let answer = calling.await;
        // The page may be gone by now.
        if page.try_get_value().is_some()
            && let Ok(answer) = answer
        {
            told(answer);
        }
    });
}

/// Runs `deed` whenever `is_done` is told to be true.
pub fn when_done(is_done: Signal<bool>, deed: impl Fn() + 'static) {
    on_change(move || {
        if is_done.get() {
            deed();
        }
    });
}
