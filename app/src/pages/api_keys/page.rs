//! One's own API keys.

use domain::Action;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::layout::{Loaded, load_page};
use crate::pages::api_keys::scopes::scope_fields;
use crate::pages::api_keys::server::{CreateApiKey, DeleteApiKey, ListApiKeys};
use crate::pages::settings::{Entry, Listing, Rows, entry_row};
use crate::ui::{
    DeleteDialog, DialogButton, FieldsForm, FormAction, FormAlert, Icon, NeedsScript, Section,
    SelectField, ShownOnce, SkeletonRows, TextField, reset_form, when_done,
};

/// Days and words of the choice.
const EXPIRIES: [(&str, &str); 4] = [
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
    ("0", "Never"),
];

/// The API keys page of the settings.
pub fn api_keys(action: Action) -> AnyView {
    let data = load_page(|after| ListApiKeys { after });
    let refresh = Callback::new(move |()| data.refetch());
    let create = FormAction::<CreateApiKey>::new();
    when_done(create.has_succeeded(), move || {
        reset_form("name");
        refresh.run(());
    });
    // Where the dialog that deletes is a plain form, its error comes back with the page.
    let refused = FormAction::<DeleteApiKey>::new();
    let view = move |listing| list(listing, create, refresh);
    view! {
        <FormAlert errors=refused.errors() fields=&[] />
        <Loaded data action fallback=|| view! { <SkeletonRows /> }.into_any() view />
    }
    .into_any()
}

fn list(listing: Listing, create: FormAction<CreateApiKey>, refresh: Callback<()>) -> AnyView {
    let rows = listing
        .entries
        .into_iter()
        .map(|entry| row(entry, refresh))
        .collect();
    view! {
        <Rows
            label="API keys"
            rows
            empty=("key-round", "No API keys", "A program needs one to use the REST API.")
            path="/settings/api-keys"
            next=listing.next
        />
        <div class="mt-8">
            <Section title="New key">
                <NeedsScript text="A new key is shown once, which needs JavaScript. Turn it on for this page, or make a key with one that you have: POST /api/v1/api-keys." />
                <div class="needs-script grid gap-4">
                    {form(create)}
                    <ShownOnce
                        id="new-key"
                        label="The new key"
                        text="Copy the key now: it will not be shown again. Programs send it as “Authorization: Bearer …”."
                        value=create.value()
                    />
                </div>
            </Section>
        </div>
    }
    .into_any()
}

fn form(create: FormAction<CreateApiKey>) -> AnyView {
    let errors = create.errors();
    let option = |(days, label): (&'static str, &'static str)| {
        view! {
            <option value=days selected=days == "90">
                {label}
            </option>
        }
        .into_any()
    };
    view! {
        <FieldsForm action=create fields=&["name", "expires_at"] button="Create key">
            <div class="grid gap-4 sm:grid-cols-[minmax(0,1fr)_10rem]">
                <TextField
                    id="name"
                    label="Name"
                    hint="What the key is for, such as “ci-pipeline”."
                    required=true
                    errors
                />
                <SelectField id="days" label="Expires" errors field="expires_at">
                    {EXPIRIES.into_iter().map(option).collect::<Vec<_>>()}
                </SelectField>
            </div>
            {scope_fields()}
        </FieldsForm>
    }
    .into_any()
}

fn row(entry: Entry, refresh: Callback<()>) -> AnyView {
    let Entry { id, title, .. } = entry.clone();
    let mark = view! {
        <span class="tile" aria-hidden="true">
            <Icon name="key-round" />
        </span>
    }
    .into_any();
    let dialog = format!("delete-{id}");
    let question = format!("Delete {title}?");
    let end = view! {
        <DialogButton dialog=dialog.clone() class="btn btn-ghost btn-sm">
            "Delete"
            <span class="sr-only">" " {title}</span>
        </DialogButton>
        <DeleteDialog
            id=dialog
            title=question
            text="Programs that use this key are refused at once."
            button="Delete key"
            action=DeleteApiKey::url()
            thing=id
            done=refresh
        />
    }
    .into_any();
    entry_row(mark.into_any(), entry, end.into_any())
}
