//! The models that stand in for the agent's own.

use domain::agents::MAX_FALLBACKS;
use domain::models::ModelConnection;
use leptos::prelude::*;

use crate::pages::agents::fallback_rows::FallbackRow;
use crate::pages::agents::fields::ModelNames;
use crate::ui::{FormErrors, Section, SelectField, TextField};

/// Names of one row.
struct Names {
    connection_id: &'static str,
    connection_name: &'static str,
    connection_label: &'static str,
    connection_field: &'static str,
    model_id: &'static str,
    model_name: &'static str,
    model_label: &'static str,
    model_field: &'static str,
    list: &'static str,
}

macro_rules! names {
    ($index:literal, $label:literal) => {
        Names {
            connection_id: concat!("fallback_connection_", $index),
            connection_name: concat!("input[fallbacks][", $index, "][connection_id]"),
            connection_label: concat!($label, " connection"),
            connection_field: concat!("fallbacks[", $index, "].connection_id"),
            model_id: concat!("fallback_model_", $index),
            model_name: concat!("input[fallbacks][", $index, "][model]"),
            model_label: concat!($label, " model"),
            model_field: concat!("fallbacks[", $index, "].name"),
            list: concat!("fallback-models-", $index),
        }
    };
}

/// A row for each fallback that an agent can have.
const ROWS: [Names; MAX_FALLBACKS] = [
    names!("0", "First fallback"),
    names!("1", "Second fallback"),
    names!("2", "Third fallback"),
    names!("3", "Fourth fallback"),
    names!("4", "Fifth fallback"),
];

/// The choice of fallbacks. The rows in use are shown, and one more; the rest waits below.
#[component]
pub fn FallbackSection(
    /// What is chosen.
    chosen: Vec<FallbackRow>,
    /// Connections to choose from.
    connections: Vec<ModelConnection>,
    /// What was wrong with the last try.
    errors: FormErrors,
) -> impl IntoView {
    let shown = (chosen.len() + usize::from(chosen.is_empty())).min(MAX_FALLBACKS);
    let mut rows: Vec<AnyView> = ROWS
        .iter()
        .enumerate()
        .map(|(index, names)| {
            let start = chosen.get(index).cloned().unwrap_or_default();
            row(names, start, &connections, errors)
        })
        .collect();
    let more = rows.split_off(shown);
    let more = (!more.is_empty()).then(|| {
        view! {
            <details>
                <summary class="link w-fit cursor-pointer">"More fallbacks"</summary>
                <div class="grid gap-4 pt-4">{more}</div>
            </details>
        }
        .into_any()
    });
    view! {
        <Section
            title="Fallbacks"
            lead="Answer, in this order, when the model above fails or is not up to the request. The conversation says so."
        >
            {rows}
            {more}
        </Section>
    }
    .into_any()
}

fn row(
    names: &Names,
    start: FallbackRow,
    connections: &[ModelConnection],
    errors: FormErrors,
) -> AnyView {
    let chosen = RwSignal::new(start.connection_id.clone());
    let none = view! { <option value="">"None"</option> }.into_any();
    let options = connections.iter().map(|connection| {
        let value = connection.id.to_string();
        let selected = value == start.connection_id;
        view! {
            <option value=value selected=selected>
                {connection.name.clone()}
            </option>
        }
        .into_any()
    });
    let options: Vec<AnyView> = std::iter::once(none).chain(options).collect();
    view! {
        <div class="grid gap-4 sm:grid-cols-2">
            <SelectField
                id=names.connection_id
                name=names.connection_name
                label=names.connection_label
                chosen=chosen
                field=names.connection_field
                errors
            >
                {options}
            </SelectField>
            <TextField
                id=names.model_id
                name=names.model_name
                label=names.model_label
                list=names.list
                value=start.model
                field=names.model_field
                errors
            />
            <ModelNames id=names.list chosen />
        </div>
    }
    .into_any()
}
