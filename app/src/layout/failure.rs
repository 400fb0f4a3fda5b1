//! Pages that could not be shown, in words, with a way out.

use domain::Error;
use leptos::prelude::*;

use crate::layout::use_visit;
use crate::ui::{Icon, sentence};

/// Why data is not there, where it would be.
#[component]
pub fn Failure(
    /// The reason.
    error: Error,
) -> impl IntoView {
    set_status(&error);
    if error == Error::Unauthenticated {
        // The guard sends the visitor to the sign-in page once it knows.
        let visit = use_visit();
        Effect::new(move |_| visit.refetch());
        return ().into_any();
    }
    let title = match error {
        Error::NotFound => "This page does not exist",
        Error::Forbidden => "You may not see this",
        _ => "This page could not be loaded",
    };
    let icon = match error {
        Error::NotFound => "search-x",
        _ => "cloud-off",
    };
    let text = match &error {
        Error::NotFound => {
            "It may have been deleted, or it belongs to another workspace.".to_owned()
        }
        error => sentence(&error.to_string()),
    };
    view! {
        <div class="card empty">
            <span class="tile tile-lg">
                <Icon name=icon />
            </span>
            <h2 class="font-semibold text-ink">{title}</h2>
            <p>{text}</p>
            <div class="toolbar">
                <a class="btn btn-secondary" href="/">
                    "Home"
                </a>
            </div>
        </div>
    }
    .into_any()
}

/// An address that leads nowhere; outside the frame, because anybody may come here.
#[component]
pub fn LostPage() -> impl IntoView {
    set_status(&Error::NotFound);
    view! {
        <leptos_meta::Title text="Not found" />
        <main id="main" class="min-h-dvh grid bg-canvas">
            <div class="empty">
                <span class="tile tile-lg">
                    <Icon name="search-x" />
                </span>
                <h1 class="font-semibold text-ink">"This page does not exist"</h1>
                <p>"The address may be mistyped, or the page was removed."</p>
                <div class="toolbar">
                    <a class="btn btn-secondary" href="/">
                        "Home"
                    </a>
                </div>
            </div>
        </main>
    }
    .into_any()
}

/// Tells the HTTP status where there is a response to set it on.
#[cfg_attr(
    not(feature = "ssr"),
    expect(unused_variables, reason = "the browser has no response")
)]
fn set_status(error: &Error) {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        use http::StatusCode;
        let status = match error {
            Error::NotFound => StatusCode::NOT_FOUND,
            Error::Forbidden => StatusCode::FORBIDDEN,
            // The guard redirects.
            Error::Unauthenticated => return,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        response.set_status(status);
    }
}
