//! The frame of the pages before the sign-in.

use leptos::prelude::*;

use crate::layout::ThemeMenu;
use crate::ui::Icon;

/// Mark, content, version.
#[component]
pub fn EntranceFrame(
    /// Width of the content.
    class: &'static str,
    /// The content.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="min-h-dvh grid grid-rows-[1fr_auto] bg-canvas">
            <main class=format!("w-full mx-auto px-4 py-12 self-center {class}") id="main">
                <div class="flex items-center gap-2.5 mb-8">
                    <span class="grid place-items-center size-8 rounded-md bg-ink text-ink-inverse">
                        <Icon name="mark" class="icon-lg" />
                    </span>
                    <span class="text-lg font-semibold">"AgentArea"</span>
                </div>
                {children()}
            </main>
            <footer class="flex items-center justify-between px-6 py-4 text-xs text-ink-3">
                <span>{concat!("AgentArea ", env!("CARGO_PKG_VERSION"), ", self-hosted")}</span>
                <ThemeMenu place="right-0 bottom-full mb-1" />
            </footer>
        </div>
    }
}
