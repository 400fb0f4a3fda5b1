//! Loading, empty and explained states.

use leptos::prelude::*;

use crate::ui::{Icon, Tone};

/// A remark in a box.
#[component]
pub fn Callout(
    /// The colour.
    tone: Tone,
    /// Name of the icon.
    icon: &'static str,
    /// More classes.
    #[prop(optional)]
    class: &'static str,
    /// What it says.
    children: Children,
) -> impl IntoView {
    let role = (tone == Tone::Danger).then_some("alert");
    view! {
        <div class=format!("callout callout-{} {class}", tone.suffix()) role=role>
            <Icon name=icon />
            <div class="min-w-0 grow">{children()}</div>
        </div>
    }
}

/// What stands where content would be.
#[component]
pub fn Empty(
    /// Name of the icon.
    icon: &'static str,
    /// What is missing.
    title: &'static str,
    /// What to do.
    text: &'static str,
    /// The way out, if there is one.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <span class="tile tile-lg">
                <Icon name=icon />
            </span>
            <strong>{title}</strong>
            <p>{text}</p>
            {children.map(|children| view! { <div class="toolbar">{children()}</div> }.into_any())}
        </div>
    }
    .into_any()
}

/// What stands where a list would be.
#[component]
pub fn EmptyCard(
    /// Name of the icon.
    icon: &'static str,
    /// What is missing.
    title: &'static str,
    /// What to do.
    text: &'static str,
    /// Address and words of the way out, if there is one.
    link: Option<(&'static str, &'static str)>,
    /// Classes of the link.
    #[prop(default = "btn btn-secondary btn-sm")]
    class: &'static str,
) -> impl IntoView {
    let empty = match link {
        Some((href, label)) => view! {
            <Empty icon title text>
                <a class=class href=href>
                    {label}
                </a>
            </Empty>
        }
        .into_any(),
        None => view! { <Empty icon title text /> }.into_any(),
    };
    view! { <div class="card">{empty}</div> }.into_any()
}

/// Rows of a list on their way.
#[component]
pub fn SkeletonRows(
    /// How many.
    #[prop(default = 4)]
    count: usize,
) -> impl IntoView {
    let row = |_| {
        view! {
            <div>
                <span class="skeleton !size-7 !rounded-md"></span>
                <span class="grow grid gap-2">
                    <span class="skeleton w-3/5"></span>
                    <span class="skeleton w-2/5 !h-2.5"></span>
                </span>
            </div>
        }
        .into_any()
    };
    view! {
        <div class="card" aria-busy="true">
            <div class="rows">{(0..count).map(row).collect::<Vec<_>>()}</div>
        </div>
    }
}
