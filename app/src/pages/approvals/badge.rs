//! The number of questions that wait, in the navigation.

use leptos::prelude::*;

use crate::layout::{awaited, load};
use crate::pages::approvals::server::CountApprovals;
use crate::ui::every;

/// Seconds between two looks.
const EVERY_SECONDS: u64 = 20;

/// How many questions wait; nothing if none does.
#[component]
pub fn PendingBadge() -> impl IntoView {
    let count = load(|| CountApprovals {});
    every(EVERY_SECONDS, move || count.refetch());
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
