//! A run's status as a pill, loud only while something happens or a person is needed.

use domain::runs::RunStatus;
use leptos::prelude::*;

use crate::ui::{LabelledIcon, Pill, Tone};

struct Look {
    tone: Tone,
    icon: &'static str,
    icon_class: &'static str,
    label: &'static str,
    class: &'static str,
}

/// Icon and word.
#[component]
pub fn RunState(
    /// The status.
    status: RunStatus,
) -> impl IntoView {
    let Look {
        tone,
        icon,
        icon_class,
        label,
        class,
    } = look(status);
    view! { <Pill tone icon label class icon_class /> }
}

/// Icon only, for dense lists; nothing for answered runs.
#[component]
pub fn RunMark(
    /// The status.
    status: Option<RunStatus>,
) -> impl IntoView {
    let (name, class) = match status? {
        RunStatus::Completed | RunStatus::Cancelled => return None,
        RunStatus::Failed => ("circle-x", "icon-sm text-danger"),
        RunStatus::Waiting => ("hand", "icon-sm text-warning"),
        RunStatus::Queued => ("clock", "icon-sm text-ink-3"),
        RunStatus::Running => ("loader-circle", "icon-sm text-accent-ink spin"),
    };
    let label = look(status?).label;
    Some(view! { <LabelledIcon name label class /> }.into_any())
}

fn look(status: RunStatus) -> Look {
    let (tone, icon, label, class) = match status {
        RunStatus::Queued => (Tone::Neutral, "clock", "Queued", "pill-quiet pill-compact"),
        RunStatus::Running => (Tone::Accent, "loader-circle", "Running", "pill-compact"),
        RunStatus::Waiting => (Tone::Warning, "hand", "Waiting", "pill-compact"),
        RunStatus::Completed => (
            Tone::Success,
            "circle-check",
            "Completed",
            "pill-quiet pill-compact",
        ),
        RunStatus::Failed => (Tone::Danger, "circle-x", "Failed", "pill-compact"),
        RunStatus::Cancelled => (
            Tone::Neutral,
            "circle-slash",
            "Cancelled",
            "pill-quiet pill-compact",
        ),
    };
    let icon_class = if status == RunStatus::Running {
        "spin"
    } else {
        ""
    };
    Look {
        tone,
        icon,
        icon_class,
        label,
        class,
    }
}
