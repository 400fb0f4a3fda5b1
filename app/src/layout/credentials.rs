//! The forms before the sign-in.

use leptos::prelude::*;

use crate::ui::{FormErrors, SecretField, TextField, when_done};

/// Address and password.
#[component]
pub fn CredentialFields(
    /// What was wrong with the last try.
    errors: FormErrors,
    /// Which password the browser may fill in.
    password: &'static str,
    /// Words below the password.
    #[prop(optional)]
    hint: &'static str,
) -> impl IntoView {
    view! {
        <TextField
            id="email"
            name="input[email]"
            label="E-mail"
            kind="email"
            class="input-lg"
            autocomplete="username"
            required=true
            errors
        />
        <SecretField
            id="password"
            name="input[password]"
            label="Password"
            class="input-lg"
            hint
            autocomplete=password
            required=true
            errors
        />
    }
    .into_any()
}

/// Loads a page from the server, so that nothing of the view stays.
pub fn load_page_at(path: &str) {
    // Fails only where navigation is forbidden altogether.
    let _ = window().location().set_href(path);
}

/// Loads a page from the server when an action has succeeded, so that nothing of the view stays.
pub fn load_when_done(is_done: Signal<bool>, path: String) {
    when_done(is_done, move || load_page_at(&path));
}
