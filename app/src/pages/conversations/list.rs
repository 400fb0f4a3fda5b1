//! The column of conversations, and the page that starts a new one.

use domain::conversations::Conversation;
use domain::{Action, ConversationId, Paged, Timestamp};
use leptos::prelude::*;

use crate::layout::{Allowed, Data, FullPage, Loaded, load_page};
use crate::pages::conversations::chooser::AgentChooser;
use crate::pages::conversations::server::ListConversations;
use crate::pages::runs::RunMark;
use crate::time::{Age, AsOf};
use crate::ui::{Avatar, Icon, Pager, or};

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
    load_page(|after| ListConversations { after })
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

#[component]
fn Entries(
    list: Paged<Conversation>,
    now: Timestamp,
    current: Option<Signal<String>>,
) -> impl IntoView {
    if list.items.is_empty() {
        return view! { <p class="p-2 text-ink-3">"No conversations yet."</p> }.into_any();
    }
    let entry = move |conversation| view! { <Entry conversation now current /> }.into_any();
    view! {
        <ul>{list.items.into_iter().map(entry).collect::<Vec<_>>()}</ul>
        <Pager path="/conversations" next=list.next />
    }
    .into_any()
}

#[component]
fn Entry(
    conversation: Conversation,
    now: Timestamp,
    current: Option<Signal<String>>,
) -> impl IntoView {
    let id: ConversationId = conversation.id;
    let is_current = Memo::new(move |_| {
        current.is_some_and(|current| current.with(|current| *current == id.to_string()))
    });
    let title = shown_title(&conversation.title);
    view! {
        <li>
            <a
                class="conv"
                class:is-current=move || is_current.get()
                href=format!("/conversations/{id}")
                aria-current=move || is_current.get().then_some("page")
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
                </span>
                <RunMark status=conversation.run_status />
            </a>
        </li>
    }
}
