//! Price and abilities of one model.

use domain::Action;
use domain::models::Model;
use leptos::prelude::*;

use crate::layout::{LoadedPage, Page, PageHead, load_by_query};
use crate::pages::models::model_form::ModelForm;
use crate::pages::models::server::{GetModel, ResetModel, SaveModel};
use crate::ui::{
    ActionForm, FieldsForm, FormAction, FormErrors, Section, SelectField, SubmitButton, TextField,
};

const FIELDS: &[&str] = &[
    "price.input_usd_micros",
    "price.output_usd_micros",
    "price.cached_input_usd_micros",
    "price.cache_write_usd_micros",
    "context_window",
    "max_output_tokens",
];

/// Edits a model.
#[component]
pub fn ModelPage() -> impl IntoView {
    let model = load_by_query(|query| GetModel {
        id: query.get("id").unwrap_or_default(),
    });
    view! {
        <LoadedPage
            title="Model"
            section="Models"
            action=Action::ManageModels
            data=model
            view=|model| view! { <EditModel model /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn EditModel(model: Model) -> impl IntoView {
    let action = FormAction::<SaveModel>::new();
    let reset = FormAction::<ResetModel>::new();
    let errors = action.errors();
    let form = ModelForm::of(&model);
    let Model {
        id,
        name,
        is_edited,
        ..
    } = model;
    let edited = id.clone();
    let back = is_edited.then(|| {
        view! {
            <ActionForm action=reset>
                <input type="hidden" name="id" value=edited />
                <SubmitButton class="btn btn-secondary" is_busy=reset.pending()>
                    "Back to the catalog’s values"
                </SubmitButton>
            </ActionForm>
        }
        .into_any()
    });
    view! {
        <Page title=name.clone() section="Models" href="/models">
            <div class="page">
                <PageHead
                    title=name.clone()
                    lead="Costs, budgets and the choice of a fallback go by these values."
                >
                    {back}
                </PageHead>
                <FieldsForm action=action fields=FIELDS button="Save" back="/models">
                    <input type="hidden" name="id" value=id />
                    <div>
                        <Prices form=form.clone() errors />
                        <Abilities form errors />
                    </div>
                </FieldsForm>
            </div>
        </Page>
    }
    .into_any()
}

#[component]
fn Prices(form: ModelForm, errors: FormErrors) -> impl IntoView {
    view! {
        <Section title="Price" lead="Dollars for a million tokens. Empty: nobody knows.">
            <div class="grid gap-4 sm:grid-cols-2">
                <NumberField
                    id="input_price"
                    name="input[input_price]"
                    label="Reading"
                    affix="$ per M"
                    value=form.input_price
                    field="price.input_usd_micros"
                    errors
                />
                <NumberField
                    id="output_price"
                    name="input[output_price]"
                    label="Writing"
                    affix="$ per M"
                    value=form.output_price
                    field="price.output_usd_micros"
                    errors
                />
                <NumberField
                    id="cached_price"
                    name="input[cached_price]"
                    label="Reading from the cache"
                    note="Optional"
                    affix="$ per M"
                    value=form.cached_price
                    field="price.cached_input_usd_micros"
                    errors
                />
                <NumberField
                    id="cache_write_price"
                    name="input[cache_write_price]"
                    label="Writing to the cache"
                    note="Optional"
                    affix="$ per M"
                    value=form.cache_write_price
                    field="price.cache_write_usd_micros"
                    errors
                />
            </div>
        </Section>
    }
    .into_any()
}

/// A number with its unit; may be empty.
#[component]
fn NumberField(
    id: &'static str,
    name: &'static str,
    label: &'static str,
    #[prop(optional)] note: &'static str,
    affix: &'static str,
    value: String,
    field: &'static str,
    errors: FormErrors,
) -> impl IntoView {
    view! {
        <TextField
            id
            name
            label
            note
            class="tabular-nums"
            inputmode="decimal"
            affix
            value
            field
            errors
        />
    }
    .into_any()
}

#[component]
fn Abilities(form: ModelForm, errors: FormErrors) -> impl IntoView {
    view! {
        <Section title="Limits and abilities" lead="Empty leaves it to the provider or the catalog.">
            <div class="grid gap-4 sm:grid-cols-2">
                <NumberField
                    id="context_window"
                    name="input[context_window]"
                    label="Context window"
                    affix="tokens"
                    value=form.context_window
                    field="context_window"
                    errors
                />
                <NumberField
                    id="max_output_tokens"
                    name="input[max_output_tokens]"
                    label="Longest answer"
                    affix="tokens"
                    value=form.max_output_tokens
                    field="max_output_tokens"
                    errors
                />
                <SelectField
                    id="supports_tools"
                    name="input[supports_tools]"
                    label="Calls tools"
                    errors
                >
                    {answers(&form.supports_tools)}
                </SelectField>
                <SelectField
                    id="supports_vision"
                    name="input[supports_vision]"
                    label="Sees images"
                    errors
                >
                    {answers(&form.supports_vision)}
                </SelectField>
                <SelectField
                    id="supports_reasoning"
                    name="input[supports_reasoning]"
                    label="Thinks before it answers"
                    errors
                >
                    {answers(&form.supports_reasoning)}
                </SelectField>
                <SelectField
                    id="supports_json_schema"
                    name="input[supports_json_schema]"
                    label="Keeps to JSON schemas"
                    errors
                >
                    {answers(&form.supports_json_schema)}
                </SelectField>
            </div>
        </Section>
    }
    .into_any()
}

fn answers(chosen: &str) -> Vec<AnyView> {
    [("", "Unknown"), ("yes", "Yes"), ("no", "No")]
        .into_iter()
        .map(|(value, label)| {
            let selected = value == chosen;
            view! {
                <option value=value selected=selected>
                    {label}
                </option>
            }
            .into_any()
        })
        .collect()
}
