//! What a model thought before it answered.

use leptos::prelude::*;

use crate::ui::{Icon, live};

/// The thoughts, folded up; nothing if there are none.
pub fn reasoning_view(
    text: ArcRwSignal<String>,
    thought_ms: ArcRwSignal<Option<u64>>,
    is_thinking: Memo<bool>,
) -> AnyView {
    // Whoever has unfolded it keeps it so while it grows.
    let known = text.clone();
    let has_text = Memo::new(move |_| known.with(|text| !text.is_empty()));
    live(move || {
        if !has_text.get() {
            return ().into_any();
        }
        let (text, thought_ms) = (text.clone(), thought_ms.clone());
        let label = live(move || {
            let words = match is_thinking.get() {
                true => "Thinking…".to_owned(),
                false => thought_for(thought_ms.get()),
            };
            view! { <span>{words}</span> }.into_any()
        });
        view! {
            <details class="mb-2 text-ink-3 group">
                <summary class="inline-flex items-center gap-1.5 text-sm cursor-pointer hover:text-ink list-none">
                    <Icon name="chevron-right" class="icon-sm group-open:rotate-90" />
                    {label}
                </summary>
                <div class="mt-1.5 ml-1.5 pl-3 border-l-2 border-line text-sm whitespace-pre-wrap [overflow-wrap:anywhere] max-h-96 overflow-y-auto">
                    {move || text.get()}
                </div>
            </details>
        }
        .into_any()
    })
}

/// `Thought for 12 s`
fn thought_for(ms: Option<u64>) -> String {
    match ms.map(|ms| ms.div_ceil(1_000)) {
        None => "Thoughts".to_owned(),
        Some(seconds @ 0..60) => format!("Thought for {} s", seconds.max(1)),
        Some(seconds) => format!("Thought for {} min {:02} s", seconds / 60, seconds % 60),
    }
}
