//! The search of the agents list.

use leptos::ev::SubmitEvent;
use leptos::html;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};

use crate::ui::Icon;

/// Finds agents by words and keeps the chosen tag; a plain form until there is a script.
#[component]
pub fn SearchForm() -> impl IntoView {
    let query = use_query_map();
    let text = query.with_untracked(|query| query.get("search").unwrap_or_default());
    let tag = Memo::new(move |_| query.with(|query| query.get("tag")).unwrap_or_default());
    let navigate = use_navigate();
    let field = NodeRef::<html::Input>::new();
    let on_submit = move |event: SubmitEvent| {
        let Some(field) = field.get_untracked() else {
            return;
        };
        event.prevent_default();
        let mut query = query.get_untracked();
        query.remove("after");
        query.remove("search");
        let text = field.value();
        if !text.trim().is_empty() {
            query.insert("search", text);
        }
        let target = format!("/agents{}", query.to_query_string());
        navigate(&target, NavigateOptions::default());
    };
    view! {
        <form
            class="toolbar mb-4"
            method="get"
            action="/agents"
            role="search"
            on:submit=on_submit
        >
            <label class="input-group grow sm:max-w-72">
                <span class="sr-only">"Search agents"</span>
                <Icon name="search" class="icon-sm" />
                <input
                    class="input"
                    type="search"
                    name="search"
                    value=text
                    maxlength="200"
                    placeholder="Name, instructions or tool"
                    autocomplete="off"
                    node_ref=field
                />
            </label>
            <input
                type="hidden"
                name="tag"
                value=move || tag.get()
                disabled=move || tag.with(String::is_empty)
            />
            <button class="btn btn-secondary">"Search"</button>
        </form>
    }
    .into_any()
}
