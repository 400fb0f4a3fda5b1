//! Rows of secret headers.

use leptos::prelude::*;

use crate::ui::{FormErrors, field_note};

/// Rows for headers that are not there yet.
const BLANK_ROWS: usize = 2;

/// A row for each stored header, whose value is never shown, and blank ones.
#[component]
pub fn HeaderRows(
    /// Names of the stored headers.
    stored: Vec<String>,
    /// What was wrong with the form.
    errors: FormErrors,
    /// Whether they are secrets of a container's environment.
    #[prop(optional)]
    is_environment: bool,
) -> impl IntoView {
    let is_new = stored.is_empty();
    let rows = stored.into_iter().map(stored_row).collect::<Vec<_>>();
    let blanks = (0..BLANK_ROWS)
        .map(|index| blank_row(index, is_new && index == 0 && !is_environment))
        .collect::<Vec<_>>();
    let (field, title, hint) = match is_environment {
        false => (
            "source.headers",
            "Headers ",
            "Sent with every request, often Authorization. Encrypted before they are stored; never shown again.",
        ),
        true => (
            "source.secrets",
            "Secrets ",
            "Names and values in the environment of this container alone. Encrypted before they are stored; never shown again.",
        ),
    };
    let error = errors.field(field);
    view! {
        <fieldset class="field">
            <legend class="field-label mb-1.5">{title} <small>"Optional"</small></legend>
            <div class="grid gap-2">{rows} {blanks}</div>
            {field_note(error, hint)}
        </fieldset>
    }
    .into_any()
}

fn stored_row(name: String) -> AnyView {
    let keep = format!("New value of {name}; empty keeps the stored one");
    let remove = format!("Remove {name}");
    view! {
        <div class="grid gap-2 grid-cols-[minmax(0,1fr)_minmax(0,1fr)_auto] sm:grid-cols-[minmax(0,12rem)_minmax(0,1fr)_auto] items-center">
            <input
                class="input font-mono"
                name="header_names[]"
                value=name.clone()
                aria-label="Name"
                readonly
            />
            <input
                class="input"
                type="password"
                name="header_values[]"
                autocomplete="off"
                placeholder="Stored"
                aria-label=keep
            />
            <label class="check">
                <input
                    class="checkbox"
                    type="checkbox"
                    name="removed[]"
                    value=name
                    aria-label=remove
                />
                "Remove"
            </label>
        </div>
    }
    .into_any()
}

fn blank_row(index: usize, is_example: bool) -> AnyView {
    let number = index + 1;
    view! {
        <div class="grid gap-2 grid-cols-2 sm:grid-cols-[minmax(0,12rem)_minmax(0,1fr)] items-center">
            <input
                class="input font-mono"
                name="header_names[]"
                autocomplete="off"
                placeholder=is_example.then_some("Authorization")
                aria-label=format!("Name of new header {number}")
            />
            <input
                class="input"
                type="password"
                name="header_values[]"
                autocomplete="off"
                placeholder=is_example.then_some("Bearer …")
                aria-label=format!("Value of new header {number}")
            />
        </div>
    }
    .into_any()
}
