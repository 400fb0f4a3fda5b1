//! Tells clients that what they were shown has changed.

use std::time::Duration;

use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam};
use rmcp::service::{Peer, RoleServer, SubscriptionContext, SubscriptionSink};
use tokio::task::{AbortHandle, JoinSet};

use super::listing::Marks;
use super::{Caller, Followed, GatewayCaller, MAX_FOLLOWED};

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

impl Follower {
    /// Tells the client of one session of changes of one resource until it is dropped.
    pub(super) fn of_resource(
        caller: Caller,
        uri: String,
        first: Followed,
        peer: Peer<RoleServer>,
    ) -> Self {
        let tell = Tell::Session(peer);
        Self(tokio::spawn(follow(caller, uri, first, tell)).abort_handle())
    }
}

/// Who is told of a changed resource.
enum Tell {
    Session(Peer<RoleServer>),
    Subscription(SubscriptionSink),
}

impl Tell {
    /// Whether the client was still there.
    async fn updated(&self, uri: &str) -> bool {
        match self {
            Self::Session(peer) => {
                let notice = ResourceUpdatedNotificationParam::new(uri);
                peer.notify_resource_updated(notice).await.is_ok()
            }
            Self::Subscription(sink) => sink.notify_resource_updated(uri).await.is_ok(),
        }
    }
}

/// Follows a resource for as long as its client is there and may, from one connection to the next.
async fn follow(Caller(caller): Caller, uri: String, first: Followed, tell: Tell) {
    let following = async {
        let mut followed = first;
        loop {
            while followed.following.changed().await {
                if !tell.updated(&uri).await {
                    return;
                }
            }
            drop(followed);
            let Some(next) = again(caller.as_ref(), &uri).await else {
                return;
            };
            followed = next;
            // What has changed meanwhile is not known.
            if !tell.updated(&uri).await {
                return;
            }
        }
    };
    tokio::select! {
        () = following => {}
        () = caller.access_ends() => {}
    }
}

async fn again(caller: &dyn GatewayCaller, uri: &str) -> Option<Followed> {
    for pause in [1, 2, 4, 8, 16, 32] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        if let Ok(followed) = caller.follow(uri).await {
            return Some(followed);
        }
    }
    None
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves one subscription of revision 2026-07-28 until it ends.
pub(super) async fn listen(
    who: &Caller,
    subscription: &SubscriptionContext,
) -> Result<(), ErrorData> {
    let caller = who.0.as_ref();
    let uris = subscription.accepted().resource_subscriptions.clone();
    // Ended with the subscription.
    let mut resources = JoinSet::new();
    for uri in uris.unwrap_or_default().into_iter().take(MAX_FOLLOWED) {
        let tell = Tell::Subscription(subscription.sink().clone());
        // What cannot be followed is not told of; the list says what there is.
        if let Ok(first) = caller.follow(&uri).await {
            resources.spawn(follow(who.clone(), uri, first, tell));
        }
    }
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
