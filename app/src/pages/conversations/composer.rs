//! Where messages are written.

use domain::{ConversationId, MessageId};
use leptos::ev::{ClipboardEvent, KeyboardEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use leptos_router::params::ParamsMap;
use web_sys::{FileList, HtmlInputElement};

use crate::pages::conversations::drafts;
use crate::pages::conversations::live_thread::LiveThread;
use crate::pages::conversations::server::PostMessage;
use crate::pages::conversations::uploads::{self, Tray, Upload};
use crate::pages::runs::server::CancelRun;
use crate::ui::{
    FormAction, FormAlert, Icon, escaped, live, on_change, or, sentence, use_toasts, when_done,
};

/// A growing text field; `Enter` sends, `Shift Enter` breaks the line.
#[component]
pub fn Composer(
    /// The conversation.
    id: ConversationId,
    /// The agent's name.
    agent_name: String,
    /// Marks the messages of this page.
    message_key: String,
    /// Tells which run can be stopped, and what the writer sees.
    thread: LiveThread,
    /// Files of the next message.
    tray: Tray,
    /// Called when a message is on its way.
    sent: Callback<()>,
) -> impl IntoView {
    let post = FormAction::<PostMessage>::new();
    let errors = post.errors();
    let field = NodeRef::<html::Textarea>::new();
    let keys = MessageKeys::new(message_key.clone());
    let sent_text = StoredValue::new(String::new());
    let sent_files = StoredValue::new(Vec::<Upload>::new());
    let toasts = use_toasts();
    let edited = edited_message(id, thread, field, tray, post);
    let first_text = edited
        .get_untracked()
        .and_then(|id| thread.text_of(id))
        .unwrap_or_default();
    // Another message is sent once it is known what became of the one before.
    let is_next = StoredValue::new(false);
    let is_sending = post.pending();
    let send = move || {
        let Some(field) = field.get_untracked() else {
            return;
        };
        let text = field.value();
        if is_sending.get_untracked() {
            is_next.set_value(true);
        } else if tray.is_busy() {
            toasts.failure("Wait until the files are uploaded, or remove them.".to_owned());
        } else if !text.trim().is_empty() {
            field.set_value("");
            let files = tray.take();
            let attachments = uploads::ids(&files);
            sent_files.set_value(files);
            let key = keys.key_for(post);
            sent_text.set_value(text.clone());
            let replaces = edited.get_untracked();
            if replaces.is_none() {
                drafts::keep(id, "");
                drafts::keep_sent(id, &text);
            }
            post.send(PostMessage {
                id,
                text,
                key,
                replaces,
                head_run_id: thread.head(),
                attachments,
            });
            // A field in view takes the focus, also after a click on the button.
            let _ = field.focus();
            sent.run(());
        }
    };
    on_change(move || {
        if !is_sending.get() && is_next.get_value() {
            is_next.set_value(false);
            if !post.has_failed() {
                send();
            }
        }
    });
    when_done(post.has_succeeded(), move || drafts::keep_sent(id, ""));
    on_change(move || {
        if errors.error().is_some() {
            // It may have arrived nevertheless, also where leaving the page has ended the request.
            restore_text(sent_text, field);
            if let (None, Some(field)) = (edited.get_untracked(), field.get_untracked()) {
                drafts::keep(id, &field.value());
            }
            tray.put_back(sent_files.get_value());
        }
    });
    begin_with_draft(id, thread, field);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        send();
    };
    let on_keydown = move |event: KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() && !is_composing(&event) && !is_touched() {
            event.prevent_default();
            send();
        }
    };
    let head = thread.head().map(|id| id.to_string()).unwrap_or_default();
    let prompt = format!("Message {agent_name}");
    view! {
        <form
            class="shrink-0 px-4 pb-4 pt-1"
            aria-label="Message"
            method="post"
            enctype="multipart/form-data"
            action=format!("/conversations/{id}/messages")
            on:submit=on_submit
        >
            <input type="hidden" name="id" value=id.to_string() />
            <input type="hidden" name="key" value=message_key />
            <input type="hidden" name="head_run_id" value=head />
            <div class="max-w-(--container-form) mx-auto grid gap-2">
                <FormAlert errors fields=&[] />
                {edit_note(edited)}
                <div class="composer">
                    {uploads::tray_view(tray)}
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
                        dir="auto"
                        node_ref=field
                        on:keydown=on_keydown
                        on:input=move |event| {
                            if edited.get_untracked().is_none() {
                                let text = event_target_value(&event);
                                drafts::keep(id, &text);
                                if text.is_empty() {
                                    drafts::keep_sent(id, "");
                                }
                            }
                        }
                        on:paste=move |event: ClipboardEvent| {
                            if let Some(files) = pasted_files(&event) {
                                event.prevent_default();
                                tray.add(&files);
                            }
                        }
                        inner_html=escaped(&first_text)
                    ></textarea>
                    <div class="composer-bar">
                        <label class="btn btn-ghost attach" title="Attach files">
                            <Icon name="paperclip" />
                            <span class="sr-only">"Attach files"</span>
                            <input
                                type="file"
                                name="file"
                                multiple
                                on:change=move |event| {
                                    let input: HtmlInputElement = event_target(&event);
                                    if let Some(files) = input.files() {
                                        tray.add(&files);
                                    }
                                    // The same file can be chosen again.
                                    input.set_value("");
                                }
                            />
                        </label>
                        <span class="grow"></span>
                        <StopButton thread field />
                        <button class="btn btn-primary btn-icon" type="submit" aria-label="Send">
                            <Icon name="arrow-up" />
                        </button>
                    </div>
                </div>
            </div>
        </form>
    }
}

/// The message that the address asks to edit. Its text stands in the field meanwhile; what stood
/// there before comes back.
fn edited_message(
    conversation_id: ConversationId,
    thread: LiveThread,
    field: NodeRef<html::Textarea>,
    tray: Tray,
    post: FormAction<PostMessage>,
) -> Memo<Option<MessageId>> {
    let query = use_query_map();
    let edited = Memo::new(move |_| {
        let id = query.with(|query| query.get("edit")?.parse().ok());
        // The way back may lead to a message of another branch.
        id.filter(|id| thread.text_of(*id).is_some())
    });
    let draft: StoredValue<Option<(String, Vec<Upload>)>> = StoredValue::new(None);
    on_change(move || {
        let edited = edited.get();
        let Some(field) = field.get() else { return };
        let kept = draft.try_update_value(Option::take).flatten();
        match (edited, kept) {
            (Some(id), kept) => {
                let text = thread.text_of(id).unwrap_or_default();
                let written = || {
                    let written = Some(field.value()).filter(|written| *written != text);
                    (written.unwrap_or_default(), tray.take())
                };
                draft.set_value(Some(kept.unwrap_or_else(written)));
                tray.fill(thread.files_of(id));
                field.set_value(&text);
                // A field in view takes the focus.
                let _ = field.focus();
            }
            (None, Some((text, files))) => {
                drafts::keep(conversation_id, &text);
                tray.take();
                tray.put_back(files);
                field.set_value(&text);
            }
            (None, None) => {}
        }
    });
    let navigate = use_navigate();
    let path = use_location().pathname;
    when_done(post.has_succeeded(), move || {
        if edited.get_untracked().is_some() {
            // The way back does not lead to editing once more.
            let options = NavigateOptions {
                replace: true,
                ..NavigateOptions::default()
            };
            let target = format!(
                "{}{}",
                path.get_untracked(),
                untrack(|| to_edit(query, None))
            );
            navigate(&target, options);
        }
    });
    edited
}

/// The page's query with another message to edit, or none. The list beside it stays.
pub fn to_edit(query: Memo<ParamsMap>, message: Option<MessageId>) -> String {
    let mut query = query.get();
    query.remove("edit");
    query.remove("message");
    if let Some(message) = message {
        query.insert("edit", message.to_string());
    }
    or(&query.to_query_string(), "?").to_owned()
}

/// What was typed here before comes back, and who has a keyboard can type at once.
fn begin_with_draft(id: ConversationId, thread: LiveThread, field: NodeRef<html::Textarea>) {
    on_change(move || {
        let Some(field) = field.get() else { return };
        // The page was left before it was known what became of it.
        let sent = drafts::find_sent(id);
        if !sent.is_empty() {
            drafts::keep_sent(id, "");
            let draft = drafts::find(id);
            match thread.was_asked(&sent) {
                true if draft == sent => drafts::keep(id, ""),
                false if draft.is_empty() => drafts::keep(id, &sent),
                _ => {}
            }
        }
        if field.value().is_empty() {
            field.set_value(&drafts::find(id));
        }
        let active = document().active_element();
        let is_free = active.is_none_or(|active| active.tag_name() == "BODY");
        if is_free && !is_touched() {
            // A field in view takes the focus.
            let _ = field.focus();
        }
    });
}

/// Whether a key belongs to the choice of a character: Safari tells so by the code alone.
fn is_composing(event: &KeyboardEvent) -> bool {
    const COMPOSING: u32 = 229;
    event.is_composing() || event.key_code() == COMPOSING
}

/// Whether fingers are at work: their keyboard has no other way to a new line than `Enter`.
fn is_touched() -> bool {
    let media = window().match_media("(pointer: coarse)").ok().flatten();
    media.is_some_and(|media| media.matches())
}

/// Files that are pasted. Office programs add a picture to text, which is what is wanted.
fn pasted_files(event: &ClipboardEvent) -> Option<FileList> {
    let data = event.clipboard_data()?;
    let has = |kind| data.get_data(kind).is_ok_and(|text| !text.is_empty());
    let is_text = has("text/plain") && has("text/html");
    data.files().filter(|files| files.length() > 0 && !is_text)
}

/// Says that a message is edited, with the way back.
fn edit_note(edited: Memo<Option<MessageId>>) -> AnyView {
    let query = use_query_map();
    live(move || {
        match edited.get() {
        Some(id) => view! {
            <p class="flex items-center gap-2 text-xs text-ink-3">
                <input type="hidden" name="replaces" value=id.to_string() />
                <Icon name="pencil" class="icon-sm" />
                "Sending this begins another branch; what followed the old message stays on its own."
                <a class="link ml-auto shrink-0" href=move || to_edit(query, None)>
                    "Cancel"
                </a>
            </p>
        }
        .into_any(),
        None => ().into_any(),
    }
    })
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

/// What was typed comes back if the server did not take it, before what was typed since.
fn restore_text(sent_text: StoredValue<String>, field: NodeRef<html::Textarea>) {
    if let Some(field) = field.get_untracked() {
        let texts = [sent_text.get_value(), field.value()];
        field.set_value(texts.join("\n\n").trim());
    }
}

/// Stops the active run; without JavaScript it sends the form it stands in elsewhere.
#[component]
fn StopButton(thread: LiveThread, field: NodeRef<html::Textarea>) -> impl IntoView {
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
                formenctype="application/x-www-form-urlencoded"
                name="run_id"
                value=run_id.to_string()
                aria-busy=move || stop.pending().get().then_some("true")
                on:click=move |event| {
                    event.prevent_default();
                    stop.send(CancelRun { run_id });
                    // The button goes, and the focus with it.
                    if let Some(field) = field.get_untracked() {
                        let _ = field.focus();
                    }
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
