//! The tasks that a page waits for. One that panics would leave its page waiting until it is too
//! late for any answer, so the page is told.

use std::panic::AssertUnwindSafe;

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use futures::FutureExt;
use leptos::prelude::use_context;
use tokio_util::sync::CancellationToken;

/// Tells whoever renders a page that one of its tasks panicked. In the page's context.
#[derive(Clone, Debug, Default)]
pub struct Panicked(CancellationToken);

impl Panicked {
    /// Waits for a panic, for ever if there is none.
    pub async fn happened(&self) {
        self.0.cancelled().await;
    }
}

/// Has Leptos spawn its tasks here. Once for the whole process, before the first page.
pub fn start() {
    if Executor::init_custom_executor(PageTasks).is_err() {
        tracing::error!("tasks of pages are spawned by somebody else");
    }
}

struct PageTasks;

impl CustomExecutor for PageTasks {
    fn spawn(&self, task: PinnedFuture<()>) {
        // Whose page it is says the context in which it is spawned.
        let panicked = use_context::<Panicked>();
        tokio::spawn(async move {
            let has_panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            if let (true, Some(panicked)) = (has_panicked, panicked) {
                panicked.0.cancel();
            }
        });
    }

    fn spawn_local(&self, task: PinnedLocalFuture<()>) {
        tokio::task::spawn_local(task);
    }

    fn poll_local(&self) {}
}
