//! Cards that hold a list, and rows that lead somewhere.

use leptos::prelude::*;

/// A card with a heading; children are its content.
#[component]
pub fn Card(
    /// Element id of the heading, unique on the page.
    id: &'static str,
    /// The heading.
    title: &'static str,
    /// Address and words of the link beside it.
    #[prop(optional)]
    link: Option<(&'static str, &'static str)>,
    /// The content.
    children: Children,
) -> impl IntoView {
    let link = link.map(|(href, label)| {
        view! {
            <a class="btn btn-ghost btn-sm" href=href>
                {label}
            </a>
        }
        .into_any()
    });
    view! {
        <section class="card" aria-labelledby=id>
            <header class="card-head">
                <h2 class="card-title grow" id=id>
                    {title}
                </h2>
                {link}
            </header>
            {children()}
        </section>
    }
    .into_any()
}

/// A row that leads somewhere as a whole.
#[component]
pub fn LinkRow(
    /// What stands before the words.
    mark: AnyView,
    /// Where it leads.
    href: String,
    /// The words.
    title: String,
    /// Small words below them.
    detail: AnyView,
    /// What stands at the end.
    end: Option<AnyView>,
) -> impl IntoView {
    view! {
        <li class="is-link">
            {mark}
            <div class="min-w-0 grow">
                <p class="truncate">
                    <a class="link-row" href=href>
                        {title}
                    </a>
                </p>
                <p class="text-xs text-ink-3 truncate">{detail}</p>
            </div>
            {end}
        </li>
    }
    .into_any()
}
