//! One's own name and password.

use domain::Action;
use domain::accounts::User;
use leptos::prelude::*;

use crate::layout::server::Visit;
use crate::layout::{Loaded, use_visit};
use crate::pages::accounts::server::{ChangePassword, SaveProfile};
use crate::ui::{
    FieldsForm, FormAction, SecretField, Section, SkeletonRows, TextField, reset_form, use_toasts,
    when_done,
};

/// The profile page of the settings.
pub fn profile(action: Action) -> AnyView {
    let visit = use_visit();
    let toasts = use_toasts();
    let save = FormAction::<SaveProfile>::new();
    let change = FormAction::<ChangePassword>::new();
    when_done(save.has_succeeded(), move || {
        toasts.success("Profile saved");
        visit.refetch();
    });
    when_done(change.has_succeeded(), move || {
        toasts.success("Password changed; every other browser is signed out");
        reset_form("new_password");
    });
    let view = move |visit| match visit {
        Visit::SignedIn(me) => forms(me.user, save, change),
        Visit::First | Visit::SignedOut => ().into_any(),
    };
    view! { <Loaded data=visit action fallback=|| view! { <SkeletonRows /> }.into_any() view /> }
        .into_any()
}

fn forms(user: User, save: FormAction<SaveProfile>, change: FormAction<ChangePassword>) -> AnyView {
    view! {
        <Section title="Name and address">
            <FieldsForm action=save fields=&["name"] button="Save">
                <TextField
                    id="name"
                    label="Name"
                    hint="What others see. Without a name they see your address."
                    value=user.name
                    autocomplete="name"
                    errors=save.errors()
                />
                <TextField
                    id="email"
                    label="E-mail"
                    kind="email"
                    hint="Your address to sign in with. It cannot be changed."
                    value=user.email
                    autocomplete="username"
                    readonly=true
                    errors=save.errors()
                />
            </FieldsForm>
        </Section>
        <Section title="Password" lead="A change signs every other browser out.">
            <FieldsForm
                action=change
                fields=&["current_password", "new_password"]
                button="Change password"
            >
                <SecretField
                    id="current_password"
                    label="Current password"
                    autocomplete="current-password"
                    required=true
                    errors=change.errors()
                />
                <SecretField
                    id="new_password"
                    label="New password"
                    hint="At least 12 characters."
                    autocomplete="new-password"
                    required=true
                    errors=change.errors()
                />
            </FieldsForm>
        </Section>
    }
    .into_any()
}
