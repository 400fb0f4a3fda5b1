//! The number of questions that wait, in the navigation.

use leptos::prelude::*;

use crate::layout::{awaited, load};
use crate::pages::approvals::server::CountApprovals;
use crate::ui::{every, on_change};

/// Seconds between two looks.
const EVERY_SECONDS: u64 = 20;

/// Tells the badge that a question came or went, as far as the page hears of it.
#[derive(Clone, Copy)]
pub struct ApprovalNews(RwSignal<u32>);

impl ApprovalNews {
    /// Has the badge look again.
    pub fn tell(self) {
        // The page may be gone by now.
        self.0.try_update(|count| *count = count.wrapping_add(1));
    }
}

/// Lets pages tell of questions.
pub fn provide_approval_news() {
    provide_context(ApprovalNews(RwSignal::new(0)));
}

/// Where questions are told of.
pub fn use_approval_news() -> ApprovalNews {
    expect_context()
}

/// How many questions wait; nothing if none does.
#[component]
pub fn PendingBadge() -> impl IntoView {
    let count = load(|| CountApprovals {});
    every(EVERY_SECONDS, move || count.refetch());
    let news = use_approval_news();
    on_change(move || {
        if news.0.get() > 0 {
            count.refetch();
        }
    });
    awaited(ViewFn::from(|| ()), move || {
        Box::pin(async move {
            match count.await {
                Ok(0) | Err(_) => ().into_any(),
                Ok(count) => view! {
                    <span class="count count-accent" aria-label=format!("{count} waiting")>
                        {count.min(99).to_string()}
                    </span>
                }
                .into_any(),
            }
        })
    })
}
