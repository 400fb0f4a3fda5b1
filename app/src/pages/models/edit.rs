//! Editing a connection.

use domain::models::{ConnectionKind, ModelConnection};
use domain::{Action, ConnectionId};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::layout::{Loaded, Page, PageSkeleton, load_by_id};
use crate::pages::models::connection_row::outcome;
use crate::pages::models::form::{BaseUrlField, KeyField, TYPED_KEY};
use crate::pages::models::server::{
    DeleteConnection, GetConnection, TestConnection, UpdateConnection,
};
use crate::ui::{
    ActionForm, DeleteDialog, DialogButton, FormAction, FormAlert, Icon, SubmitButton, TextField,
    focus_first_error,
};

const DELETE: &str = "delete-connection";

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
    let test = FormAction::<TestConnection>::new();
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
                    <div class="toolbar">
                        <ActionForm action=test>
                            <input type="hidden" name="id" value=id.to_string() />
                            <SubmitButton class="btn btn-secondary" is_busy=test.pending()>
                                "Test"
                            </SubmitButton>
                        </ActionForm>
                        <DialogButton dialog=DELETE class="btn btn-danger-quiet">
                            <Icon name="trash-2" />
                            " Delete"
                        </DialogButton>
                    </div>
                </header>
                <div class="mb-4 empty:hidden" role="status">
                    {move || test.value().get().map(outcome)}
                </div>
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
