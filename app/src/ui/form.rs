//! What a form shows of an answer: errors under their fields, the rest above them.

use domain::Error;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlFormElement};

use crate::ui::{Callout, Tone, live, on_change, sentence};

/// The error of a form's last answer.
#[derive(Clone, Copy)]
pub struct FormErrors(Signal<Option<Error>>);

impl FormErrors {
    /// Follows the error of an action.
    pub fn of(error: Signal<Option<Error>>) -> Self {
        Self(error)
    }

    /// The whole error.
    pub fn error(self) -> Option<Error> {
        self.0.get()
    }

    /// What is wrong with a field.
    pub fn field(self, name: &'static str) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.0
                .with(|error| error.as_ref()?.field(name).map(sentence))
        })
    }

    /// What is wrong beyond the named fields.
    fn beyond(self, fields: &[&str]) -> Option<String> {
        self.0.with(|error| match error.as_ref()? {
            Error::Invalid { fields: wrong } => wrong
                .iter()
                .find(|error| !fields.contains(&error.field.as_str()))
                .map(|error| sentence(&format!("{}: {}", error.field, error.message))),
            Error::Unauthenticated => Some("Your session has ended. Sign in again.".to_owned()),
            error => Some(sentence(&error.to_string())),
        })
    }
}

/// Says what no field says.
#[component]
pub fn FormAlert(
    /// The form's errors.
    errors: FormErrors,
    /// Fields that show their own.
    fields: &'static [&'static str],
) -> impl IntoView {
    live(move || match errors.beyond(fields) {
        Some(message) => view! {
            <Callout tone=Tone::Danger icon="circle-alert">
                <p>{message}</p>
            </Callout>
        }
        .into_any(),
        None => ().into_any(),
    })
}

/// Moves the focus to the first wrong field after each failed answer.
pub fn focus_first_error(form: NodeRef<html::Div>, errors: FormErrors) {
    on_change(move || {
        if !matches!(errors.error(), Some(Error::Invalid { .. })) {
            return;
        }
        request_animation_frame(move || {
            let field = form
                .get_untracked()
                .and_then(|form| form.query_selector("[aria-invalid=true]").ok().flatten())
                .and_then(|field| field.dyn_into::<HtmlElement>().ok());
            if let Some(field) = field {
                // A field that cannot take the focus keeps its message.
                let _ = field.focus();
            }
        });
    });
}

/// Empties the form that a field with the id `field` stands in.
pub fn reset_form(field: &str) {
    let form = document()
        .get_element_by_id(field)
        .and_then(|field| field.closest("form").ok().flatten())
        .and_then(|form| form.dyn_into::<HtmlFormElement>().ok());
    if let Some(form) = form {
        form.reset();
    }
}
