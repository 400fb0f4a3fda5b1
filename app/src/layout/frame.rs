//! The frame of every page behind the sign-in.

use leptos::prelude::*;
use leptos_router::components::{Outlet, Redirect};
use leptos_router::hooks::use_location;

use crate::address::sign_in_path;
use crate::layout::server::Visit;
use crate::layout::sidebar::Sidebar;
use crate::layout::{awaited, use_visit};

/// Sidebar and page; visitors are sent to the entrance.
#[component]
pub fn Frame() -> impl IntoView {
    view! {
        <a class="skip btn btn-primary" href="#main">
            "Skip to content"
        </a>
        <Guard />
        <div class="app">
            <Sidebar />
            <div class="min-w-0 flex flex-col">
                <Outlet />
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn Guard() -> impl IntoView {
    let visit = use_visit();
    let location = use_location();
    let here = move || {
        let path = location.pathname.get_untracked();
        let query = location.search.get_untracked();
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    };
    awaited(ViewFn::default(), move || {
        Box::pin(async move {
            let entrance = match visit.await {
                Ok(Visit::First) => "/setup".to_owned(),
                Ok(Visit::SignedOut) => sign_in_path(&here()),
                Ok(Visit::SignedIn(_)) | Err(_) => return ().into_any(),
            };
            view! { <Redirect path=entrance /> }.into_any()
        })
    })
}
