//! The set-up page.

use domain::accounts::MachineCheck;
use leptos::html;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;

use crate::layout::server::Visit;
use crate::layout::{CredentialFields, EntranceFrame, awaited, load, load_when_done, use_visit};
use crate::pages::set_up::server::{CheckMachine, SetUp};
use crate::ui::{
    ActionForm, Card, FormAction, FormAlert, LabelledIcon, SubmitButton, TextField,
    focus_first_error,
};

/// Workspace, address and password, beside what the machine offers.
#[component]
pub fn SetUpPage() -> impl IntoView {
    let visit = use_visit();
    let guard = awaited(ViewFn::default(), move || {
        Box::pin(async move {
            match visit.await {
                Ok(Visit::SignedOut | Visit::SignedIn(_)) => {
                    view! { <Redirect path="/" /> }.into_any()
                }
                Ok(Visit::First) | Err(_) => ().into_any(),
            }
        })
    });
    view! {
        <Title text="Set up" />
        {guard}
        <EntranceFrame class="max-w-3xl">
            <div class="grid gap-10 lg:grid-cols-[minmax(0,1fr)_20rem] items-start">
                <div>
                    <h1 class="text-2xl font-semibold mb-1">"Set up AgentArea"</h1>
                    <p class="text-ink-3 mb-6">
                        "You become the owner of the first workspace. This page disappears afterwards."
                    </p>
                    <SetUpForm />
                </div>
                <Machine />
            </div>
        </EntranceFrame>
    }
    .into_any()
}

#[component]
fn SetUpForm() -> impl IntoView {
    let action = FormAction::<SetUp>::new();
    let errors = action.errors();
    let form = NodeRef::<html::Div>::new();
    focus_first_error(form, errors);
    load_when_done(action.has_succeeded(), "/".to_owned());
    view! {
        <ActionForm action=action>
            <div class="grid gap-4" node_ref=form>
                <FormAlert errors=errors fields=&["workspace", "email", "password"] />
                <TextField
                    id="workspace"
                    name="input[workspace]"
                    label="Workspace"
                    class="input-lg"
                    autocomplete="organization"
                    hint="A team or project."
                    required=true
                    errors
                />
                <CredentialFields
                    errors
                    password="new-password"
                    hint="At least 12 characters."
                />
                <SubmitButton class="btn btn-primary btn-lg mt-2" is_busy=action.pending()>
                    "Create workspace"
                </SubmitButton>
            </div>
        </ActionForm>
    }
}

#[component]
fn Machine() -> impl IntoView {
    let checks = load(|| CheckMachine {});
    let wait = || {
        view! {
            <li class="py-2.5">
                <span class="skeleton w-3/5"></span>
            </li>
        }
        .into_any()
    };
    let rows = awaited(wait.into(), move || {
        Box::pin(async move {
            let checks = checks.await.unwrap_or_default();
            checks
                .into_iter()
                .map(machine_row)
                .collect::<Vec<_>>()
                .into_any()
        })
    });
    view! {
        <Card id="machine-title" title="This machine">
            <ul class="px-4 py-1.5 divide-y divide-line">{rows}</ul>
        </Card>
    }
}

fn machine_row(check: MachineCheck) -> AnyView {
    let mark = if check.is_ok {
        view! { <LabelledIcon name="circle-check" label="Good" class="text-success" /> }.into_any()
    } else {
        view! { <LabelledIcon name="triangle-alert" label="Missing" class="text-warning" /> }
            .into_any()
    };
    view! {
        <li class="flex gap-3 py-2.5">
            <span class="pt-0.5">{mark}</span>
            <div class="min-w-0">
                <p class="font-medium">{check.title}</p>
                <p class="text-xs text-ink-3">{check.detail}</p>
            </div>
        </li>
    }
    .into_any()
}
