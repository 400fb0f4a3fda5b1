//! Icons of the sprite `public/icons.svg`.

use leptos::prelude::*;

/// A decorative icon.
#[component]
pub fn Icon(
    /// Name in the sprite, without `i-`.
    name: &'static str,
    /// More classes.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    view! {
        <svg class=format!("icon {class}") aria-hidden="true">
            <use_ href=format!("/icons.svg#i-{name}") />
        </svg>
    }
}

/// A decorative icon whose name is data.
#[component]
pub fn NamedIcon(
    /// Name in the sprite, without `i-`.
    name: String,
) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true">
            <use_ href=format!("/icons.svg#i-{name}") />
        </svg>
    }
}

/// An icon that says something no word beside it says.
#[component]
pub fn LabelledIcon(
    /// Name in the sprite, without `i-`.
    name: &'static str,
    /// What it says.
    label: &'static str,
    /// More classes.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    view! {
        <svg class=format!("icon {class}") role="img" aria-label=label>
            <use_ href=format!("/icons.svg#i-{name}") />
        </svg>
    }
}
