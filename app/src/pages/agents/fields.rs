//! The fields of the agent form.

use domain::models::{Model, ModelConnection};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::call::call;
use crate::pages::agents::fallback_fields::FallbackSection;
use crate::pages::agents::form::AgentForm;
use crate::pages::agents::tool_fields::ToolFields;
use crate::pages::models::server::ListModels;
use crate::pages::tools::server::ServerChoice;
use crate::ui::{FormErrors, Section, SelectField, TextAreaField, TextField, on_change};

/// Fields that show their own error.
pub const FIELDS: &[&str] = &[
    "name",
    "description",
    "tags",
    "instructions",
    "model.connection_id",
    "model.name",
    "model.temperature",
    "model.max_output_tokens",
    "fallbacks[0].connection_id",
    "fallbacks[0].name",
    "fallbacks[1].connection_id",
    "fallbacks[1].name",
    "fallbacks[2].connection_id",
    "fallbacks[2].name",
    "fallbacks[3].connection_id",
    "fallbacks[3].name",
    "fallbacks[4].connection_id",
    "fallbacks[4].name",
    "limits.max_seconds",
    "limits.max_iterations",
    "limits.max_tokens",
    "limits.max_cost_usd_micros",
    "tools",
    "output_schema",
];

/// Every section of the form.
#[component]
pub fn AgentFields(
    /// What it shows at first.
    form: AgentForm,
    /// Connections to choose from.
    connections: Vec<ModelConnection>,
    /// Tool servers to choose tools from.
    servers: Vec<ServerChoice>,
    /// What was wrong with the last try.
    errors: FormErrors,
) -> impl IntoView {
    let model = form.clone();
    let limits = form.clone();
    view! {
        <Section title="Basics">
            <div class="grid gap-4 sm:grid-cols-[14rem_minmax(0,1fr)]">
                <TextField
                    id="name"
                    name="input[name]"
                    label="Name"
                    value=form.name
                    required=true
                    errors
                />
                <TextField
                    id="description"
                    name="input[description]"
                    label="Description"
                    note="Optional"
                    value=form.description
                    errors
                />
            </div>
            <TextField
                id="tags"
                name="input[tags]"
                label="Tags"
                note="Optional"
                hint="Words to find it by, with commas between them."
                value=form.tags
                errors
            />
        </Section>
        <Section title="Behaviour" lead="What the agent is for, how it works, what it must not do.">
            <TextAreaField
                id="instructions"
                name="input[instructions]"
                label="Instructions"
                class="min-h-56 font-mono !text-xs !leading-5"
                value=form.instructions
                errors
            />
            <TextAreaField
                id="output_schema"
                name="input[output_schema]"
                label="JSON schema of answers"
                class="min-h-16 font-mono !text-xs !leading-5"
                hint="Answers are JSON that fits it; empty is plain text."
                value=form.output_schema
                errors
            />
        </Section>
        <ModelSection form=model connections=connections.clone() errors />
        <FallbackSection chosen=form.fallbacks connections errors />
        <ToolFields picks=form.tools servers errors />
        <LimitsSection form=limits errors />
    }
}

#[component]
fn LimitsSection(form: AgentForm, errors: FormErrors) -> impl IntoView {
    view! {
        <Section title="Limits" lead="A run that reaches a limit stops, keeps what it has and says so.">
            <div class="grid gap-4 sm:grid-cols-2">
                <TextField
                    id="max_seconds"
                    name="input[max_seconds]"
                    label="Time"
                    class="tabular-nums"
                    affix="seconds"
                    inputmode="numeric"
                    hint="1 to 86,400"
                    value=form.max_seconds
                    field="limits.max_seconds"
                    errors
                />
                <TextField
                    id="max_iterations"
                    name="input[max_iterations]"
                    label="Steps"
                    class="tabular-nums"
                    affix="calls"
                    inputmode="numeric"
                    hint="Calls of the model, 1 to 100"
                    value=form.max_iterations
                    field="limits.max_iterations"
                    errors
                />
                <TextField
                    id="max_tokens"
                    name="input[max_tokens]"
                    label="Written text"
                    note="Optional"
                    class="tabular-nums"
                    affix="tokens"
                    inputmode="numeric"
                    hint="All answers of a run together; empty is no limit"
                    value=form.max_tokens
                    field="limits.max_tokens"
                    errors
                />
                <TextField
                    id="max_cost"
                    name="input[max_cost]"
                    label="Cost"
                    note="Optional"
                    class="tabular-nums"
                    affix="dollars"
                    inputmode="decimal"
                    hint="As far as the model’s price is known; empty is no limit"
                    value=form.max_cost
                    field="limits.max_cost_usd_micros"
                    errors
                />
            </div>
        </Section>
    }
}

#[component]
fn ModelSection(
    form: AgentForm,
    connections: Vec<ModelConnection>,
    errors: FormErrors,
) -> impl IntoView {
    let first = connections
        .first()
        .map(|connection| connection.id.to_string());
    let is_known = connections
        .iter()
        .any(|connection| connection.id.to_string() == form.connection_id);
    let start = if is_known {
        form.connection_id
    } else {
        first.unwrap_or_default()
    };
    let chosen = RwSignal::new(start.clone());
    let option = move |connection: ModelConnection| {
        let value = connection.id.to_string();
        let selected = value == start;
        view! {
            <option value=value selected=selected>
                {connection.name}
            </option>
        }
        .into_any()
    };
    view! {
        <Section title="Model" lead="Where answers come from.">
            <div class="grid gap-4 sm:grid-cols-2">
                <SelectField
                    id="connection_id"
                    name="input[connection_id]"
                    label="Connection"
                    chosen=chosen
                    field="model.connection_id"
                    errors
                >
                    {connections.into_iter().map(option).collect::<Vec<_>>()}
                </SelectField>
                <TextField
                    id="model"
                    name="input[model]"
                    label="Model"
                    list="models"
                    value=form.model
                    required=true
                    hint="Choose from the connection’s list, or type a name it knows."
                    field="model.name"
                    errors
                />
                <TextField
                    id="temperature"
                    name="input[temperature]"
                    label="Temperature"
                    note="Optional"
                    class="tabular-nums"
                    inputmode="decimal"
                    hint="0 repeatable, 2 varied; empty leaves it to the provider."
                    value=form.temperature
                    field="model.temperature"
                    errors
                />
                <TextField
                    id="max_output_tokens"
                    name="input[max_output_tokens]"
                    label="Longest answer"
                    note="Optional"
                    class="tabular-nums"
                    affix="tokens"
                    inputmode="numeric"
                    value=form.max_output_tokens
                    field="model.max_output_tokens"
                    errors
                />
            </div>
            <ModelNames id="models" chosen />
            <label class="check">
                <input
                    class="checkbox"
                    type="checkbox"
                    name="input[conversation_titles]"
                    value="model"
                    checked=form.conversation_titles == "model"
                />
                <span>
                    "Let the model write conversation titles"
                    <span class="block text-xs text-ink-3">
                        "One short call after the first answer. Otherwise the first words of the first message are the title."
                    </span>
                </span>
            </label>
        </Section>
    }
}

/// Names to choose from, asked after the page is there because providers take their time.
#[component]
pub(super) fn ModelNames(id: &'static str, chosen: RwSignal<String>) -> impl IntoView {
    let models = RwSignal::new(Vec::<Model>::new());
    on_change(move || {
        spawn_local(async move {
            // Without a list the name is typed.
            let listed = call(ListModels {}).await.and_then(|answer| answer.read());
            models.try_set(listed.unwrap_or_default());
        });
    });
    let options = move || {
        let connection = chosen.get();
        models.with(|models| {
            models
                .iter()
                .filter(|model| model.connection_id.to_string() == connection)
                .map(|model| view! { <option value=model.name.clone()></option> }.into_any())
                .collect::<Vec<_>>()
        })
    };
    view! { <datalist id=id>{move || options()}</datalist> }
}
