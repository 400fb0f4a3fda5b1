//! Adding and editing a connection.

use domain::models::{ConnectionKind, ModelConnection};
use domain::{Action, ConnectionId};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::layout::{Loaded, Page, PageSkeleton, load_by_id, use_visit};
use crate::pages::models::server::{
    CreateConnection, DeleteConnection, GetConnection, UpdateConnection,
};
use crate::ui::{
    ActionForm, DeleteDialog, DialogButton, FormAction, FormAlert, FormErrors, Icon, SecretField,
    SelectField, SubmitButton, TextField, focus_first_error,
};

const DELETE: &str = "delete-connection";
const TYPED_KEY: &str = "Encrypted before it is stored; never shown again.";

/// Adds a connection.
#[component]
pub fn NewConnectionPage() -> impl IntoView {
    view! {
        <Loaded
            section="Models"
            action=Action::ManageModels
            data=use_visit()
            fallback=skeleton
            view=|_| view! { <NewConnection /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn NewConnection() -> impl IntoView {
    let action = FormAction::<CreateConnection>::new();
    let errors = action.errors();
    let form = NodeRef::<html::Div>::new();
    focus_first_error(form, errors);
    let kind = RwSignal::new(ConnectionKind::ALL[0].as_str().to_owned());
    let has_address = move || kind.with(|kind| kind != ConnectionKind::Local.as_str());
    let option = |kind: ConnectionKind| {
        view! { <option value=kind.as_str()>{kind.label()}</option> }.into_any()
    };
    view! {
        <Page title="Add connection" section="Models" href="/models">
            <div class="page">
                <h1 class="page-title mb-5">"Add connection"</h1>
                <ActionForm action=action>
                    <div class="grid gap-4 max-w-(--container-form)" node_ref=form>
                        <FormAlert errors fields=&["name", "kind", "base_url", "api_key"] />
                        <TextField
                            id="name"
                            label="Name"
                            hint="Agents refer to it by this name."
                            required=true
                            errors
                        />
                        <SelectField
                            id="kind"
                            label="Kind"
                            chosen=kind
                            errors
                        >
                            {Vec::from(ConnectionKind::ALL.map(option))}
                        </SelectField>
                        <div class="grid gap-4" class:hidden=move || !has_address()>
                            <BaseUrlField value=String::new() errors />
                            <KeyField hint=TYPED_KEY errors />
                        </div>
                        <div class="toolbar">
                            <SubmitButton is_busy=action.pending()>"Add connection"</SubmitButton>
                            <a class="btn btn-ghost" href="/models">
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

/// Edits a connection.
#[component]
pub fn ConnectionPage() -> impl IntoView {
    let connection = load_by_id(|id: ConnectionId| GetConnection { id });
    view! {
        <Loaded
            section="Models"
            action=Action::ManageModels
            data=connection
            fallback=skeleton
            view=|connection| view! { <EditConnection connection /> }.into_any()
        />
    }
    .into_any()
}

fn skeleton() -> impl IntoView {
    view! { <PageSkeleton title="Connection" section="Models" /> }
}

#[component]
fn EditConnection(connection: ModelConnection) -> impl IntoView {
    let action = FormAction::<UpdateConnection>::new();
    let errors = action.errors();
    let form = NodeRef::<html::Div>::new();
    focus_first_error(form, errors);
    let ModelConnection {
        id,
        name,
        kind,
        base_url,
        has_api_key,
        ..
    } = connection;
    let dialog = view! {
        <DeleteDialog
            id=DELETE
            title=format!("Delete {name}?")
            text="Its key is deleted too. A connection that an agent uses cannot be deleted."
            button="Delete connection"
            action=DeleteConnection::url()
            thing=id.to_string()
        />
    }
    .into_any();
    let remote = (kind != ConnectionKind::Local).then(|| {
        let hint = if has_api_key {
            "A key is stored. Leave this empty to keep it."
        } else {
            TYPED_KEY
        };
        view! {
            <BaseUrlField value=base_url.unwrap_or_default() errors />
            <KeyField hint errors />
            {has_api_key
                .then(|| {
                    view! {
                        <label class="check">
                            <input class="checkbox" type="checkbox" name="remove_key" value="true" />
                            "Remove the stored key"
                        </label>
                    }.into_any()
                })}
        }.into_any()
    });
    view! {
        <Page title=name.clone() section="Models" href="/models">
            <div class="page">
                <header class="page-head">
                    <div class="grow min-w-0 basis-72">
                        <h1 class="page-title">{name.clone()}</h1>
                        <p class="page-lead">{kind.label()}</p>
                    </div>
                    <DialogButton dialog=DELETE class="btn btn-danger-quiet">
                        <Icon name="trash-2" />
                        " Delete"
                    </DialogButton>
                </header>
                <ActionForm action=action>
                    <input type="hidden" name="id" value=id.to_string() />
                    <div class="grid gap-4 max-w-(--container-form)" node_ref=form>
                        <FormAlert errors fields=&["name", "base_url", "api_key"] />
                        <TextField
                            id="name"
                            label="Name"
                            value=name.clone()
                            required=true
                            errors
                        />
                        {remote}
                        <div class="toolbar">
                            <SubmitButton is_busy=action.pending()>"Save"</SubmitButton>
                            <a class="btn btn-ghost" href="/models">
                                "Cancel"
                            </a>
                        </div>
                    </div>
                </ActionForm>
                {dialog}
            </div>
        </Page>
    }
}

#[component]
fn BaseUrlField(value: String, errors: FormErrors) -> impl IntoView {
    view! {
        <TextField
            id="base_url"
            label="Base URL"
            kind="url"
            value=value
            placeholder="https://llm.example.com/v1"
            hint="/chat/completions is appended. OpenAI and Ollama have a default."
            errors
        />
    }
}

#[component]
fn KeyField(hint: &'static str, errors: FormErrors) -> impl IntoView {
    view! {
        <SecretField
            id="api_key"
            label="API key"
            note="Optional"
            hint
            autocomplete="off"
            errors
        />
    }
    .into_any()
}
