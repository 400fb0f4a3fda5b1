//! Waits for what a view needs.

use std::pin::Pin;

use leptos::prelude::*;

/// A view on its way.
pub type Coming = Pin<Box<dyn Future<Output = AnyView> + Send>>;

/// Shows `fallback` until the view is there; while it comes again, the old one stays.
///
/// The machinery of waiting is large and compiled once per type, so there is one type.
pub fn awaited(fallback: ViewFn, view: impl Fn() -> Coming + Send + Sync + 'static) -> AnyView {
    erased(fallback, Box::new(view))
}

fn erased(fallback: ViewFn, view: Box<dyn Fn() -> Coming + Send + Sync>) -> AnyView {
    let body = move || Suspend::new(view());
    view! { <Transition fallback=move || fallback.run()>{body}</Transition> }.into_any()
}
