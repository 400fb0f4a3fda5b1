//! Editing a connection.

use domain::models::{ConnectionKind, ModelConnection};
use domain::{Action, ConnectionId};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::layout::{LoadedPage, Page, PageHead, load_by_id};
use crate::pages::models::connection_row::tested;
use crate::pages::models::form::{BaseUrlField, KeyField, TYPED_KEY};
use crate::pages::models::server::{DeleteConnection, GetConnection, UpdateConnection};
use crate::ui::{DeleteDialog, DialogButton, FieldsForm, FormAction, Icon, TextField};

const DELETE: &str = "delete-connection";

/// Edits a connection.
#[component]
pub fn ConnectionPage() -> impl IntoView {
    let connection = load_by_id(|id: ConnectionId| GetConnection { id });
    view! {
        <LoadedPage
            title="Connection"
            section="Models"
            action=Action::ManageModels
            data=connection
            view=|connection| view! { <EditConnection connection /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn EditConnection(connection: ModelConnection) -> impl IntoView {
    let action = FormAction::<UpdateConnection>::new();
    let errors = action.errors();
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
                <PageHead title=name.clone() lead=kind.label()>
                    <DialogButton dialog=DELETE class="btn btn-danger-quiet">
                        <Icon name="trash-2" />
                        " Delete"
                    </DialogButton>
                </PageHead>
                <FieldsForm
                    action=action
                    fields=&["name", "base_url", "api_key"]
                    button="Save"
                    back="/models"
                    test="Test"
                >
                    <input type="hidden" name="id" value=id.to_string() />
                    <TextField id="name" label="Name" value=name.clone() required=true errors />
                    {remote}
                    {tested(action.value())}
                </FieldsForm>
                {dialog}
            </div>
        </Page>
    }
}
