//! A view that follows what it reads.

use leptos::prelude::*;

/// Shows what `view` gives, again after each change of what it reads.
///
/// A closure in a view is compiled with its machinery once per closure; here there is one type.
pub fn live(view: impl FnMut() -> AnyView + Send + 'static) -> AnyView {
    let view: Box<dyn FnMut() -> AnyView + Send> = Box::new(view);
    view.into_any()
}
