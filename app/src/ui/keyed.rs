//! A list whose entries come and go, each staying the element it is.

use std::sync::Mutex;

use leptos::prelude::*;

/// One entry: what tells it from the others, and its view.
pub struct Keyed {
    key: String,
    view: Box<dyn FnOnce() -> AnyView + Send>,
}

impl Keyed {
    /// An entry; the view is asked for once, when the entry is new.
    pub fn new(key: String, view: impl FnOnce() -> AnyView + Send + 'static) -> Self {
        Self {
            key,
            view: Box::new(view),
        }
    }
}

/// Shows the entries, again after each change of what `entries` reads.
///
/// The machinery of such lists is large and compiled once per type, so there is one type.
pub fn keyed(entries: impl Fn() -> Vec<Keyed> + Send + Sync + 'static) -> AnyView {
    erased(Box::new(entries))
}

/// Shows a view that another of its kind never takes the place of: what stands in its fields goes with
/// it, as does how far it is scrolled. `key` tells it from the others.
pub fn alone(key: String, view: impl FnOnce() -> AnyView + Send + 'static) -> AnyView {
    let entry = Mutex::new(Some(Keyed::new(key, view)));
    let taken = move || entry.lock().expect("no holder panics").take();
    keyed(move || taken().into_iter().collect())
}

fn erased(entries: Box<dyn Fn() -> Vec<Keyed> + Send + Sync>) -> AnyView {
    // The server would call a closure twice, once to find out what it waits for, and make every
    // entry twice. The HTML is the same.
    if cfg!(feature = "ssr") {
        let views = entries().into_iter().map(|entry| (entry.view)());
        return views.collect::<Vec<_>>().into_any();
    }
    view! { <For each=entries key=|entry: &Keyed| entry.key.clone() children=|entry: Keyed| (entry.view)() /> }
        .into_any()
}
