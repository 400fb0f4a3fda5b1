//! A password or key, hidden until asked.

use leptos::prelude::*;

use crate::ui::field::Field;
use crate::ui::{FormErrors, Icon, or};

/// One line that is not shown.
#[component]
pub fn SecretField(
    /// Element id, unique on the page.
    id: &'static str,
    /// Name in the form; the id if none is given.
    #[prop(optional)]
    name: &'static str,
    /// The label.
    label: &'static str,
    /// More classes of the input.
    #[prop(optional)]
    class: &'static str,
    /// Small words beside the label.
    #[prop(optional)]
    note: &'static str,
    /// Words below, while nothing is wrong.
    #[prop(optional)]
    hint: &'static str,
    /// What the browser may fill in.
    autocomplete: &'static str,
    /// Whether it may not be empty.
    #[prop(optional)]
    required: bool,
    /// What is wrong with the form.
    errors: FormErrors,
    /// Its name among the errors; the id if none is given.
    #[prop(optional)]
    field: &'static str,
) -> impl IntoView {
    let error = errors.field(or(field, id));
    let is_shown = RwSignal::new(false);
    view! {
        <Field id label note hint error>
            <div class="input-group">
                <input
                    class=format!("input !pr-10 {class}")
                    id=id
                    name=or(name, id)
                    type=move || if is_shown.get() { "text" } else { "password" }
                    autocomplete=autocomplete
                    required=required
                    aria-invalid=move || error.get().is_some().then_some("true")
                    aria-describedby=format!("{id}-note")
                />
                <button
                    class="btn btn-ghost btn-icon btn-sm affix-button !right-1.5"
                    type="button"
                    aria-label="Show what is typed"
                    aria-pressed=move || if is_shown.get() { "true" } else { "false" }
                    on:click=move |_| is_shown.update(|shown| *shown = !*shown)
                >
                    <Icon name="eye" />
                </button>
            </div>
        </Field>
    }
}
