//! The sign-in page.

use domain::Error;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;
use leptos_router::hooks::use_query_map;

use crate::address::local_path;
use crate::layout::server::Visit;
use crate::layout::{CredentialFields, EntranceFrame, awaited, load_when_done, use_visit};
use crate::pages::sign_in::server::SignIn;
use crate::ui::{ActionForm, Callout, FormAction, FormAlert, FormErrors, SubmitButton, Tone, live};

/// Address and password; members are sent on, and to the set-up while nobody exists.
#[component]
pub fn SignInPage() -> impl IntoView {
    let visit = use_visit();
    let action = FormAction::<SignIn>::new();
    let errors = action.errors();
    let query = use_query_map();
    let next = query
        .with_untracked(|query| query.get("next"))
        .unwrap_or_default();
    let next = local_path(&next).to_owned();
    load_when_done(action.has_succeeded(), next.clone());
    let onward = next.clone();
    let guard = awaited(ViewFn::default(), move || {
        let onward = onward.clone();
        Box::pin(async move {
            match visit.await {
                Ok(Visit::First) => view! { <Redirect path="/setup" /> }.into_any(),
                Ok(Visit::SignedIn(_)) => view! { <Redirect path=onward /> }.into_any(),
                Ok(Visit::SignedOut) | Err(_) => ().into_any(),
            }
        })
    });
    view! {
        <Title text="Sign in" />
        {guard}
        <EntranceFrame class="max-w-90">
            <h1 class="text-2xl font-semibold mb-6">"Sign in"</h1>
            <ActionForm action=action>
                <input type="hidden" name="next" value=next />
                <div class="grid gap-4">
                    <SignInAlert errors=errors />
                    <CredentialFields errors password="current-password" />
                    <SubmitButton class="btn btn-primary btn-lg" is_busy=action.pending()>
                        "Sign in"
                    </SubmitButton>
                </div>
            </ActionForm>
        </EntranceFrame>
    }
    .into_any()
}

#[component]
fn SignInAlert(errors: FormErrors) -> impl IntoView {
    live(move || match errors.error() {
        Some(Error::Unauthenticated) => view! {
            <Callout tone=Tone::Danger icon="circle-alert">
                <p>
                    <strong>"E-mail or password is wrong."</strong>
                </p>
            </Callout>
        }
        .into_any(),
        _ => view! { <FormAlert errors=errors fields=&["email", "password"] /> }.into_any(),
    })
}
