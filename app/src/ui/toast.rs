//! Short remarks in the corner.

use std::time::Duration;

use leptos::prelude::*;

use crate::ui::{Icon, Keyed, keyed};

/// Remarks on screen.
#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    count: StoredValue<u32>,
}

#[derive(Clone)]
struct Toast {
    number: u32,
    is_failure: bool,
    text: String,
}

/// How long good news stays.
const STAY: Duration = Duration::from_secs(5);

/// Makes the remarks available to the whole app.
pub fn provide_toasts() -> Toasts {
    let toasts = Toasts {
        shown: RwSignal::new(Vec::new()),
        count: StoredValue::new(0),
    };
    provide_context(toasts);
    toasts
}

/// The remarks of the app.
pub fn use_toasts() -> Toasts {
    use_context().unwrap_or_else(provide_toasts)
}

impl Toasts {
    /// Shows that something worked, for a while.
    pub fn success(self, text: impl Into<String>) {
        let number = self.push(text.into(), false);
        set_timeout(move || self.dismiss(number), STAY);
    }

    /// Shows that something failed, until it is dismissed.
    pub fn failure(self, text: impl Into<String>) {
        self.push(text.into(), true);
    }

    fn push(self, text: String, is_failure: bool) -> u32 {
        self.count.update_value(|count| *count += 1);
        let number = self.count.get_value();
        let toast = Toast {
            number,
            is_failure,
            text,
        };
        self.shown.update(|shown| shown.push(toast));
        number
    }

    fn dismiss(self, number: u32) {
        self.shown
            .update(|shown| shown.retain(|toast| toast.number != number));
    }
}

/// The corner where remarks appear.
#[component]
pub fn ToastRegion(
    /// The remarks.
    toasts: Toasts,
) -> impl IntoView {
    let toast = move |toast: Toast| {
        let (icon, tint, role) = if toast.is_failure {
            ("circle-x", "text-danger", "alert")
        } else {
            ("circle-check", "text-success", "status")
        };
        view! {
            <div class="toast pointer-events-auto" role=role>
                <Icon name=icon class=tint />
                <p class="grow">{toast.text}</p>
                <button
                    class="btn btn-ghost btn-icon btn-sm -my-1"
                    type="button"
                    aria-label="Dismiss"
                    on:click=move |_| toasts.dismiss(toast.number)
                >
                    <Icon name="x" />
                </button>
            </div>
        }
        .into_any()
    };
    let entries = move || {
        let entry = |shown: Toast| Keyed::new(shown.number.to_string(), move || toast(shown));
        toasts
            .shown
            .get()
            .into_iter()
            .map(entry)
            .collect::<Vec<_>>()
    };
    view! {
        <div class="fixed right-4 top-16 z-50 grid gap-2 pointer-events-none">
            {keyed(entries)}
        </div>
    }
}
