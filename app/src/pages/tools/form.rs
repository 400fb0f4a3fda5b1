//! Adding a tool server by its address.

use domain::Action;
use leptos::html;
use leptos::prelude::*;

use crate::layout::{Loaded, Page, PageSkeleton, use_visit};
use crate::pages::tools::headers::HeaderRows;
use crate::pages::tools::server::AddToolServer;
use crate::ui::{
    ActionForm, FormAction, FormAlert, FormErrors, SubmitButton, TextField, focus_first_error,
};

/// Fields that show their own error.
pub const FIELDS: &[&str] = &["name", "source.url", "source.headers"];

/// Adds a server.
#[component]
pub fn NewServerPage() -> impl IntoView {
    view! {
        <Loaded
            section="Tools"
            action=Action::ManageTools
            data=use_visit()
            fallback=|| view! { <PageSkeleton title="Add server" section="Tools" /> }
            view=|_| view! { <NewServer /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn NewServer() -> impl IntoView {
    let action = FormAction::<AddToolServer>::new();
    let errors = action.errors();
    let form = NodeRef::<html::Div>::new();
    focus_first_error(form, errors);
    view! {
        <Page title="Add server" section="Tools" href="/tools">
            <div class="page">
                <h1 class="page-title mb-5">"Add a tool server"</h1>
                <ActionForm action=action>
                    <div class="grid gap-4 max-w-(--container-form)" node_ref=form>
                        <FormAlert errors fields=FIELDS />
                        <ServerFields name=String::new() url=String::new() errors />
                        <HeaderRows stored=Vec::new() errors />
                        <div class="toolbar">
                            <SubmitButton is_busy=action.pending()>"Add server"</SubmitButton>
                            <a class="btn btn-ghost" href="/tools">
                                "Cancel"
                            </a>
                        </div>
                    </div>
                </ActionForm>
            </div>
        </Page>
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
        <TextField
            id="name"
            label="Name"
            class="font-mono"
            value=name
            placeholder="github"
            hint="Small letters, digits, - and _; it stands in front of each tool’s name."
            required=true
            errors
        />
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
