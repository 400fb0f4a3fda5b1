//! One connection, with its test.

use domain::models::{ConnectionKind, ConnectionTest, Model, ModelConnection};
use domain::{Action, Error};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::layout::may;
use crate::pages::models::server::TestConnection;
use crate::ui::{ActionForm, FormAction, Icon, SubmitButton, sentence};

/// A row of the connections list.
#[component]
pub fn ConnectionRow(
    /// The connection.
    connection: ModelConnection,
    /// Models of all connections; `None` while they are asked.
    models: RwSignal<Option<Vec<Model>>>,
) -> impl IntoView {
    let test = FormAction::<TestConnection>::new();
    let id = connection.id;
    let offered = move || {
        let count = models.with(|models| {
            let models = models.as_ref()?;
            Some(
                models
                    .iter()
                    .filter(|model| model.connection_id == id)
                    .count(),
            )
        });
        let text = match count? {
            0 => return None,
            1 => "1 model".to_owned(),
            count => format!("{count} models"),
        };
        Some(view! { <span class="tag">{text}</span> }.into_any())
    };
    let icon = match connection.kind {
        ConnectionKind::Local => "cpu",
        ConnectionKind::Ollama => "hard-drive",
        ConnectionKind::OpenAi
        | ConnectionKind::OpenAiResponses
        | ConnectionKind::OpenAiCompatible
        | ConnectionKind::Anthropic
        | ConnectionKind::Gemini => "brain",
    };
    let place = connection
        .base_url
        .clone()
        .unwrap_or_else(|| "in this program".to_owned());
    let key = if connection.has_api_key {
        " · key stored"
    } else {
        " · no key"
    };
    let edit = may(Action::ManageModels).then(|| {
        view! {
            <a
                class="btn btn-ghost btn-icon btn-sm"
                href=format!("/models/{id}")
                aria-label=format!("Edit {}", connection.name)
                title="Edit"
            >
                <Icon name="pencil" />
            </a>
        }
        .into_any()
    });
    view! {
        <li class="max-sm:flex-wrap !py-3">
            <span class="tile" aria-hidden="true">
                <Icon name=icon />
            </span>
            <div class="min-w-0 grow basis-52">
                <p class="flex items-center gap-2">
                    <span class="font-medium">{connection.name.clone()}</span>
                    {offered}
                </p>
                <p class="truncate text-xs text-ink-3">
                    {connection.kind.label()} " · "
                    <span class="font-mono text-2xs">{place}</span> {key}
                </p>
            </div>
            <div class="text-xs lg:w-80 max-sm:w-full max-sm:empty:absolute" role="status">
                {move || test.value().get().map(outcome)}
            </div>
            <div class="flex gap-1 max-sm:w-full lg:w-34 justify-end max-sm:justify-start">
                <ActionForm action=test>
                    <input type="hidden" name="id" value=id.to_string() />
                    <SubmitButton class="btn btn-secondary btn-sm" is_busy=test.pending()>
                        "Test"
                    </SubmitButton>
                </ActionForm>
                {edit}
            </div>
        </li>
    }
}

/// How a test went of what is typed into a form; a plain form finds it in the address.
pub(super) fn tested(answer: Signal<Option<Result<Option<ConnectionTest>, Error>>>) -> AnyView {
    let before = use_query_map().with_untracked(|query| query.get("tested")?.parse().ok());
    let before = before.map(|latency_ms| ConnectionTest {
        ok: true,
        latency_ms,
        error: None,
    });
    view! {
        <div class="text-xs empty:hidden" role="status">
            {move || match answer.get() {
                None => before.clone().map(|test| outcome(Ok(test))),
                Some(answer) => answer.ok().flatten().map(|test| outcome(Ok(test))),
            }}
        </div>
    }
    .into_any()
}

/// The result of a test, in words.
pub(super) fn outcome(result: Result<ConnectionTest, Error>) -> AnyView {
    let (is_ok, text) = match result {
        Ok(ConnectionTest {
            ok: true,
            latency_ms,
            ..
        }) => (true, format!("Answered in {latency_ms} ms")),
        Ok(ConnectionTest {
            error: Some(fault), ..
        }) => (false, sentence(&fault.message)),
        Ok(_) => (false, "No answer.".to_owned()),
        Err(error) => (false, sentence(&error.to_string())),
    };
    if is_ok {
        view! {
            <p class="flex items-start gap-1.5 text-ink-3">
                <Icon name="circle-check" class="icon-sm text-success mt-px" />
                <span>{text}</span>
            </p>
        }
        .into_any()
    } else {
        view! {
            <p class="flex items-start gap-1.5 text-danger-ink">
                <Icon name="circle-x" class="icon-sm mt-px" />
                <span>{text}</span>
            </p>
        }
        .into_any()
    }
}
