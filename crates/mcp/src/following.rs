//! One resource of a server, followed as it changes.
#![expect(deprecated, reason = "servers of 2025 know nothing else")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ClientRequest, SubscribeRequest, SubscribeRequestParams, SubscriptionFilter,
    UnsubscribeRequest, UnsubscribeRequestParams,
};
use rmcp::service::{Peer, RoleClient, Subscription};
use tokio::sync::broadcast;

use crate::connection::{CLOSE_TIMEOUT, Connection};
use crate::error::CallError;

/// Notices that may wait for a slow follower; one that missed some is told of a change anyway.
const CAPACITY: usize = 64;
/// How often it is looked whether the connection still is there.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a server of 2025 tells of its resources, shared by all that follow some.
#[derive(Clone, Debug)]
pub(crate) struct ResourceNotices {
    pub(crate) sender: broadcast::Sender<String>,
    /// How many follow each resource: the last one that leaves unsubscribes.
    followers: Arc<Mutex<HashMap<String, usize>>>,
}

/// A resource that is followed; dropping it ends that.
#[derive(Debug)]
pub struct Following(Source);

#[derive(Debug)]
enum Source {
    /// By a subscription of 2026-07-28.
    Listening(Box<Subscription>),
    /// By notices on the connection.
    Told(Told),
}

#[derive(Debug)]
struct Told {
    uri: String,
    notices: broadcast::Receiver<String>,
    shared: ResourceNotices,
    peer: Peer<RoleClient>,
}

impl Connection {
    /// Follows a resource.
    ///
    /// # Errors
    /// See [`CallError`]; `Server` if the server does not tell of changes.
    pub async fn follow(&self, uri: &str) -> Result<Following, CallError> {
        let info = self.service.peer_info();
        let tells = info.is_some_and(|info| {
            let resources = info.capabilities.resources.as_ref();
            resources.is_some_and(|resources| resources.subscribe == Some(true))
        });
        if !tells {
            let why = "it does not tell of changed resources";
            return Err(CallError::Server(why.to_owned()));
        }
        if self.is_modern() {
            let mut filter = SubscriptionFilter::default();
            filter.resource_subscriptions = Some(vec![uri.to_owned()]);
            let listening = self.service.peer().listen(filter);
            let listening = tokio::time::timeout(SUBSCRIBE_TIMEOUT, listening).await;
            let listening = listening.map_err(|_| CallError::Timeout {
                seconds: SUBSCRIBE_TIMEOUT.as_secs(),
            })?;
            return Ok(Following(Source::Listening(Box::new(listening?))));
        }
        let shared = self.service.service().resources.clone();
        let told = Told {
            uri: uri.to_owned(),
            // From here on nothing is missed.
            notices: shared.sender.subscribe(),
            shared: shared.clone(),
            peer: self.service.peer().clone(),
        };
        *shared.lock().entry(uri.to_owned()).or_default() += 1;
        let params = SubscribeRequestParams::new(uri);
        let request = ClientRequest::SubscribeRequest(SubscribeRequest::new(params));
        self.request(request, SUBSCRIBE_TIMEOUT).await?;
        Ok(Following(Source::Told(told)))
    }
}

impl Following {
    /// Waits for the next change; `false` once the connection has ended. Safe to cancel.
    pub async fn changed(&mut self) -> bool {
        match &mut self.0 {
            Source::Listening(subscription) => matches!(subscription.next().await, Ok(Some(_))),
            Source::Told(told) => told.changed().await,
        }
    }
}

impl Told {
    async fn changed(&mut self) -> bool {
        loop {
            tokio::select! {
                notice = self.notices.recv() => match notice {
                    Ok(uri) if uri == self.uri => return true,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return true,
                    Err(broadcast::error::RecvError::Closed) => return false,
                },
                () = tokio::time::sleep(LOOK_EVERY) => if self.peer.is_transport_closed() {
                    return false;
                },
            }
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        {
            let mut followers = self.shared.lock();
            if let Some(count) = followers.get_mut(&self.uri) {
                *count -= 1;
                if *count > 0 {
                    return;
                }
            }
            followers.remove(&self.uri);
        }
        let (peer, uri) = (self.peer.clone(), std::mem::take(&mut self.uri));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let params = UnsubscribeRequestParams::new(uri);
                let request = ClientRequest::UnsubscribeRequest(UnsubscribeRequest::new(params));
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, peer.send_request(request)).await;
            });
        }
    }
}

impl ResourceNotices {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ResourceNotices {
    fn default() -> Self {
        Self {
            sender: broadcast::channel(CAPACITY).0,
            followers: Arc::default(),
        }
    }
}
