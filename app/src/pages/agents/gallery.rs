//! What a new agent can start from.

use domain::Action;
use leptos::prelude::*;

use crate::layout::may;
use crate::pages::agents::server::TemplateCard;
use crate::ui::NamedIcon;

/// "Blank agent", then the templates; each is a link that fills the form.
#[component]
pub fn Gallery(
    /// The templates.
    templates: Vec<TemplateCard>,
    /// Key of the one that was picked; empty for none.
    picked: String,
) -> impl IntoView {
    let blank = TemplateCard {
        key: String::new(),
        icon: "plus".to_owned(),
        name: "Blank agent".to_owned(),
        summary: "Write the instructions yourself.".to_owned(),
    };
    let cards = std::iter::once(blank)
        .chain(templates)
        .map(|card| tile(card, &picked))
        .collect::<Vec<_>>();
    view! {
        <nav class="mb-6" aria-label="Templates">
            <ul class="grid gap-2 max-sm:grid-flow-col max-sm:auto-cols-[15rem] max-sm:overflow-x-auto max-sm:-mx-4 max-sm:px-4 max-sm:pb-2 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4">
                {cards}
            </ul>
        </nav>
    }
    .into_any()
}

fn tile(card: TemplateCard, picked: &str) -> AnyView {
    let is_picked = card.key == picked;
    let href = match card.key.is_empty() {
        true => "/agents/new".to_owned(),
        false => format!("/agents/new?template={}", card.key),
    };
    let class = match is_picked {
        true => "card flex gap-3 p-3 h-full no-underline !border-accent-line !bg-accent-soft",
        false => "card flex gap-3 p-3 h-full no-underline hover:bg-hover",
    };
    view! {
        <li>
            <a class=class href=href aria-current=is_picked.then_some("true")>
                <span class="tile" aria-hidden="true">
                    <NamedIcon name=card.icon />
                </span>
                <span class="min-w-0">
                    <span class="block font-medium">{card.name}</span>
                    <span class="block text-xs text-ink-2 line-clamp-2">{card.summary}</span>
                </span>
            </a>
        </li>
    }
    .into_any()
}

/// Servers of the catalog that the picked template is better with.
pub fn suggestions(suggested: Vec<(String, String)>) -> Option<AnyView> {
    let is_linked = may(Action::ManageTools);
    let last = suggested.len().saturating_sub(1);
    let names = suggested
        .into_iter()
        .enumerate()
        .map(|(index, (key, title))| {
            let name = match is_linked {
                true => view! {
                    <a class="link" href=format!("/tools/catalog/{key}")>
                        {title}
                    </a>
                }
                .into_any(),
                false => title.into_any(),
            };
            let gap = (index < last).then_some(", ");
            view! {
                {name}
                {gap}
            }
            .into_any()
        })
        .collect::<Vec<_>>();
    (!names.is_empty()).then(|| {
        view! {
            <p class="mb-4 text-ink-2">
                "Works better with one of these tool servers: " {names} "."
            </p>
        }
        .into_any()
    })
}
