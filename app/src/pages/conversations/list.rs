//! The column of conversations, and the page that starts a new one.

use domain::conversations::Conversation;
use domain::{Action, ConversationId, Paged, Timestamp};
use leptos::ev::SubmitEvent;
use leptos::html;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use leptos_router::params::ParamsMap;

use crate::layout::{Allowed, Data, FullPage, Loaded, load_by_query};
use crate::pages::conversations::chooser::AgentChooser;
use crate::pages::conversations::found::mark;
use crate::pages::conversations::server::ListConversations;
use crate::pages::runs::RunMark;
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, Icon, LabelledIcon, Pager, or};

/// One page of conversations.
pub type ConversationList = Data<AsOf<Paged<Conversation>>>;

/// The list beside the choice of an agent.
#[component]
pub fn ConversationsPage() -> impl IntoView {
    let list = use_list();
    view! {
        <FullPage title="Conversations" section="Conversations">
            <div class="grid h-full max-lg:grid-rows-[auto_minmax(0,1fr)] lg:grid-cols-[17rem_minmax(0,1fr)] [&>*]:min-w-0">
                <div class="lg:hidden border-b border-line max-h-[40dvh] overflow-y-auto">
                    <Column list current=None />
                </div>
                <div class="max-lg:hidden flex flex-col min-h-0 border-r border-line">
                    <Column list current=None />
                </div>
                <AgentChooser />
            </div>
        </FullPage>
    }
    .into_any()
}

/// The title of a conversation, or what stands for it until it has one.
pub fn shown_title(title: &str) -> String {
    or(title, "New conversation").to_owned()
}

/// The page of conversations that the address names.
pub fn use_list() -> ConversationList {
    load_by_query(|query| ListConversations {
        after: query.get("after"),
        query: query.get("query"),
    })
}

/// The list as a column.
#[component]
pub fn Column(
    /// The conversations.
    list: ConversationList,
    /// The one that is open.
    current: Option<Signal<String>>,
) -> impl IntoView {
    view! {
        <section class="flex flex-col min-h-0 grow bg-surface" aria-label="Conversations">
            <div class="flex items-center gap-1 h-12 pl-4 pr-2 shrink-0 border-b border-line max-lg:hidden">
                <h2 class="grow font-semibold">"Conversations"</h2>
                <Allowed action=Action::Converse>
                    <a
                        class="btn btn-ghost btn-icon btn-sm"
                        href="/conversations"
                        aria-label="New conversation"
                        title="New conversation"
                    >
                        <Icon name="square-pen" />
                    </a>
                </Allowed>
            </div>
            <SearchForm />
            <nav class="grow overflow-y-auto px-2 py-2" aria-label="Conversations">
                <Loaded
                    data=list
                    fallback=|| {
                        view! {
                            <p class="p-2 grid gap-3">
                                <span class="skeleton w-4/5"></span>
                                <span class="skeleton w-3/5"></span>
                                <span class="skeleton w-4/5"></span>
                            </p>
                        }.into_any()
                    }
                    view=move |AsOf { now, value }| {
                        view! { <Entries list=value now current /> }.into_any()
                    }
                />
            </nav>
        </section>
    }
}

/// Finds conversations by words; the rest of the page stays.
#[component]
fn SearchForm() -> impl IntoView {
    let query = use_query_map();
    let text = query.with_untracked(|query| query.get("query").unwrap_or_default());
    let navigate = use_navigate();
    let path = use_location().pathname;
    let field = NodeRef::<html::Input>::new();
    let on_submit = move |event: SubmitEvent| {
        let Some(field) = field.get_untracked() else {
            return;
        };
        event.prevent_default();
        let mut query = ParamsMap::new();
        let text = field.value();
        if !text.trim().is_empty() {
            query.insert("query", text);
        }
        let target = format!("{}{}", path.get_untracked(), query.to_query_string());
        navigate(&target, NavigateOptions::default());
    };
    view! {
        <form class="px-2 pt-2" method="get" role="search" on:submit=on_submit>
            <div class="input-group">
                <Icon name="search" />
                <input
                    class="input input-quiet"
                    type="search"
                    name="query"
                    value=text
                    maxlength="200"
                    placeholder="Search messages"
                    aria-label="Search conversations"
                    node_ref=field
                />
            </div>
        </form>
    }
    .into_any()
}

#[component]
fn Entries(
    list: Paged<Conversation>,
    now: Timestamp,
    current: Option<Signal<String>>,
) -> impl IntoView {
    let asked = use_query_map().get_untracked();
    let query = asked.get("query").filter(|query| !query.trim().is_empty());
    if list.items.is_empty() {
        let text = match query {
            Some(_) => "Nothing has all these words.",
            None => "No conversations yet.",
        };
        return view! { <p class="p-2 text-ink-3">{text}</p> }.into_any();
    }
    // Whoever looks through a list keeps it beside the thread.
    let mut kept = ParamsMap::new();
    if let Some(query) = query {
        kept.insert("query", query);
    }
    if let Some(after) = asked.get("after") {
        kept.insert("after", after);
    }
    let entry = move |conversation| {
        let kept = kept.clone();
        view! { <Entry conversation now current kept /> }.into_any()
    };
    view! {
        <ul>{list.items.into_iter().map(entry).collect::<Vec<_>>()}</ul>
        <Pager next=list.next />
    }
    .into_any()
}

#[component]
fn Entry(
    conversation: Conversation,
    now: Timestamp,
    current: Option<Signal<String>>,
    kept: ParamsMap,
) -> impl IntoView {
    let id: ConversationId = conversation.id;
    let is_current = Memo::new(move |_| {
        current.is_some_and(|current| current.with(|current| *current == id.to_string()))
    });
    let title = shown_title(&conversation.title);
    let mut kept = kept;
    let found = conversation
        .hit
        .as_ref()
        .map(|hit| hit.message_id.to_string());
    let excerpt = conversation.hit.map(|hit| {
        kept.insert("message", hit.message_id.to_string());
        view! {
            <span class="excerpt" dir="auto">
                {hit.before} <mark>{hit.found}</mark> {hit.after}
            </span>
        }
        .into_any()
    });
    view! {
        <li>
            <a
                class="conv"
                class:is-current=move || is_current.get()
                href=format!("/conversations/{id}{}", kept.to_query_string())
                aria-current=move || is_current.get().then_some("page")
                // The address stays the same when it is followed once more.
                on:click=move |_| {
                    if let Some(id) = &found {
                        mark(id);
                    }
                }
            >
                <Avatar
                    id=conversation.agent_id.to_string()
                    name=conversation.agent_name.clone()
                    class="avatar-agent avatar-sm"
                />
                <span class="min-w-0 grow">
                    <span class="block truncate text-ink">{title}</span>
                    <span class="block truncate text-xs text-ink-3">
                        {conversation.agent_name} " · " <Age at=conversation.updated_at now />
                    </span>
                    {excerpt}
                </span>
                {conversation
                    .is_pinned
                    .then(|| {
                        view! {
                            <LabelledIcon name="pin" label="Pinned" class="icon-sm text-ink-3" />
                        }
                        .into_any()
                    })}
                <RunMark status=conversation.run_status />
            </a>
        </li>
    }
}
