//! One conversation: head, messages, composer.

use std::cell::Cell;

use domain::conversations::{Conversation, Thread};
use domain::{Action, Cursor, Timestamp};
use leptos::ev::{DragEvent, Event};
use leptos::html;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::layout::may;
use crate::pages::conversations::actions::ConversationMenu;
use crate::pages::conversations::composer::Composer;
use crate::pages::conversations::deeds::{Deeds, copy_clicked};
use crate::pages::conversations::found::show_found;
use crate::pages::conversations::list::shown_title;
use crate::pages::conversations::live_message::LiveMessage;
use crate::pages::conversations::live_thread::LiveThread;
use crate::pages::conversations::message::MessageView;
use crate::pages::conversations::stream::follow;
use crate::pages::conversations::uploads::{Tray, dragged_files};
use crate::pages::runs::RunState;
use crate::ui::{self, Avatar, Callout, Empty, Icon, Keyed, Tone, keyed, on_change};

/// How far above the end the way back to it is shown, in pixels.
const FAR_PX: i32 = 300;
/// How near the beginning older messages are asked for, in pixels.
const NEAR_PX: i32 = 800;

/// The thread; follows its events while it is shown.
#[component]
pub fn ThreadView(
    /// The snapshot to start from.
    thread: Thread,
    /// Marks the messages of this page.
    message_key: String,
    /// The server's clock.
    now: Timestamp,
    /// Called when the list beside it is out of date.
    refresh_list: Callback<()>,
) -> impl IntoView {
    let live = LiveThread::new(&thread);
    let Thread {
        conversation,
        is_archived,
        ..
    } = thread;
    let can_ask = !is_archived && may(Action::Converse);
    show_end_of_conversation(live);
    show_found(live, conversation.id);
    let is_interrupted = follow(live, conversation.id);
    let is_later = Cell::new(false);
    on_change(move || {
        live.ended_runs.track();
        if is_later.replace(true) {
            refresh_list.run(());
        }
    });
    let scroller = NodeRef::<html::Div>::new();
    let show_end = Callback::new(move |()| {
        if let Some(scroller) = scroller.get_untracked() {
            scroller.set_scroll_top(0);
        }
    });
    read_on_after_reading(live, scroller);
    let is_away = RwSignal::new(false);
    let tray = Tray::new();
    let foot = if is_archived {
        view! {
            <FootNote
                title="The agent was deleted. "
                text="This conversation stays readable; new messages are refused."
            />
        }
        .into_any()
    } else if !may(Action::Converse) {
        view! { <FootNote title="You may read along. " text="Your role does not write messages." /> }
            .into_any()
    } else {
        let agent_name = conversation.agent_name.clone();
        view! {
            <Composer id=conversation.id agent_name message_key thread=live tray sent=show_end />
        }
        .into_any()
    };
    let head = conversation.clone();
    let stored = StoredValue::new(conversation);
    let is_empty = Memo::new(move |_| live.messages.with(Vec::is_empty));
    let messages = move || {
        let messages = live.messages.get().into_iter();
        let entry = |message: LiveMessage| {
            Keyed::new(message.id.to_string(), move || {
                view! { <MessageView message thread=live conversation=stored can_ask now /> }
                    .into_any()
            })
        };
        messages.map(entry).collect::<Vec<_>>()
    };
    let deeds = Deeds::new(live);
    view! {
        <section
            class="flex flex-col min-h-0"
            aria-label="Conversation"
            on:dragover=move |event: DragEvent| {
                if can_ask && dragged_files(&event).is_some() {
                    event.prevent_default();
                }
            }
            on:drop=move |event: DragEvent| {
                if let Some(files) = dragged_files(&event).filter(|_| can_ask) {
                    event.prevent_default();
                    tray.add(&files);
                }
            }
        >
            <ThreadHead conversation=head live refresh_list />
            <div
                class="grow min-h-0 overflow-y-auto flex flex-col-reverse aria-busy:[overflow-anchor:none]"
                tabindex="0"
                aria-label="Messages"
                aria-busy=move || live.is_reading.get().then_some("true")
                node_ref=scroller
                on:scroll=move |event| read_on(&event, live, is_away)
            >
                <div
                    class="thread mb-auto"
                    role="log"
                    aria-live="off"
                    on:click=move |event| copy_clicked(&event, live)
                    on:submit=move |event| deeds.submit(&event)
                >
                    {older_link(live)}
                    {ui::live(move || match is_empty.get() {
                        true => view! {
                            <Empty
                                icon="messages-square"
                                title="Nothing said yet"
                                text="Write the first message below."
                            />
                        }
                        .into_any(),
                        false => ().into_any(),
                    })}
                    {keyed(messages)}
                </div>
            </div>
            {ui::live(move || match is_interrupted.get() {
                true => view! { <p class="note-line px-4 py-1">"Connection lost, trying again"</p> }
                    .into_any(),
                false => ().into_any(),
            })}
            {deeds.alerts()}
            {latest_button(is_away, show_end)}
            {foot}
            <div class="sr-only" role="status" aria-live="polite">
                {move || live.announcement.get()}
            </div>
        </section>
    }
}

/// The address may name a window in the middle, for pages without script; with it, the end is
/// shown, where the stream goes on.
fn show_end_of_conversation(live: LiveThread) {
    let query = use_query_map();
    on_change(move || {
        if query.with_untracked(|query| query.get("before")).is_some() {
            live.reload();
        }
    });
}

/// The way back to the end, while it is out of sight.
fn latest_button(is_away: RwSignal<bool>, show_end: Callback<()>) -> AnyView {
    ui::live(move || match is_away.get() {
        true => view! {
            <div class="latest">
                <button
                    class="btn btn-secondary btn-icon"
                    type="button"
                    title="Latest message"
                    aria-label="Latest message"
                    on:click=move |_| show_end.run(())
                >
                    <Icon name="arrow-down" />
                </button>
            </div>
        }
        .into_any(),
        false => ().into_any(),
    })
}

/// Reads older messages when the reader comes near them, and notes whether the end is out of sight.
fn read_on(event: &Event, live: LiveThread, is_away: RwSignal<bool>) {
    let list = event.target().and_then(|it| it.dyn_into::<Element>().ok());
    let Some(list) = list else { return };
    // The list begins at its end: positions before it are negative.
    let is_far = list.scroll_top() < -FAR_PX;
    if is_away.get_untracked() != is_far {
        is_away.set(is_far);
    }
    if is_near_beginning(&list) {
        live.read_older();
    }
}

/// Reads on if the reader came near the beginning while older messages were on their way.
fn read_on_after_reading(live: LiveThread, scroller: NodeRef<html::Div>) {
    let seen = StoredValue::new(live.older.get_untracked());
    on_change(move || {
        let older = live.older.get();
        // What could not be read is not asked for again.
        if live.is_reading.get() || seen.get_value() == older {
            return;
        }
        seen.set_value(older);
        if scroller
            .get_untracked()
            .is_some_and(|list| is_near_beginning(&list))
        {
            live.read_older();
        }
    });
}

fn is_near_beginning(list: &Element) -> bool {
    let above = list.scroll_height() - list.client_height() + list.scroll_top();
    above < NEAR_PX
}

fn older_link(live: LiveThread) -> AnyView {
    ui::live(move || match live.older.get() {
        Some(Cursor(before)) => view! {
            <p class="note-line">
                <a
                    class="link"
                    href=format!("?before={before}")
                    on:click=move |event| {
                        event.prevent_default();
                        live.read_older();
                    }
                >
                    "Older messages"
                </a>
            </p>
        }
        .into_any(),
        None => ().into_any(),
    })
}

#[component]
fn ThreadHead(
    conversation: Conversation,
    live: LiveThread,
    refresh_list: Callback<()>,
) -> impl IntoView {
    let title = live.title;
    let agent_id = conversation.agent_id.to_string();
    let state = move || {
        live.active_run
            .get()
            .map(|(_, status)| view! { <RunState status /> }.into_any())
    };
    let menu = may(Action::Converse)
        .then(|| view! { <ConversationMenu id=conversation.id title is_pinned=conversation.is_pinned refresh_list /> }.into_any());
    view! {
        <Title text=move || title.with(|title| shown_title(title)) />
        <header class="flex items-center gap-2 h-12 pl-4 pr-2 shrink-0 border-b border-line">
            <a
                class="btn btn-ghost btn-icon lg:hidden -ml-2.5"
                href="/conversations"
                aria-label="All conversations"
            >
                <Icon name="arrow-left" />
            </a>
            <Avatar
                id=agent_id.clone()
                name=conversation.agent_name.clone()
                class="avatar-agent"
            />
            <div class="min-w-0 grow">
                <h1 class="truncate font-semibold leading-4">{move || title.with(|title| shown_title(title))}</h1>
                <p class="truncate text-xs text-ink-3">
                    <a class="hover:text-ink" href=format!("/agents/{agent_id}")>
                        {conversation.agent_name}
                    </a>
                    {conversation.uses_draft.then_some(" · tries its draft")}
                </p>
            </div>
            {state}
            {menu}
        </header>
    }
}

#[component]
fn FootNote(title: &'static str, text: &'static str) -> impl IntoView {
    view! {
        <div class="shrink-0 px-4 pb-4 pt-1">
            <div class="max-w-(--container-form) mx-auto">
                <Callout tone=Tone::Warning icon="info">
                    <p>
                        <strong>{title}</strong>
                        {text}
                    </p>
                </Callout>
            </div>
        </div>
    }
}
