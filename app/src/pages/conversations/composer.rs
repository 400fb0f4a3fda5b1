//! Where messages are written.

use domain::ConversationId;
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use crate::pages::conversations::live_thread::LiveThread;
use crate::pages::conversations::server::PostMessage;
use crate::pages::runs::server::CancelRun;
use crate::ui::{FormAction, FormAlert, FormErrors, Icon, live, on_change, sentence, use_toasts};

/// A growing text field; `Enter` sends, `Shift Enter` breaks the line.
#[component]
pub fn Composer(
    /// The conversation.
    id: ConversationId,
    /// The agent's name.
    agent_name: String,
    /// Marks the messages of this page.
    message_key: String,
    /// Tells which run can be stopped.
    thread: LiveThread,
) -> impl IntoView {
    let post = FormAction::<PostMessage>::new();
    let errors = post.errors();
    let field = NodeRef::<html::Textarea>::new();
    let keys = MessageKeys::new(message_key.clone());
    let sent = StoredValue::new(String::new());
    let send = move || {
        let Some(field) = field.get_untracked() else {
            return;
        };
        let text = field.value();
        if !text.trim().is_empty() {
            field.set_value("");
            let key = keys.key_for(post);
            sent.set_value(text.clone());
            post.send(PostMessage { id, text, key });
        }
    };
    restore_on_failure(errors, sent, field);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        send();
    };
    let on_keydown = move |event: KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            send();
        }
    };
    let prompt = format!("Message {agent_name}");
    view! {
        <form
            class="shrink-0 px-4 pb-4 pt-1"
            aria-label="Message"
            method="post"
            action=PostMessage::url()
            on:submit=on_submit
        >
            <input type="hidden" name="id" value=id.to_string() />
            <input type="hidden" name="key" value=message_key />
            <div class="max-w-(--container-form) mx-auto grid gap-2">
                <FormAlert errors fields=&[] />
                <div class="composer">
                    <label class="sr-only" for="message">
                        {prompt.clone()}
                    </label>
                    <textarea
                        id="message"
                        name="text"
                        rows="1"
                        placeholder=prompt
                        aria-keyshortcuts="Enter"
                        required
                        node_ref=field
                        on:keydown=on_keydown
                    ></textarea>
                    <div class="composer-bar">
                        <span class="grow"></span>
                        <StopButton thread />
                        <button class="btn btn-primary btn-icon" type="submit" aria-label="Send">
                            <Icon name="arrow-up" />
                        </button>
                    </div>
                </div>
            </div>
        </form>
    }
}

/// Keys under which the server takes a message once.
#[derive(Clone, Copy)]
struct MessageKeys {
    page: StoredValue<String>,
    used: StoredValue<u32>,
}

impl MessageKeys {
    fn new(page: String) -> Self {
        Self {
            page: StoredValue::new(page),
            used: StoredValue::new(0),
        }
    }

    /// The last key again after a failure, since that message may have arrived; else a new one.
    fn key_for(self, post: FormAction<PostMessage>) -> String {
        if !post.has_failed() {
            self.used.update_value(|used| *used += 1);
        }
        format!("{}-{}", self.page.get_value(), self.used.get_value())
    }
}

/// What was typed comes back if the server did not take it and nothing new was typed.
fn restore_on_failure(
    errors: FormErrors,
    sent: StoredValue<String>,
    field: NodeRef<html::Textarea>,
) {
    on_change(move || {
        let has_failed = errors.error().is_some();
        if let Some(field) = field.get_untracked().filter(|_| has_failed)
            && field.value().is_empty()
        {
            field.set_value(&sent.get_value());
        }
    });
}

/// Stops the active run; without JavaScript it sends the form it stands in elsewhere.
#[component]
fn StopButton(thread: LiveThread) -> impl IntoView {
    let stop = FormAction::<CancelRun>::new();
    let toasts = use_toasts();
    on_change(move || {
        if let Some(Err(error)) = stop.value().get() {
            toasts.failure(sentence(&error.to_string()));
        }
    });
    live(move || match thread.active_run.get() {
        Some((run_id, _)) => view! {
            <button
                class="btn btn-secondary"
                type="submit"
                formnovalidate
                formaction=CancelRun::url()
                name="run_id"
                value=run_id.to_string()
                aria-busy=move || stop.pending().get().then_some("true")
                on:click=move |event| {
                    event.prevent_default();
                    stop.send(CancelRun { run_id });
                }
            >
                <Icon name="square" class="icon-sm fill-current" />
                " Stop"
            </button>
        }
        .into_any(),
        None => ().into_any(),
    })
}
