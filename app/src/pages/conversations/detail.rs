//! The page of one conversation.

use domain::ConversationId;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::layout::{FullPage, Loaded, load_by_id};
use crate::pages::conversations::list::{Column, ConversationList, shown_title, use_list};
use crate::pages::conversations::server::{OpenThread, ThreadPage};
use crate::pages::conversations::thread_view::ThreadView;
use crate::time::AsOf;
use crate::ui::alone;

/// The list beside one thread; on narrow screens the thread alone.
#[component]
pub fn ConversationPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id")).unwrap_or_default());
    let list = use_list();
    let query = use_query_map();
    let thread = load_by_id(move |id: ConversationId| OpenThread {
        id,
        before: query.with_untracked(|query| query.get("before")),
    });
    let refresh_list = Callback::new(move |()| list.refetch());
    view! {
        <Loaded
            section="Conversations"
            data=thread
            fallback=move || {
                view! { <Layout title=String::new() list id><ThreadSkeleton /></Layout> }.into_any()
            }
            view=move |AsOf { now, value: ThreadPage { thread, message_key } }| {
                let title = shown_title(&thread.conversation.title);
                let key = thread.conversation.id.to_string();
                let shown = move || {
                    view! { <ThreadView thread message_key now refresh_list /> }.into_any()
                };
                view! {
                    <Layout title list id>
                        {alone(key, shown)}
                    </Layout>
                }
                .into_any()
            }
        />
    }
    .into_any()
}

#[component]
fn Layout(
    title: String,
    list: ConversationList,
    id: Memo<String>,
    children: Children,
) -> impl IntoView {
    view! {
        <FullPage title section="Conversations" bar_class="max-lg:hidden">
            <div class="grid h-full lg:grid-cols-[17rem_minmax(0,1fr)] [&>*]:min-w-0 [&>*]:min-h-0">
                <div class="max-lg:hidden flex flex-col border-r border-line">
                    <Column list current=Some(id.into()) />
                </div>
                {children()}
            </div>
        </FullPage>
    }
}

#[component]
fn ThreadSkeleton() -> impl IntoView {
    view! {
        <div class="thread" aria-busy="true">
            <span class="skeleton w-2/5 self-end"></span>
            <span class="skeleton w-4/5"></span>
            <span class="skeleton w-3/5"></span>
        </div>
    }
}
