//! What can be done with a conversation: rename, delete.

use domain::ConversationId;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::pages::conversations::server::{DeleteConversation, RenameConversation};
use crate::ui::{
    ActionForm, DeleteDialog, Dialog, DialogButton, FormAction, FormAlert, Icon, Menu,
    SubmitButton, TextField, close_dialog, on_change,
};

const RENAME: &str = "rename-conversation";
const DELETE: &str = "delete-conversation";

/// The menu of a conversation with its dialogs.
#[component]
pub fn ConversationMenu(
    /// The conversation.
    id: ConversationId,
    /// Its title, changed by renaming.
    title: RwSignal<String>,
    /// Called when the list beside it is out of date.
    refresh_list: Callback<()>,
) -> impl IntoView {
    view! {
        <Menu label="More: rename, delete" trigger=|| view! { <Icon name="ellipsis" /> }.into_any()>
            <DialogButton dialog=RENAME class="menu-item">
                <Icon name="pencil" />
                "Rename…"
            </DialogButton>
            <div class="menu-line"></div>
            <DialogButton dialog=DELETE class="menu-item is-danger">
                <Icon name="trash-2" />
                "Delete…"
            </DialogButton>
        </Menu>
        <RenameDialog id title refresh_list />
        <DeleteDialog
            id=DELETE
            title="Delete this conversation?"
            text="Its messages and runs are deleted for everybody. A running answer is stopped."
            button="Delete conversation"
            action=DeleteConversation::url()
            thing=id.to_string()
        />
    }
}

#[component]
fn RenameDialog(
    id: ConversationId,
    title: RwSignal<String>,
    refresh_list: Callback<()>,
) -> impl IntoView {
    let action = FormAction::<RenameConversation>::new();
    let errors = action.errors();
    on_change(move || {
        if let Some(Ok(renamed)) = action.value().get() {
            title.set(renamed);
            refresh_list.run(());
            close_dialog(RENAME);
        }
    });
    view! {
        <Dialog id=RENAME title="Rename conversation">
            <ActionForm action=action>
                <input type="hidden" name="id" value=id.to_string() />
                <div class="dialog-body grid gap-3">
                    <FormAlert errors fields=&["title"] />
                    <TextField
                        id="title"
                        label="Title"
                        value=title.get_untracked()
                        required=true
                        errors
                    />
                </div>
                <div class="dialog-foot">
                    <button
                        class="btn btn-secondary"
                        type="button"
                        commandfor=RENAME
                        command="close"
                        on:click=move |_| close_dialog(RENAME)
                    >
                        "Cancel"
                    </button>
                    <SubmitButton is_busy=action.pending()>"Rename"</SubmitButton>
                </div>
            </ActionForm>
        </Dialog>
    }
}
