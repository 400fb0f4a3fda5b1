//! The page behind an invitation's link.

use domain::Error;
use domain::invitations::Offer;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use crate::layout::{EntranceFrame, Obstacle, awaited, load_by_token, load_when_done};
use crate::pages::invitations::server::{AcceptInvitation, GetOffer};
use crate::ui::{FieldsForm, FormAction, SecretField, SkeletonRows, capitalized, sentence};

/// What is offered, and the password that accepts it.
#[component]
pub fn InvitationPage() -> impl IntoView {
    let offer = load_by_token(|token: String| GetOffer {
        token: token.into(),
    });
    let accept = FormAction::<AcceptInvitation>::new();
    load_when_done(accept.has_succeeded(), "/".to_owned());
    let token = use_params_map()
        .with_untracked(|params| params.get("token"))
        .unwrap_or_default();
    let fallback = || view! { <SkeletonRows count=2 /> }.into_any();
    let content = awaited(fallback.into(), move || {
        let token = token.clone();
        Box::pin(async move {
            match offer.await {
                Ok(offer) => acceptance(offer, token, accept),
                Err(error) => refusal(error),
            }
        })
    });
    view! {
        <Title text="Invitation" />
        <EntranceFrame class="max-w-100">{content}</EntranceFrame>
    }
    .into_any()
}

fn acceptance(offer: Offer, token: String, accept: FormAction<AcceptInvitation>) -> AnyView {
    let (label, hint, autocomplete) = if offer.has_account {
        (
            "Your password",
            "You have an account with this address; its password proves that it is you.",
            "current-password",
        )
    } else {
        ("New password", "At least 12 characters.", "new-password")
    };
    view! {
        <h1 class="text-2xl font-semibold mb-1">"Join " {offer.workspace}</h1>
        <p class="text-ink-3 mb-6">
            {offer.invited_by} " invites you as "
            <strong class="font-medium text-ink">{capitalized(offer.role.as_str())}</strong> "."
        </p>
        <FieldsForm
            action=accept
            fields=&["password"]
            button="Accept and sign in"
            class="btn btn-primary btn-lg grow"
        >
            <input type="hidden" name="token" value=token />
            <div class="field">
                <label class="field-label" for="email">
                    "E-mail"
                </label>
                <input
                    class="input input-lg"
                    id="email"
                    type="email"
                    autocomplete="username"
                    readonly
                    value=offer.email
                />
            </div>
            <SecretField
                id="password"
                label
                class="input-lg"
                hint
                autocomplete
                required=true
                errors=accept.errors()
            />
        </FieldsForm>
    }
    .into_any()
}

fn refusal(error: Error) -> AnyView {
    let (icon, title, text) = match error {
        Error::NotFound => (
            "search-x",
            "This invitation does not work",
            "It was used, taken back or has expired after seven days. Ask for a new one."
                .to_owned(),
        ),
        _ => (
            "cloud-off",
            "The invitation could not be loaded",
            sentence(&error.to_string()),
        ),
    };
    view! { <Obstacle error icon title text /> }.into_any()
}
