//! Labelled form controls with hint and error.

use leptos::prelude::*;

use crate::ui::{FormErrors, Icon, live, or};

/// One line of text.
#[component]
pub fn TextField(
    /// Element id, unique on the page.
    id: &'static str,
    /// Name in the form; the id if none is given.
    #[prop(optional)]
    name: &'static str,
    /// The label.
    label: &'static str,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// Type of the input.
    #[prop(default = "text")]
    kind: &'static str,
    /// More classes of the input.
    #[prop(optional)]
    class: &'static str,
    /// Small words beside the label.
    #[prop(optional)]
    note: &'static str,
    /// Words below, while nothing is wrong.
    #[prop(optional)]
    hint: &'static str,
    /// Shown while it is empty.
    #[prop(optional)]
    placeholder: &'static str,
    /// Which keyboard a phone shows.
    #[prop(optional)]
    inputmode: &'static str,
    /// What the browser may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// Id of a datalist.
    #[prop(optional)]
    list: &'static str,
    /// Unit at the right end.
    #[prop(optional)]
    affix: &'static str,
    /// Whether it may not be empty.
    #[prop(optional)]
    required: bool,
    /// Whether it cannot be changed.
    #[prop(optional)]
    readonly: bool,
    /// What is wrong with the form.
    errors: FormErrors,
    /// Its name among the errors; the id if none is given.
    #[prop(optional)]
    field: &'static str,
) -> impl IntoView {
    let error = errors.field(or(field, id));
    let padding = if affix.is_empty() { "" } else { "!pr-16" };
    let input = view! {
        <input
            class=format!("input {padding} {class}")
            id=id
            name=or(name, id)
            type=kind
            value=value
            placeholder=some(placeholder)
            inputmode=some(inputmode)
            autocomplete=autocomplete
            list=some(list)
            required=required
            readonly=readonly
            aria-invalid=move || error.get().is_some().then_some("true")
            aria-describedby=format!("{id}-note")
        />
    }
    .into_any();
    let control = if affix.is_empty() {
        input.into_any()
    } else {
        view! { <div class="input-group">{input}<span class="affix">{affix}</span></div> }
            .into_any()
    };
    view! { <Field id label note hint error>{control}</Field> }
}

/// Several lines of text.
#[component]
pub fn TextAreaField(
    /// Element id, unique on the page.
    id: &'static str,
    /// Name in the form; the id if none is given.
    #[prop(optional)]
    name: &'static str,
    /// The label.
    label: &'static str,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// More classes of the control.
    #[prop(optional)]
    class: &'static str,
    /// Words below, while nothing is wrong.
    #[prop(optional)]
    hint: &'static str,
    /// Shown while it is empty.
    #[prop(optional)]
    placeholder: &'static str,
    /// What is wrong with the form.
    errors: FormErrors,
    /// Its name among the errors; the id if none is given.
    #[prop(optional)]
    field: &'static str,
) -> impl IntoView {
    let error = errors.field(or(field, id));
    view! {
        <Field id label note="" hint error>
            <textarea
                class=format!("textarea {class}")
                id=id
                name=or(name, id)
                placeholder=some(placeholder)
                spellcheck="true"
                aria-invalid=move || error.get().is_some().then_some("true")
                aria-describedby=format!("{id}-note")
                inner_html=escaped(&value)
            ></textarea>
        </Field>
    }
}

/// One of several; children are the options.
#[component]
pub fn SelectField(
    /// Element id, unique on the page.
    id: &'static str,
    /// Name in the form; the id if none is given.
    #[prop(optional)]
    name: &'static str,
    /// The label.
    label: &'static str,
    /// Words below, while nothing is wrong.
    #[prop(optional)]
    hint: &'static str,
    /// Holds the value whenever the person chooses.
    #[prop(optional)]
    chosen: Option<RwSignal<String>>,
    /// What is wrong with the form.
    errors: FormErrors,
    /// Its name among the errors; the id if none is given.
    #[prop(optional)]
    field: &'static str,
    /// The options.
    children: Children,
) -> impl IntoView {
    let error = errors.field(or(field, id));
    view! {
        <Field id label note="" hint error>
            <select
                class="select"
                id=id
                name=or(name, id)
                on:change=move |event| {
                    if let Some(chosen) = chosen {
                        chosen.set(event_target_value(&event));
                    }
                }
                aria-invalid=move || error.get().is_some().then_some("true")
                aria-describedby=format!("{id}-note")
            >
                {children()}
            </select>
        </Field>
    }
}

/// Label above, hint or error below a control with the same id.
#[component]
pub(crate) fn Field(
    /// Id of the control.
    id: &'static str,
    /// The label.
    label: &'static str,
    /// Small words beside the label.
    note: &'static str,
    /// Words below, while nothing is wrong.
    hint: &'static str,
    /// What is wrong.
    error: Signal<Option<String>>,
    /// The control.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field">
            <label class="field-label" for=id>
                {label}
                {(!note.is_empty()).then(|| view! { <small>{note}</small> }.into_any())}
            </label>
            {children()}
            <div id=format!("{id}-note") class="empty:hidden">
                {field_note(error, hint)}
            </div>
        </div>
    }
}

/// What stands below a control: what is wrong, else the hint.
pub fn field_note(error: Signal<Option<String>>, hint: &'static str) -> AnyView {
    live(move || match error.get() {
        Some(message) => view! {
            <p class="field-error">
                <Icon name="circle-alert" />
                <span>{message}</span>
            </p>
        }
        .into_any(),
        None if hint.is_empty() => ().into_any(),
        None => view! { <p class="field-hint">{hint}</p> }.into_any(),
    })
}

/// As raw content of a text area: an empty text child would be rendered as a blank.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn some(text: &'static str) -> Option<&'static str> {
    (!text.is_empty()).then_some(text)
}
