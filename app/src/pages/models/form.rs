//! Adding and editing a connection.

use domain::ConnectionId;
use domain::models::{ConnectionKind, ModelConnection};
use leptos::html;
use leptos::prelude::*;

use crate::layout::{Loaded, Page, load_by_id};
use crate::pages::models::server::{
    CreateConnection, DeleteConnection, GetConnection, UpdateConnection,
};
use crate::ui::{
    ActionForm, Dialog, DialogButton, FormAction, FormAlert, FormErrors, Icon, SecretField,
    SelectField, SkeletonRows, SubmitButton, TextField, focus_first_error,
};

/// Adds a connection.
#[component]
pub fn NewConnectionPage() -> impl IntoView {
    let action = FormAction::<CreateConnection>::new();
    let errors = action.errors();
    let form = NodeRef::<html::Div>::new();
    focus_first_error(form, errors);
    let kind = RwSignal::new(ConnectionKind::ALL[0].as_str().to_owned());
    let has_address = move || kind.with(|kind| kind != ConnectionKind::Local.as_str());
    let option = |kind: ConnectionKind| {
        view! { <option value=kind.as_str()>{kind.label()}</option> }
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
                            name="name"
                            label="Name"
                            hint="Agents refer to it by this name."
                            required=true
                            error=errors.field("name")
                        />
                        <SelectField
                            id="kind"
                            name="kind"
                            label="Kind"
                            chosen=kind
                            error=errors.field("kind")
                        >
                            {ConnectionKind::ALL.map(option).collect_view()}
                        </SelectField>
                        <div class="grid gap-4" class:hidden=move || !has_address()>
                            <BaseUrlField value=String::new() errors />
                            <SecretField
                                id="api_key"
                                name="api_key"
                                label="API key"
                                note="Optional"
                                hint="Encrypted before it is stored; never shown again."
                                autocomplete="off"
                                error=errors.field("api_key")
                            />
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
            data=connection
            fallback=|| {
                view! {
                    <Page title="Connection" section="Models">
                        <div class="page">
                            <SkeletonRows />
                        </div>
                    </Page>
                }
            }
            view=|connection| view! { <EditConnection connection /> }.into_any()
        />
    }
    .into_any()
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
    let dialog = view! { <DeleteDialog id name=name.clone() /> };
    let remote = (kind != ConnectionKind::Local).then(|| {
        let key_hint = if has_api_key {
            "A key is stored. Leave this empty to keep it."
        } else {
            "Encrypted before it is stored; never shown again."
        };
        view! {
            <BaseUrlField value=base_url.unwrap_or_default() errors />
            <SecretField
                id="api_key"
                name="api_key"
                label="API key"
                note="Optional"
                hint=key_hint
                autocomplete="off"
                error=errors.field("api_key")
            />
            {has_api_key
                .then(|| {
                    view! {
                        <label class="check">
                            <input class="checkbox" type="checkbox" name="remove_key" value="true" />
                            "Remove the stored key"
                        </label>
                    }
                })}
        }
    });
    view! {
        <Page title=name.clone() section="Models" href="/models">
            <div class="page">
                <header class="page-head">
                    <div class="grow min-w-0 basis-72">
                        <h1 class="page-title">{name.clone()}</h1>
                        <p class="page-lead">{kind.label()}</p>
                    </div>
                    <DialogButton dialog="delete-connection" class="btn btn-danger-quiet">
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
                            name="name"
                            label="Name"
                            value=name.clone()
                            required=true
                            error=errors.field("name")
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
            name="base_url"
            label="Base URL"
            kind="url"
            value=value
            placeholder="https://llm.example.com/v1"
            hint="/chat/completions is appended. OpenAI and Ollama have a default."
            error=errors.field("base_url")
        />
    }
}

#[component]
fn DeleteDialog(id: ConnectionId, name: String) -> impl IntoView {
    let action = FormAction::<DeleteConnection>::new();
    let errors = action.errors();
    view! {
        <Dialog id="delete-connection" title=format!("Delete {name}?")>
            <div class="dialog-body grid gap-3">
                <p>"Its key is deleted too. A connection that an agent uses cannot be deleted."</p>
                <FormAlert errors fields=&[] />
            </div>
            <div class="dialog-foot">
                <form method="dialog">
                    <button class="btn btn-secondary" autofocus>
                        "Keep it"
                    </button>
                </form>
                <ActionForm action=action>
                    <input type="hidden" name="id" value=id.to_string() />
                    <SubmitButton class="btn btn-danger" is_busy=action.pending()>
                        "Delete connection"
                    </SubmitButton>
                </ActionForm>
            </div>
        </Dialog>
    }
}
