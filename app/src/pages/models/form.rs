//! Adding a connection.

use domain::Action;
use domain::models::{ConnectionKind, Provider};
use leptos::prelude::*;

use crate::layout::{LoadedPage, Page, PageHead, load_by_query};
use crate::pages::models::connection_row::tested;
use crate::pages::models::picker::Picker;
use crate::pages::models::server::{CreateConnection, GetChoice};
use crate::ui::{FieldsForm, FormAction, FormErrors, SecretField, SelectField, TextField};

pub(super) const TYPED_KEY: &str = "Encrypted before it is stored; never shown again.";
const FIELDS: &[&str] = &["name", "kind", "base_url", "api_key"];

/// Adds a connection: first the provider, then the rest.
#[component]
pub fn NewConnectionPage() -> impl IntoView {
    let choice = load_by_query(|query| GetChoice {
        provider: query.get("provider").unwrap_or_default(),
        wanted: query.get("q").unwrap_or_default(),
    });
    view! {
        <LoadedPage
            title="Add connection"
            section="Models"
            action=Action::ManageModels
            data=choice
            view=|choice| match choice.chosen {
                Some(chosen) => view! { <NewConnection provider=chosen.provider /> }.into_any(),
                None => {
                    view! { <Picker providers=choice.providers wanted=choice.wanted /> }.into_any()
                }
            }
        />
    }
    .into_any()
}

/// The form; without a provider it asks for the kind, too.
#[component]
fn NewConnection(provider: Option<Provider>) -> impl IntoView {
    let action = FormAction::<CreateConnection>::new();
    let errors = action.errors();
    let (title, lead, fields) = match provider {
        Some(provider) => (
            format!("Connect to {}", provider.name),
            provider.summary.clone(),
            view! { <ProviderFields provider errors /> }.into_any(),
        ),
        None => (
            "Add connection".to_owned(),
            "Any server that speaks one of these ways.".to_owned(),
            view! { <CustomFields errors /> }.into_any(),
        ),
    };
    view! {
        <Page title=title.clone() section="Models" href="/models">
            <div class="page">
                <PageHead title=title.clone() lead />
                <FieldsForm
                    action=action
                    fields=FIELDS
                    button="Add connection"
                    back="/models/new"
                    back_label="Back"
                    test="Test"
                >
                    {fields}
                    {tested(action.value())}
                </FieldsForm>
            </div>
        </Page>
    }
    .into_any()
}

#[component]
fn ProviderFields(provider: Provider, errors: FormErrors) -> impl IntoView {
    let Provider {
        name,
        kind,
        base_url,
        key_url,
        docs_url,
        ..
    } = provider;
    let links = [
        key_url.clone().map(|url| ("Where to get a key", url)),
        Some(("Documentation", docs_url)),
    ];
    let links = links
        .into_iter()
        .flatten()
        .map(|(label, url)| {
            view! {
                <a class="link" href=url target="_blank" rel="noopener noreferrer">
                    {label}
                </a>
            }
            .into_any()
        })
        .collect::<Vec<_>>();
    view! {
        <input type="hidden" name="kind" value=kind.as_str() />
        <TextField
            id="name"
            label="Name"
            value=name
            hint="Agents refer to it by this name."
            required=true
            errors
        />
        <KeyField hint=TYPED_KEY errors />
        <BaseUrlField value=base_url errors />
        <p class="flex flex-wrap gap-4 text-xs">{links}</p>
    }
    .into_any()
}

#[component]
fn CustomFields(errors: FormErrors) -> impl IntoView {
    let kind = RwSignal::new(ConnectionKind::ALL[0].as_str().to_owned());
    let has_address = move || kind.with(|kind| kind != ConnectionKind::Local.as_str());
    let option = |kind: ConnectionKind| {
        view! { <option value=kind.as_str()>{kind.label()}</option> }.into_any()
    };
    view! {
        <TextField
            id="name"
            label="Name"
            hint="Agents refer to it by this name."
            required=true
            errors
        />
        <SelectField id="kind" label="Kind" chosen=kind errors>
            {Vec::from(ConnectionKind::ALL.map(option))}
        </SelectField>
        <div class="grid gap-4" class:hidden=move || !has_address()>
            <BaseUrlField value=String::new() errors />
            <KeyField hint=TYPED_KEY errors />
        </div>
    }
    .into_any()
}

/// Address of the server.
#[component]
pub(super) fn BaseUrlField(value: String, errors: FormErrors) -> impl IntoView {
    view! {
        <TextField
            id="base_url"
            label="Base URL"
            kind="url"
            value=value
            placeholder="https://llm.example.com/v1"
            hint="What the provider’s documentation calls so, usually ending in /v1 for OpenAI-compatible servers."
            errors
        />
    }
}

/// Key to send.
#[component]
pub(super) fn KeyField(hint: &'static str, errors: FormErrors) -> impl IntoView {
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
