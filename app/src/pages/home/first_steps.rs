//! What an empty workspace needs before agents can answer.

use domain::Action;
use leptos::prelude::*;

use crate::layout::may;
use crate::ui::{Card, LabelledIcon};

#[derive(Clone, Copy)]
struct Step {
    is_done: bool,
    title: &'static str,
    text: &'static str,
    action: Action,
    href: &'static str,
}

/// The first steps, those done marked.
#[component]
pub fn FirstSteps(
    /// Whether a model is connected.
    has_connection: bool,
    /// Whether there is an agent.
    has_agent: bool,
    /// Whether there is a conversation.
    has_conversation: bool,
) -> impl IntoView {
    let steps = [
        Step {
            is_done: has_connection,
            title: "Connect a model",
            text: "The place where answers come from.",
            action: Action::ManageModels,
            href: "/models/new",
        },
        Step {
            is_done: has_agent,
            title: "Create an agent",
            text: "Instructions and a model that follows them.",
            action: Action::BuildAgents,
            href: "/agents/new",
        },
        Step {
            is_done: has_conversation,
            title: "Start a conversation",
            text: "Ask the agent something.",
            action: Action::Converse,
            href: "/conversations",
        },
    ];
    view! {
        <Card id="first-steps" title="First steps">
            <ol class="rows">{Vec::from(steps.map(step_row))}</ol>
        </Card>
    }
}

fn step_row(step: Step) -> AnyView {
    let mark = if step.is_done {
        view! { <LabelledIcon name="circle-check" label="Done" class="text-success" /> }.into_any()
    } else {
        view! { <LabelledIcon name="circle-dashed" label="To do" class="text-ink-3" /> }.into_any()
    };
    let is_link = !step.is_done && may(step.action);
    let name = if is_link {
        view! {
            <a class="link-row" href=step.href>
                {step.title}
            </a>
        }
        .into_any()
    } else {
        view! { <span class="text-ink-3">{step.title}</span> }.into_any()
    };
    view! {
        <li class=if is_link { "is-link" } else { "" }>
            {mark} <div class="min-w-0 grow">
                <p>{name}</p>
                <p class="text-xs text-ink-3">{step.text}</p>
            </div>
        </li>
    }
    .into_any()
}
