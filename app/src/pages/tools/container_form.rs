//! The form of a server in a container.

use domain::Action;
use domain::containers::ContainerSettings;
use domain::mcp_servers::{McpServer, McpServerSource};
use leptos::prelude::*;

use crate::layout::{LoadedPage, Page, use_visit};
use crate::pages::tools::container_server::{AddContainerServer, ChangeContainerServer};
use crate::pages::tools::form::NameField;
use crate::pages::tools::headers::HeaderRows;
use crate::ui::{
    Card, FieldsForm, FormAction, FormErrors, TextAreaField, TextField, use_toasts, when_done,
};

/// Fields that show their own error. The first is there only where a package is changed.
const FIELDS: &[&str] = &[
    "source.version",
    "name",
    "source.image",
    "source.command",
    "source.env",
    "source.secrets",
    "source.http",
    "source.egress",
    "source.resources.memory_mb",
    "source.resources.cpu_millis",
];
/// The same where a server is added.
const NEW_FIELDS: &[&str] = FIELDS.split_at(1).1;

/// Adds a server from an image.
#[component]
pub fn NewContainerPage() -> impl IntoView {
    view! {
        <LoadedPage
            title="Run an image"
            section="Tools"
            action=Action::ManageTools
            data=use_visit()
            view=|_| view! { <NewContainer /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn NewContainer() -> impl IntoView {
    let action = FormAction::<AddContainerServer>::new();
    let errors = action.errors();
    let fields = fields(
        String::new(),
        Program::Image(String::new()),
        ContainerSettings::default(),
        errors,
    );
    view! {
        <Page title="Run an image" section="Tools" href="/tools">
            <div class="page">
                <h1 class="page-title mb-5">"Run a tool server from an image"</h1>
                <FieldsForm action=action fields=NEW_FIELDS button="Add server" back="/tools">
                    {fields}
                </FieldsForm>
            </div>
        </Page>
    }
    .into_any()
}

/// Changes a server in a container; nothing for one that somebody else runs.
#[component]
pub fn ContainerSettingsCard(server: McpServer, refresh: Callback<()>) -> impl IntoView {
    let action = FormAction::<ChangeContainerServer>::new();
    let errors = action.errors();
    let toasts = use_toasts();
    when_done(action.has_succeeded(), move || {
        toasts.success("Saved and started anew".to_owned());
        refresh.run(());
    });
    let (program, settings) = match server.source {
        McpServerSource::Remote(_) => return ().into_any(),
        McpServerSource::Container(source) => (Program::Image(source.image), source.settings),
        McpServerSource::Package(source) => (Program::Version(source.version), source.settings),
    };
    let fields = fields(server.name, program, settings, errors);
    view! {
        <Card id="settings" title="Settings">
            <div class="card-body">
                <FieldsForm action=action fields=FIELDS button="Save and restart">
                    <input type="hidden" name="id" value=server.id.to_string() />
                    {fields}
                </FieldsForm>
            </div>
        </Card>
    }
    .into_any()
}

/// What can be changed of the program.
enum Program {
    Image(String),
    Version(String),
}

fn fields(
    name: String,
    program: Program,
    settings: ContainerSettings,
    errors: FormErrors,
) -> AnyView {
    let program = match program {
        Program::Image(image) => view! {
            <TextField
                id="image"
                name="typed[image]"
                label="Image"
                class="font-mono"
                value=image
                placeholder="ghcr.io/acme/tools:1.2"
                hint="Or a package in one version: npm:@acme/tools@1.2.3, pypi:acme-tools==1.2.3. What runs is pinned until the server is restarted."
                required=true
                field="source.image"
                errors
            />
        }
        .into_any(),
        Program::Version(version) => view! {
            <TextField
                id="version"
                name="typed[version]"
                label="Version"
                class="font-mono"
                value=version
                required=true
                field="source.version"
                errors
            />
        }
        .into_any(),
    };
    let env: Vec<String> = settings
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    view! {
        <NameField value=name placeholder="tools" errors />
        {program}
        <TextAreaField
            id="command"
            name="typed[command]"
            label="Arguments"
            class="font-mono !text-xs"
            value=settings.command.join("\n")
            hint="One on each line; empty keeps those of the image."
            field="source.command"
            errors
        />
        <TextAreaField
            id="env"
            name="typed[env]"
            label="Environment"
            class="font-mono !text-xs"
            value=env.join("\n")
            placeholder="LOG_LEVEL=info"
            hint="NAME=value, one on each line. Secrets have their own rows."
            field="source.env"
            errors
        />
        <TextField
            id="http"
            name="typed[http]"
            label="HTTP port and path"
            class="font-mono"
            value=settings.http.map(|it| format!("{}{}", it.port, it.path)).unwrap_or_default()
            placeholder="3001/mcp"
            hint="Empty for a server that speaks on its standard input and output."
            field="source.http"
            errors
        />
        <HeaderRows stored=settings.secret_names errors is_environment=true />
        <TextAreaField
            id="egress"
            name="typed[egress]"
            label="May reach"
            class="font-mono !text-xs"
            value=settings.egress.join("\n")
            placeholder="api.example.com:443"
            hint="Hosts and ports, one on each line; *.example.com for all names below. Everything else is refused, and so is everything if this is empty."
            field="source.egress"
            errors
        />
        <div class="grid gap-4 sm:grid-cols-2">
            <TextField
                id="memory"
                name="typed[memory_mb]"
                label="Memory, MiB"
                value=settings.resources.memory_mb.to_string()
                inputmode="numeric"
                field="source.resources.memory_mb"
                errors
            />
            <TextField
                id="cpu"
                name="typed[cpu_millis]"
                label="Processor, thousandths"
                value=settings.resources.cpu_millis.to_string()
                inputmode="numeric"
                field="source.resources.cpu_millis"
                errors
            />
        </div>
    }
    .into_any()
}
