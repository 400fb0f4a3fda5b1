//! Meaning by colour, always with an icon and a word.

use leptos::prelude::*;

use crate::ui::Icon;

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Neutral,
    /// Under way.
    Accent,
    /// Good.
    Success,
    /// Needs a look.
    Warning,
    /// Failed.
    Danger,
}

impl Tone {
    /// The suffix of the tone's classes.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Accent => "accent",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

/// A state: icon and word. Settled states are quiet, without a fill.
#[component]
pub fn Pill(
    /// The colour.
    tone: Tone,
    /// Name of the icon.
    icon: &'static str,
    /// The word.
    label: &'static str,
    /// More classes: `pill-quiet`, `pill-compact`.
    #[prop(optional)]
    class: &'static str,
    /// More classes of the icon.
    #[prop(optional)]
    icon_class: &'static str,
) -> impl IntoView {
    view! {
        <span class=format!("pill pill-{} {class}", tone.suffix())>
            <Icon name=icon class=icon_class />
            <span>{label}</span>
        </span>
    }
}
