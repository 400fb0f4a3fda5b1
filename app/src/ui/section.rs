//! A part of a page with a heading.

use leptos::prelude::*;

/// Heading, one sentence, content; a line sets it off from the part before.
#[component]
pub fn Section(
    /// The heading.
    title: &'static str,
    /// One sentence below it; may be empty.
    #[prop(optional)]
    lead: &'static str,
    /// The content.
    children: Children,
) -> impl IntoView {
    view! {
        <section
            class="grid gap-4 py-6 border-t border-line first:border-0 first:pt-0"
            aria-label=title
        >
            <div>
                <h2 class="section-title">{title}</h2>
                {(!lead.is_empty()).then(|| view! { <p class="text-ink-3">{lead}</p> }.into_any())}
            </div>
            {children()}
        </section>
    }
    .into_any()
}
