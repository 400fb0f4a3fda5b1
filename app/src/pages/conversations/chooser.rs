//! Choosing the agent of a new conversation.

use domain::agents::AgentSummary;
use domain::{Action, AgentId};
use leptos::prelude::*;

use crate::layout::{Loaded, load, may};
use crate::pages::agents::server::ListAgents;
use crate::pages::conversations::server::StartConversation;
use crate::ui::{
    ActionForm, Avatar, EmptyCard, FormAction, FormAlert, Icon, SkeletonRows, SubmitButton,
};

/// Starts a conversation with one agent.
#[component]
pub fn StartButton(
    /// The agent.
    agent_id: AgentId,
    /// Whether it tries the agent's draft out.
    #[prop(optional)]
    draft: bool,
) -> impl IntoView {
    let action = FormAction::<StartConversation>::new();
    view! {
        <ActionForm action=action>
            <input type="hidden" name="agent_id" value=agent_id.to_string() />
            <input type="hidden" name="uses_draft" value=draft.to_string() />
            <SubmitButton
                class="btn btn-secondary"
                icon="messages-square"
                is_busy=action.pending()
            >
                {if draft { "Try draft" } else { "Start conversation" }}
            </SubmitButton>
        </ActionForm>
    }
}

/// Agents to start a conversation with.
#[component]
pub fn AgentChooser() -> impl IntoView {
    let agents = load(|| ListAgents {
        after: None,
        search: None,
        tag: None,
    });
    view! {
        <section class="grow min-h-0 overflow-y-auto" aria-labelledby="new-title">
            <div class="max-w-(--container-form) mx-auto px-4 py-8">
                <Loaded
                    data=agents
                    fallback=|| view! { <ChooserHead /> <SkeletonRows /> }.into_any()
                    view=|agents| {
                        if may(Action::Converse) {
                            view! { <ChooserHead /> <Agents agents=agents.value.agents.items /> }.into_any()
                                .into_any()
                        } else {
                            view! { <Reader /> }.into_any()
                        }
                    }
                />
            </div>
        </section>
    }
}

#[component]
fn ChooserHead() -> impl IntoView {
    view! { <Head title="New conversation" lead="Choose who shall answer." /> }
}

/// For those who may not begin a conversation.
#[component]
fn Reader() -> impl IntoView {
    view! { <Head title="Conversations" lead="Choose one to read; your role does not begin new ones." /> }
}

#[component]
fn Head(title: &'static str, lead: &'static str) -> impl IntoView {
    view! {
        <h1 class="page-title" id="new-title">
            {title}
        </h1>
        <p class="page-lead mb-5">{lead}</p>
    }
    .into_any()
}

#[component]
fn Agents(agents: Vec<AgentSummary>) -> impl IntoView {
    let action = FormAction::<StartConversation>::new();
    let errors = action.errors();
    if agents.is_empty() {
        let link = ("/agents/new", "New agent");
        return view! {
            <EmptyCard
                icon="bot"
                title="No agents yet"
                text="Create an agent; then it can answer here."
                link=may(Action::BuildAgents).then_some(link)
                class="btn btn-primary"
            />
        }
        .into_any();
    }
    let row = move |agent: AgentSummary| {
        view! {
            <li class="!p-0">
                <ActionForm action=action attr:class="w-full">
                    <button
                        class="flex items-center gap-3 w-full min-h-12 px-4 py-2 text-left hover:bg-hover"
                        name="agent_id"
                        value=agent.id.to_string()
                    >
                        <Avatar
                            id=agent.id.to_string()
                            name=agent.name.clone()
                            class="avatar-agent"
                        />
                        <span class="min-w-0 grow">
                            <span class="block truncate font-medium">{agent.name}</span>
                            <span class="block truncate text-xs text-ink-3">
                                {agent.description}
                            </span>
                        </span>
                        <Icon name="arrow-right" class="text-ink-3" />
                    </button>
                </ActionForm>
            </li>
        }.into_any()
    };
    view! {
        <div class="grid gap-3">
            <FormAlert errors fields=&[] />
            <div class="card overflow-hidden">
                <ul class="rows">{agents.into_iter().map(row).collect::<Vec<_>>()}</ul>
            </div>
        </div>
    }
    .into_any()
}
