//! One message of a thread.

use domain::conversations::{Conversation, MessageRole};
use domain::events::FinishReason;
use domain::runs::RunError;
use domain::{RunId, Timestamp};
use leptos::prelude::*;

use crate::pages::conversations::live_thread::{LiveMessage, LiveThread};
use crate::pages::conversations::tool_calls::ToolCalls;
use crate::time::Age;
use crate::ui::{Avatar, Callout, Tone, sentence};

/// A question as a bubble, an answer as text.
#[component]
pub fn MessageView(
    /// The message.
    message: LiveMessage,
    /// Where it stands.
    thread: LiveThread,
    /// The conversation.
    conversation: StoredValue<Conversation>,
    /// The server's clock when the page was read.
    now: Timestamp,
) -> impl IntoView {
    match message.role {
        MessageRole::User => view! { <Question message now /> }.into_any(),
        MessageRole::Assistant => view! { <Answer message thread conversation now /> }.into_any(),
    }
}

#[component]
fn Question(message: LiveMessage, now: Timestamp) -> impl IntoView {
    let LiveMessage {
        text,
        error,
        run_id,
        created_at,
        ..
    } = message;
    view! {
        <article class="contents" aria-label="You">
            <div class="bubble whitespace-pre-wrap" title=crate::time::age(created_at, now)>
                {move || text.get()}
            </div>
            {move || error.get().map(|error| view! { <Reason error run_id /> }.into_any())}
        </article>
    }
}

#[component]
fn Answer(
    message: LiveMessage,
    thread: LiveThread,
    conversation: StoredValue<Conversation>,
    now: Timestamp,
) -> impl IntoView {
    let LiveMessage {
        text,
        tool_calls,
        finish_reason,
        error,
        run_id,
        created_at,
        ..
    } = message;
    let (agent_id, name) =
        conversation.with_value(|it| (it.agent_id.to_string(), it.agent_name.clone()));
    let ended = finish_reason.clone();
    let is_writing = Memo::new(move |_| {
        ended.get().is_none()
            && thread
                .active_run
                .get()
                .is_some_and(|(active, _)| active == run_id)
    });
    let note = move || match finish_reason.get()? {
        FinishReason::Length => Some("The longest allowed answer was reached."),
        FinishReason::Cancelled => Some("Stopped."),
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Error => None,
    };
    let label = name.clone();
    let shown = text.clone();
    // An answer that failed before its first word is the reason alone.
    let is_void = Memo::new(move |_| !is_writing.get() && shown.with(String::is_empty));
    view! {
        <article
            class="message"
            aria-label=label
            aria-busy=move || is_writing.get().then_some("true")
        >
            <header class="message-head">
                <Avatar id=agent_id name=name.clone() class="avatar-agent avatar-sm" />
                <strong>{name}</strong>
                <Age at=created_at now />
            </header>
            <div class="markdown" class:hidden=move || is_void.get()>
                <p class="whitespace-pre-wrap">
                    <span>{move || text.get()}</span>
                    {move || {
                        is_writing
                            .get()
                            .then(|| view! { <span class="caret" aria-hidden="true"></span> }.into_any())
                    }}
                </p>
            </div>
            <ToolCalls calls=tool_calls />
            {move || note().map(|note| view! { <p class="text-xs text-ink-3">{note}</p> }.into_any())}
            {move || error.get().map(|error| view! { <Reason error run_id /> }.into_any())}
        </article>
    }
}

/// Why an answer failed, with the ways out.
#[component]
fn Reason(error: RunError, run_id: RunId) -> impl IntoView {
    view! {
        <Callout tone=Tone::Danger icon="circle-x">
            <p>
                <strong>"This answer failed. "</strong>
                {sentence(&error.message)}
            </p>
            <p class="flex gap-3 mt-1">
                <a class="link" href=format!("/runs/{run_id}")>
                    "Open run"
                </a>
                <a class="link" href="/models">
                    "Check the models"
                </a>
            </p>
        </Callout>
    }
}
