//! The model that stands in for the agent's own.

use domain::models::ModelConnection;
use leptos::prelude::*;

use crate::pages::agents::fields::ModelNames;
use crate::pages::agents::form::AgentForm;
use crate::ui::{FormErrors, Section, SelectField, TextField};

/// The choice of a fallback.
#[component]
pub fn FallbackSection(
    /// What it shows at first.
    form: AgentForm,
    /// Connections to choose from.
    connections: Vec<ModelConnection>,
    /// What was wrong with the last try.
    errors: FormErrors,
) -> impl IntoView {
    let start = form.fallback_connection_id;
    let chosen = RwSignal::new(start.clone());
    let none = view! { <option value="">"None"</option> }.into_any();
    let options = connections.into_iter().map(|connection| {
        let value = connection.id.to_string();
        let selected = value == start;
        view! {
            <option value=value selected=selected>
                {connection.name}
            </option>
        }
        .into_any()
    });
    let options: Vec<AnyView> = std::iter::once(none).chain(options).collect();
    view! {
        <Section
            title="Fallback"
            lead="Answers when the model above fails or is not up to the request. The conversation says so."
        >
            <div class="grid gap-4 sm:grid-cols-2">
                <SelectField
                    id="fallback_connection_id"
                    name="input[fallback_connection_id]"
                    label="Fallback connection"
                    chosen=chosen
                    field="fallbacks[0].connection_id"
                    errors
                >
                    {options}
                </SelectField>
                <TextField
                    id="fallback_model"
                    name="input[fallback_model]"
                    label="Fallback model"
                    list="fallback-models"
                    value=form.fallback_model
                    field="fallbacks[0].name"
                    errors
                />
            </div>
            <ModelNames id="fallback-models" chosen />
        </Section>
    }
    .into_any()
}
