//! One page inside the frame: top bar and content.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::layout::ThemeMenu;
use crate::ui::{Icon, SkeletonRows};

/// A page that scrolls as a whole.
#[component]
pub fn Page(
    /// Title of the window.
    #[prop(into)]
    title: String,
    /// First crumb.
    section: &'static str,
    /// Address of the section, if this page is below it.
    #[prop(optional)]
    href: &'static str,
    /// Content of `main`.
    children: Children,
) -> impl IntoView {
    view! {
        <Title text=title.clone() />
        <TopBar section href detail=title class="" />
        <main id="main" class="min-w-0" tabindex="-1">
            {children()}
        </main>
    }
}

/// A page as high as the window, whose parts scroll by themselves.
#[component]
pub fn FullPage(
    /// Title of the window.
    #[prop(into)]
    title: String,
    /// The crumb.
    section: &'static str,
    /// More classes of the top bar.
    #[prop(optional)]
    bar_class: &'static str,
    /// Content of `main`.
    children: Children,
) -> impl IntoView {
    view! {
        <Title text=title />
        <div class="flex flex-col h-dvh">
            <TopBar section href="" detail=String::new() class=bar_class />
            <main id="main" class="min-w-0 grow min-h-0" tabindex="-1">
                {children()}
            </main>
        </div>
    }
}

/// Heading of a page; children are its buttons.
#[component]
pub fn PageHead(
    /// The heading.
    #[prop(into)]
    title: String,
    /// One sentence below it.
    #[prop(into)]
    lead: String,
    /// The buttons.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <header class="page-head">
            <div class="grow min-w-0 basis-72">
                <h1 class="page-title break-words">{title}</h1>
                <p class="page-lead">{lead}</p>
            </div>
            {children.map(|children| view! { <div class="toolbar">{children()}</div> }.into_any())}
        </header>
    }
}

/// A page whose content is on its way.
#[component]
pub fn PageSkeleton(
    /// Title of the window.
    title: &'static str,
    /// The crumb.
    section: &'static str,
) -> impl IntoView {
    view! {
        <Page title section>
            <div class="page">
                <SkeletonRows />
            </div>
        </Page>
    }
    .into_any()
}

#[component]
fn TopBar(
    section: &'static str,
    href: &'static str,
    detail: String,
    class: &'static str,
) -> impl IntoView {
    let crumbs = if href.is_empty() {
        view! {
            <li class="min-w-0">
                <span aria-current="page">{section}</span>
            </li>
        }
        .into_any()
    } else {
        view! {
            <li class="max-sm:hidden">
                <a href=href>{section}</a>
            </li>
            <li class="min-w-0">
                <span aria-current="page">{detail}</span>
            </li>
        }
        .into_any()
    };
    view! {
        <header class=format!("topbar shrink-0 {class}")>
            <button
                class="btn btn-ghost btn-icon lg:hidden -ml-2"
                type="button"
                popovertarget="nav"
                aria-label="Open navigation"
            >
                <Icon name="menu" />
            </button>
            <nav aria-label="Breadcrumb" class="min-w-0">
                <ol class="crumbs">{crumbs}</ol>
            </nav>
            <div class="ml-auto flex items-center gap-1">
                <ThemeMenu place="right-0 top-full mt-1" />
            </div>
        </header>
    }
}
