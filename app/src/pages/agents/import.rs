//! Making an agent of a file.

use domain::{Action, Error};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::HtmlInputElement;

use crate::layout::{Allowed, Page};
use crate::pages::agents::server::ImportAgent;
use crate::ui::{ActionForm, Callout, FormAction, SubmitButton, Tone, live, sentence};

const TEXT: &str = "file";

/// Takes a file, or its text.
#[component]
pub fn ImportAgentPage() -> impl IntoView {
    view! {
        <Page title="Import an agent" section="Agents" href="/agents">
            <div class="page">
                <header class="page-head">
                    <div class="grow min-w-0 basis-72">
                        <h1 class="page-title">"Import an agent"</h1>
                        <p class="page-lead">
                            "From a YAML file that was exported here or in another workspace."
                        </p>
                    </div>
                </header>
                <Allowed action=Action::BuildAgents>
                    <ImportForm />
                </Allowed>
            </div>
        </Page>
    }
    .into_any()
}

#[component]
fn ImportForm() -> impl IntoView {
    let action = FormAction::<ImportAgent>::new();
    let errors = action.errors();
    let text = NodeRef::<html::Textarea>::new();
    // A file is read into the text, so that one form sends both.
    let on_file = move |event: leptos::ev::Event| {
        let input = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        let file = input.and_then(|input| input.files()?.get(0));
        let (Some(file), Some(text)) = (file, text.get_untracked()) else {
            return;
        };
        let show = Closure::once(move |content: JsValue| {
            text.set_value(&content.as_string().unwrap_or_default());
        });
        // What cannot be read leaves the text as it is.
        let _ = file.text().then(&show);
        // The closure lives until it is called.
        show.forget();
    };
    let alerts = live(move || match errors.error() {
        Some(error) => complaint(error),
        None => ().into_any(),
    });
    let has_failed = move || errors.error().is_some().then_some("true");
    view! {
        <ActionForm action=action>
            <div class="grid gap-4 max-w-(--container-form)">
                {alerts}
                <div class="field needs-script">
                    <label class="field-label" for="pick">
                        "File"
                    </label>
                    <input
                        class="input !h-auto !py-1.5"
                        id="pick"
                        type="file"
                        accept=".yaml,.yml,.json,application/yaml"
                        on:change=on_file
                    />
                </div>
                <div class="field">
                    <label class="field-label" for=TEXT>
                        "Text of the file"
                    </label>
                    <textarea
                        class="textarea min-h-72 font-mono !text-xs !leading-5"
                        id=TEXT
                        name="file"
                        required
                        spellcheck="false"
                        aria-invalid=has_failed
                        node_ref=text
                    ></textarea>
                    <p class="field-hint">
                        "Model connections and tool servers are found by their names in this workspace."
                    </p>
                </div>
                <div class="toolbar">
                    <SubmitButton is_busy=action.pending()>"Import agent"</SubmitButton>
                    <a class="btn btn-ghost" href="/agents">
                        "Cancel"
                    </a>
                </div>
            </div>
        </ActionForm>
    }
}

/// Everything that is wrong, field by field.
fn complaint(error: Error) -> AnyView {
    let Error::Invalid { fields } = error else {
        return view! {
            <Callout tone=Tone::Danger icon="circle-alert">
                <p>{sentence(&error.to_string())}</p>
            </Callout>
        }
        .into_any();
    };
    let lines = fields
        .into_iter()
        .map(|wrong| {
            view! {
                <li>
                    <span class="font-mono text-xs">{wrong.field}</span>
                    ": "
                    {wrong.message}
                </li>
            }
            .into_any()
        })
        .collect::<Vec<_>>();
    view! {
        <Callout tone=Tone::Danger icon="circle-alert">
            <p>
                <strong>"This file cannot be imported as it is."</strong>
            </p>
            <ul class="grid gap-1 pt-1 [overflow-wrap:anywhere]">{lines}</ul>
        </Callout>
    }
    .into_any()
}
