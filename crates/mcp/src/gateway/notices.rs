//! Tells clients that what they were shown has changed.

use std::time::Duration;

use rmcp::model::ErrorData;
use rmcp::service::{Peer, RoleServer, SubscriptionContext};
use tokio::task::AbortHandle;

use super::listing::Marks;
use super::{Caller, GatewayCaller};

/// Changes within so long are told as one.
const GATHER: Duration = Duration::from_millis(50);

/// Tells the client of one session until it is dropped.
#[derive(Debug)]
pub(super) struct Follower(AbortHandle);

impl Follower {
    pub(super) fn start(Caller(caller): Caller, peer: Peer<RoleServer>) -> Self {
        let follow = async move {
            let mut changes = caller.changes();
            let mut known = marks(caller.as_ref()).await;
            let ended = caller.access_ends();
            tokio::pin!(ended);
            loop {
                tokio::select! {
                    () = &mut ended => return,
                    changed = changes.changed() => if changed.is_err() { return },
                }
                tokio::time::sleep(GATHER).await;
                let now = marks(caller.as_ref()).await;
                let (Some(before), Some(after)) = (known, now) else {
                    known = now.or(known);
                    continue;
                };
                known = now;
                let told = async {
                    if before.tools != after.tools {
                        peer.notify_tool_list_changed().await?;
                    }
                    if before.prompts != after.prompts {
                        peer.notify_prompt_list_changed().await?;
                    }
                    if before.resources != after.resources {
                        peer.notify_resource_list_changed().await?;
                    }
                    Ok::<_, rmcp::ServiceError>(())
                };
                if told.await.is_err() {
                    return;
                }
            }
        };
        Self(tokio::spawn(follow).abort_handle())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves one subscription of revision 2026-07-28 until it ends.
pub(super) async fn listen(
    caller: &dyn GatewayCaller,
    subscription: &SubscriptionContext,
) -> Result<(), ErrorData> {
    let sink = subscription.sink();
    let mut changes = caller.changes();
    let mut known = marks(caller).await;
    let ended = caller.access_ends();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            () = subscription.cancelled() => return Ok(()),
            () = &mut ended => return Ok(()),
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
        }
        tokio::time::sleep(GATHER).await;
        let now = marks(caller).await;
        let (Some(before), Some(after)) = (known, now) else {
            known = now.or(known);
            continue;
        };
        known = now;
        let wants = subscription.accepted();
        let is_gone = async {
            if before.tools != after.tools && wants.tools_list_changed == Some(true) {
                sink.notify_tool_list_changed().await.ok()?;
            }
            if before.prompts != after.prompts && wants.prompts_list_changed == Some(true) {
                sink.notify_prompt_list_changed().await.ok()?;
            }
            if before.resources != after.resources && wants.resources_list_changed == Some(true) {
                sink.notify_resource_list_changed().await.ok()?;
            }
            Some(())
        };
        if is_gone.await.is_none() {
            return Ok(());
        }
    }
}

async fn marks(caller: &dyn GatewayCaller) -> Option<Marks> {
    caller
        .list()
        .await
        .ok()
        .map(|listing| listing.shown().marks)
}
