//! Making an agent, from a template or from nothing.

use domain::Action;
use leptos::html;
use leptos::prelude::*;

use crate::layout::{Loaded, Page, PageSkeleton, load_by_query, may};
use crate::pages::agents::detail::SaveBar;
use crate::pages::agents::fields::{AgentFields, FIELDS};
use crate::pages::agents::gallery::{Gallery, suggestions};
use crate::pages::agents::server::{AgentChoices, CreateAgent, GetAgentStart, NewAgentStart};
use crate::ui::{ActionForm, EmptyCard, FormAction, FormAlert, SubmitButton, focus_first_error};

/// Makes an agent; `?template=` names what it starts from.
#[component]
pub fn NewAgentPage() -> impl IntoView {
    let start = load_by_query(|query| GetAgentStart {
        template: query.get("template"),
    });
    view! {
        <Loaded
            section="Agents"
            action=Action::BuildAgents
            data=start
            fallback=|| view! { <PageSkeleton title="New agent" section="Agents" /> }
            view=|start| view! { <NewAgent start /> }.into_any()
        />
    }
    .into_any()
}

#[component]
fn NewAgent(start: NewAgentStart) -> impl IntoView {
    let NewAgentStart {
        choices: AgentChoices {
            connections,
            servers,
        },
        templates,
        picked,
        form: values,
        suggested,
    } = start;
    let action = FormAction::<CreateAgent>::new();
    let errors = action.errors();
    let form = NodeRef::<html::Div>::new();
    focus_first_error(form, errors);
    if connections.is_empty() {
        let link = ("/models/new", "Add connection");
        return view! {
            <Page title="New agent" section="Agents" href="/agents">
                <div class="page">
                    <EmptyCard
                        icon="brain"
                        title="Connect a model first"
                        text="An agent needs a model to answer with."
                        link=may(Action::ManageModels).then_some(link)
                        class="btn btn-primary"
                    />
                </div>
            </Page>
        }
        .into_any();
    }
    view! {
        <Page title="New agent" section="Agents" href="/agents">
            <ActionForm action=action>
                <div class="flex flex-col min-h-[calc(100dvh-var(--bar-height))]" node_ref=form>
                    <div class="page grow !pb-8">
                        <h1 class="page-title mb-4">"New agent"</h1>
                        <Gallery templates picked />
                        {suggestions(suggested)}
                        <FormAlert errors fields=FIELDS />
                        <div class="max-w-(--container-form) pt-2">
                            <AgentFields form=values connections servers errors />
                        </div>
                    </div>
                    <SaveBar text="Creating makes version 1." class="px-4 sm:px-8">
                        <a class="btn btn-ghost" href="/agents">
                            "Cancel"
                        </a>
                        <SubmitButton is_busy=action.pending()>"Create agent"</SubmitButton>
                    </SaveBar>
                </div>
            </ActionForm>
        </Page>
    }
    .into_any()
}
