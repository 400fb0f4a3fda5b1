//! Changes that a server of 2026-07-28 tells of: it is asked for them, and again whenever that ends.

use std::sync::Arc;
use std::time::Duration;

use outbound::jitter;
use rmcp::model::{ErrorCode, ServerCapabilities, SubscriptionFilter};
use rmcp::service::{Peer, RoleClient, RunningService, ServiceError};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::handler::Handler;

/// Longest time until a server agrees to tell.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before it is asked again; doubled each time until it lasts.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A server that told for so long is asked again after the first pause.
const LASTING: Duration = Duration::from_secs(30);

/// Hears of changes in the newest revision, where a client asks for that; `None` if the server tells
/// of none.
pub(crate) fn listen(service: &RunningService<RoleClient, Handler>) -> Option<AbortHandle> {
    let info = service.peer_info()?;
    if info.protocol_version.has_initialize() {
        return None;
    }
    let filter = notices(&info.capabilities)?;
    let peer = service.peer().clone();
    let changed = service.service().changed.clone();
    Some(tokio::spawn(keep_listening(peer, filter, changed)).abort_handle())
}

/// A deploy or a proxy ends the stream, and nothing is told that happened in between: each
/// subscription but the first counts as a change.
async fn keep_listening(peer: Peer<RoleClient>, filter: SubscriptionFilter, changed: Arc<Notify>) {
    let mut pause = FIRST_PAUSE;
    let mut is_first = true;
    while !peer.is_transport_closed() {
        let begun = Instant::now();
        match timeout(LISTEN_TIMEOUT, peer.listen(filter.clone())).await {
            Ok(Ok(mut subscription)) => {
                if !is_first {
                    changed.notify_one();
                }
                while let Ok(Some(_)) = subscription.next().await {
                    changed.notify_one();
                }
            }
            Ok(Err(ServiceError::McpError(error))) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                return;
            }
            Ok(Err(_)) | Err(_) => {}
        }
        is_first = false;
        if begun.elapsed() >= LASTING {
            pause = FIRST_PAUSE;
        }
        sleep(pause + jitter(pause / 4)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The changes that a server tells of, if any.
fn notices(has: &ServerCapabilities) -> Option<SubscriptionFilter> {
    let mut filter = SubscriptionFilter::builder();
    let tools = has.tools.as_ref().and_then(|tools| tools.list_changed);
    let prompts = has
        .prompts
        .as_ref()
        .and_then(|prompts| prompts.list_changed);
    let resources = has.resources.as_ref().and_then(|it| it.list_changed);
    if tools == Some(true) {
        filter = filter.tools_list_changed();
    }
    if prompts == Some(true) {
        filter = filter.prompts_list_changed();
    }
    if resources == Some(true) {
        filter = filter.resources_list_changed();
    }
    let tells = [tools, prompts, resources].contains(&Some(true));
    tells.then(|| filter.build())
}
