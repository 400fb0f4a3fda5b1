//! Pages that could not be shown, in words, with a way out.

use domain::Error;
use leptos::prelude::*;

use crate::layout::use_visit;
use crate::ui::{Icon, on_change, sentence};

/// Why data is not there, where it would be.
#[component]
pub fn Failure(
    /// The reason.
    error: Error,
) -> impl IntoView {
    if error == Error::Unauthenticated {
        // The guard sends the visitor to the sign-in page once it knows.
        let visit = use_visit();
        on_change(move || visit.refetch());
        return ().into_any();
    }
    let (icon, title) = match error {
        Error::NotFound => ("search-x", "This page does not exist"),
        Error::Forbidden => ("cloud-off", "You may not see this"),
        _ => ("cloud-off", "This page could not be loaded"),
    };
    let text = match &error {
        Error::NotFound => {
            "It may have been deleted, or it belongs to another workspace.".to_owned()
        }
        error => sentence(&error.to_string()),
    };
    view! { <Obstacle error icon title text class="card" /> }.into_any()
}

/// What stands in the way, in words, with the way home.
#[component]
pub fn Obstacle(
    /// The reason, for the HTTP status.
    error: Error,
    /// Name of the icon.
    icon: &'static str,
    /// What is the matter.
    title: &'static str,
    /// Why, and what to do.
    #[prop(into)]
    text: String,
    /// More classes.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    set_status(&error);
    // Without a card around it, it is all that the page says.
    let heading = if class.is_empty() {
        view! { <h1 class="font-semibold text-ink">{title}</h1> }.into_any()
    } else {
        view! { <h2 class="font-semibold text-ink">{title}</h2> }.into_any()
    };
    view! {
        <div class=format!("empty {class}")>
            <span class="tile tile-lg">
                <Icon name=icon />
            </span>
            {heading}
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
    view! {
        <leptos_meta::Title text="Not found" />
        <main id="main" class="min-h-dvh grid bg-canvas">
            <Obstacle
                error=Error::NotFound
                icon="search-x"
                title="This page does not exist"
                text="The address may be mistyped, or the page was removed."
            />
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
