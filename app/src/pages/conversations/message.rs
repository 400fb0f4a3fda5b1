//! One message of a thread.

use domain::conversations::{Conversation, MessageRole, Variants};
use domain::events::{FinishReason, ModelSwitched};
use domain::runs::RunError;
use domain::{AgentId, ConversationId, MessageId, RunId, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_query_map;

use crate::pages::conversations::composer::to_edit;
use crate::pages::conversations::files::attached_files;
use crate::pages::conversations::html::element_id;
use crate::pages::conversations::live_message::LiveMessage;
use crate::pages::conversations::live_thread::LiveThread;
use crate::pages::conversations::reasoning::reasoning_view;
use crate::pages::conversations::server::{Regenerate, ShowBranch};
use crate::pages::conversations::tool_calls::ToolCalls;
use crate::pages::runs::way_out::way_out;
use crate::time::Age;
use crate::ui::{Avatar, Callout, Icon, Tone, live, sentence};

/// A question as a bubble, an answer as text.
#[component]
pub fn MessageView(
    /// The message.
    message: LiveMessage,
    /// Where it stands.
    thread: LiveThread,
    /// The conversation.
    conversation: StoredValue<Conversation>,
    /// Whether whoever looks may ask again.
    can_ask: bool,
    /// The server's clock when the page was read.
    now: Timestamp,
) -> impl IntoView {
    match message.role {
        MessageRole::User => {
            view! { <Question message thread conversation can_ask now /> }.into_any()
        }
        MessageRole::Assistant => {
            view! { <Answer message thread conversation can_ask now /> }.into_any()
        }
    }
}

#[component]
fn Question(
    message: LiveMessage,
    thread: LiveThread,
    conversation: StoredValue<Conversation>,
    can_ask: bool,
    now: Timestamp,
) -> impl IntoView {
    let id = conversation.with_value(|it| it.id);
    let LiveMessage {
        id: message_id,
        text,
        files,
        error,
        variants,
        run_id,
        created_at,
        ..
    } = message;
    let query = use_query_map();
    let edit = can_ask.then(|| {
        view! {
            <a
                class="btn btn-ghost btn-sm"
                class:hidden=move || thread.is_answering()
                href=move || to_edit(query, Some(message_id))
            >
                <Icon name="pencil" />
                "Edit"
            </a>
        }
        .into_any()
    });
    let agent_id = conversation.with_value(|it| it.agent_id);
    let reason = move || {
        let again = can_ask.then_some((id, message_id, thread));
        error
            .get()
            .map(|error| view! { <Reason error run_id agent_id again /> }.into_any())
    };
    view! {
        <article class="question" aria-label="You" data-message=message_id.to_string()>
            <div class="bubble whitespace-pre-wrap" dir="auto" title=crate::time::age(created_at, now)>
                {text}
            </div>
            {attached_files(files)}
            <footer class="message-foot">
                {variants_switch(id, variants)}
                <CopyButton />
                {edit}
            </footer>
            {reason}
        </article>
    }
}

#[component]
fn Answer(
    message: LiveMessage,
    thread: LiveThread,
    conversation: StoredValue<Conversation>,
    can_ask: bool,
    now: Timestamp,
) -> impl IntoView {
    let LiveMessage {
        id,
        html,
        is_empty,
        reasoning,
        thought_ms,
        tool_calls,
        switched,
        finish_reason,
        error,
        variants,
        run_id,
        created_at,
        ..
    } = message;
    let (agent_id, name) = conversation.with_value(|it| (it.agent_id, it.agent_name.clone()));
    let ended = finish_reason.clone();
    let is_writing = Memo::new(move |_| {
        ended.get().is_none()
            && thread
                .active_run
                .get()
                .is_some_and(|(active, _)| active == run_id)
    });
    // What asks for tools, or is asked for once more, goes on in the next message.
    let reason_to_end = finish_reason.clone();
    let why = error.clone();
    let is_unfinished = Memo::new(move |_| {
        is_writing.get()
            || match reason_to_end.get() {
                Some(FinishReason::ToolCalls) => true,
                Some(FinishReason::Error) => why.get().is_none(),
                _ => false,
            }
    });
    let why = error.clone();
    let note = move || match finish_reason.get()? {
        FinishReason::Length => Some("The longest allowed answer was reached."),
        FinishReason::Cancelled => Some("Stopped."),
        FinishReason::Error if why.get().is_none() => {
            Some("Not of the form that was asked for; asked for once more.")
        }
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Error => None,
    };
    let label = name.clone();
    let conversation_id = conversation.with_value(|it| it.id);
    let reason = move || {
        let again = can_ask.then_some((conversation_id, id, thread));
        error
            .get()
            .map(|error| view! { <Reason error run_id agent_id again /> }.into_any())
    };
    let has_no_word = is_empty.clone();
    let is_thinking = Memo::new(move |_| is_writing.get() && has_no_word.get());
    // An answer that failed before its first word is the reason alone.
    let is_void = Memo::new(move |_| !is_writing.get() && is_empty.get());
    view! {
        <article
            class="message"
            data-message=id.to_string()
            aria-label=label
            aria-busy=move || is_writing.get().then_some("true")
        >
            <header class="message-head">
                <Avatar id=agent_id.to_string() name=name.clone() class="avatar-agent avatar-sm" />
                <strong>{name}</strong>
                <Age at=created_at now />
            </header>
            {move || switched.get().map(switch_note)}
            {reasoning_view(reasoning, thought_ms, is_thinking)}
            <div
                class="markdown"
                class:hidden=move || is_void.get()
                class:is-writing=move || is_writing.get()
                id=element_id(id)
                inner_html=move || html.get()
            ></div>
            <ToolCalls calls=tool_calls />
            {move || note().map(|note| view! { <p class="text-xs text-ink-3">{note}</p> }.into_any())}
            {reason}
            <footer class="message-foot" class:hidden=move || is_unfinished.get()>
                {variants_switch(conversation_id, variants)}
                <CopyButton />
                {can_ask
                    .then(|| {
                        view! {
                            <AgainForm id=conversation_id message_id=id thread class="btn btn-ghost btn-sm">
                                <Icon name="rotate-cw" />
                                "Regenerate"
                            </AgainForm>
                        }
                        .into_any()
                    })}
            </footer>
        </article>
    }
}

/// The way to other messages in this place; the thread sends the form.
fn variants_switch(id: ConversationId, variants: ArcRwSignal<Option<Variants>>) -> AnyView {
    live(move || {
        let Some(variants) = variants.get() else {
            return ().into_any();
        };
        let step = |run: Option<RunId>, label: &'static str, icon: &'static str| {
            view! {
                <button
                    class="btn btn-ghost btn-sm btn-icon"
                    name="run_id"
                    value=run.map(|run| run.to_string())
                    disabled=run.is_none()
                    aria-label=label
                >
                    <Icon name=icon />
                </button>
            }
            .into_any()
        };
        view! {
            <form
                class="flex items-center tabular-nums"
                method="post"
                action=ShowBranch::url()
                aria-label="Versions"
            >
                <input type="hidden" name="id" value=id.to_string() />
                {step(variants.previous, "Version before", "chevron-left")}
                {format!("{}/{}", variants.number, variants.count)}
                {step(variants.next, "Version after", "chevron-right")}
            </form>
        }
        .into_any()
    })
}

/// Asks again; the thread sends the form. Children are the button's words.
#[component]
fn AgainForm(
    id: ConversationId,
    message_id: MessageId,
    thread: LiveThread,
    class: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <form class="contents" method="post" action=Regenerate::url()>
            <input type="hidden" name="id" value=id.to_string() />
            <input type="hidden" name="message_id" value=message_id.to_string() />
            <button class=class disabled=move || thread.is_answering()>
                {children()}
            </button>
        </form>
    }
}

/// Copies the text of the message around it; the thread listens.
#[component]
fn CopyButton() -> impl IntoView {
    view! {
        <button
            type="button"
            class="btn btn-ghost btn-sm needs-script"
            data-copy="message"
            title="Copy as Markdown"
        >
            <Icon name="copy" />
            <span>"Copy"</span>
        </button>
    }
}

/// Which model stands in for the agent's own, and why.
fn switch_note(switched: ModelSwitched) -> AnyView {
    let from = format!("{} answers in place of {}: ", switched.to, switched.from);
    view! {
        <p class="flex items-start gap-1.5 mb-2 text-xs text-ink-3">
            <Icon name="refresh-cw" class="icon-sm mt-px" />
            <span>{from} {sentence(&switched.reason)}</span>
        </p>
    }
    .into_any()
}

/// Why an answer failed, with the ways out.
#[component]
fn Reason(
    error: RunError,
    run_id: RunId,
    agent_id: AgentId,
    again: Option<(ConversationId, MessageId, LiveThread)>,
) -> impl IntoView {
    let again = again.map(|(id, message_id, thread)| {
        view! {
            <AgainForm id message_id thread class="link disabled:hidden">
                "Try again"
            </AgainForm>
        }
        .into_any()
    });
    view! {
        <Callout tone=Tone::Danger icon="circle-x">
            <p>
                <strong>"This answer failed. "</strong>
                {sentence(&error.message)}
            </p>
            <div class="flex gap-3 mt-1">
                {again}
                <a class="link" href=format!("/runs/{run_id}")>
                    "Open run"
                </a>
                {way_out(&error.kind, agent_id)}
            </div>
        </Callout>
    }
}
