//! Who is looking, asked once and shared by the whole app.

use domain::Error;
use leptos::prelude::*;

use crate::layout::server::{Visit, get_visit};

/// Who is looking.
pub type VisitResource = Resource<Result<Visit, Error>>;

/// Asks who is looking and shares the answer.
pub fn provide_visit() {
    let visit: VisitResource = Resource::new(|| (), |()| get_visit());
    provide_context(visit);
}

/// The shared answer.
pub fn use_visit() -> VisitResource {
    expect_context()
}
