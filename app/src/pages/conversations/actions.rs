//! What can be done with a conversation: rename, pin, export, delete.

use domain::ConversationId;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::pages::conversations::server::{
    DeleteConversation, PinConversation, RenameConversation,
};
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
    /// Whether it stands above the others.
    is_pinned: bool,
    /// Called when the list beside it is out of date.
    refresh_list: Callback<()>,
) -> impl IntoView {
    let export = move |format: &'static str, words: &'static str| {
        view! {
            <a
                class="menu-item"
                href=format!("/api/v1/conversations/{id}/export?format={format}")
                download
                rel="external"
            >
                <Icon name="download" />
                {words}
            </a>
        }
        .into_any()
    };
    let show_title = Callback::new(move |()| {
        let field = document().get_element_by_id("title");
        if let Some(field) = field.and_then(|it| it.dyn_into::<HtmlInputElement>().ok()) {
            field.set_value(&title.get_untracked());
        }
    });
    view! {
        <Menu label="More: rename, pin, files, export, delete" trigger=|| view! { <Icon name="ellipsis" /> }.into_any()>
            <DialogButton dialog=RENAME class="menu-item" before=show_title>
                <Icon name="pencil" />
                "Rename…"
            </DialogButton>
            <PinForm id is_pinned refresh_list />
            <a class="menu-item" href=format!("/conversations/{id}/files")>
                <Icon name="file-text" />
                "Files"
            </a>
            {export("markdown", "Export as Markdown")}
            {export("json", "Export as JSON")}
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
fn PinForm(id: ConversationId, is_pinned: bool, refresh_list: Callback<()>) -> impl IntoView {
    let action = FormAction::<PinConversation>::new();
    let is_pinned = RwSignal::new(is_pinned);
    on_change(move || {
        if let Some(Ok(pinned)) = action.value().get() {
            is_pinned.set(pinned);
            refresh_list.run(());
        }
    });
    view! {
        <ActionForm action=action>
            <input type="hidden" name="id" value=id.to_string() />
            <input
                type="hidden"
                name="is_pinned"
                value=move || if is_pinned.get() { "false" } else { "true" }
            />
            <button class="menu-item">
                <Icon name="pin" />
                {move || if is_pinned.get() { "Unpin" } else { "Pin" }}
            </button>
        </ActionForm>
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
