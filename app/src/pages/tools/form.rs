//! Adding a tool server by its address.

use domain::Action;
use leptos::prelude::*;

use crate::layout::{LoadedPage, Page, use_visit};
use crate::pages::tools::headers::HeaderRows;
use crate::pages::tools::server::AddToolServer;
use crate::ui::{FieldsForm, FormAction, FormErrors, TextField};

/// Fields that show their own error.
pub const FIELDS: &[&str] = &[
    "name",
    "source.url",
    "source.headers",
    "source.sign_in_client",
];

/// Adds a server.
#[component]
pub fn NewServerPage() -> impl IntoView {
    view! {
        <LoadedPage
            title="Add server"
            section="Tools"
            action=Action::ManageTools
            data=use_visit()
            view=|_| view! { <NewServer /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn NewServer() -> impl IntoView {
    let action = FormAction::<AddToolServer>::new();
    let errors = action.errors();
    view! {
        <Page title="Add server" section="Tools" href="/tools">
            <div class="page">
                <h1 class="page-title mb-5">"Add a tool server"</h1>
                <FieldsForm action=action fields=FIELDS button="Add server" back="/tools">
                    <ServerFields name=String::new() url=String::new() errors />
                    <HeaderRows stored=Vec::new() errors />
                    <SignInClientFields id=String::new() errors />
                </FieldsForm>
            </div>
        </Page>
    }
    .into_any()
}

/// The name of a server.
#[component]
pub(super) fn NameField(
    /// The name so far.
    value: String,
    /// An example.
    placeholder: &'static str,
    /// What was wrong with the form.
    errors: FormErrors,
) -> impl IntoView {
    view! {
        <TextField
            id="name"
            label="Name"
            class="font-mono"
            value=value
            placeholder=placeholder
            hint="Small letters, digits, - and _; it stands in front of each tool’s name."
            required=true
            errors
        />
    }
    .into_any()
}

/// Name and address.
#[component]
pub fn ServerFields(
    /// The name so far.
    name: String,
    /// The address so far.
    url: String,
    /// What was wrong with the form.
    errors: FormErrors,
) -> impl IntoView {
    view! {
        <NameField value=name placeholder="github" errors />
        <TextField
            id="url"
            label="URL"
            kind="url"
            value=url
            placeholder="https://tools.example.com/mcp"
            hint="Its Streamable HTTP endpoint."
            required=true
            field="source.url"
            errors
        />
    }
    .into_any()
}

/// The client that somebody registered by hand at the server's sign-in; seldom needed, so folded.
#[component]
pub fn SignInClientFields(
    /// Its id so far.
    id: String,
    /// What was wrong with the form.
    errors: FormErrors,
) -> impl IntoView {
    let error = errors.field("source.sign_in_client");
    let is_open = !id.is_empty() || error.get_untracked().is_some();
    view! {
        <details open=is_open>
            <summary class="link w-fit cursor-pointer">"Sign-in with a client of your own"</summary>
            <div class="grid gap-4 pt-4">
                <TextField
                    id="client_id"
                    name="client[id]"
                    label="Client ID"
                    value=id
                    hint="Only for a sign-in at which this platform cannot register itself."
                    field="source.sign_in_client"
                    errors
                />
                <TextField
                    id="client_secret"
                    name="client[secret]"
                    label="Client secret"
                    kind="password"
                    errors
                />
            </div>
        </details>
    }
    .into_any()
}
