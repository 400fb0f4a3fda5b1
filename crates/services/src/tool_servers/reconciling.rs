//! Brings what is to what is desired, for the servers that run in containers.
//!
//! Each process says again and again what it holds and ends what it may not go on running. One of
//! them, by a lease, also looks for servers of the whole fleet that nobody holds and that are not as
//! they should be: their owner died, or never began.

use std::time::Duration;

use domain::mcp_servers::DesiredState;
use futures::{FutureExt, StreamExt, stream};
use store::mcp_instances::Astray;
use store::panics::{caught, panics};
use tokio_util::sync::CancellationToken;

use super::ToolServers;
use crate::mint;

/// How often all of it is done at least.
const ROUND: Duration = Duration::from_secs(3);
/// How soon after news of a change, so that many changes are one.
const SOON: Duration = Duration::from_millis(50);
/// Rounds between two looks at the engine.
const SWEEP_EVERY: u32 = 3;
/// Time between two looks for images that nobody needs, and between two questions whose turn it is.
const IMAGES: Duration = Duration::from_secs(600);
const IMAGES_TURN: Duration = Duration::from_secs(15);
/// Time between two looks at what containers use.
const LOOK: Duration = Duration::from_secs(5);
/// Servers that one process starts at once by itself.
const STARTS: usize = 4;

impl ToolServers {
    /// Reconciles until `stopping`.
    pub(super) fn reconcile(&self, stopping: CancellationToken) {
        if !self.containers.runs_here() {
            return;
        }
        let this = self.clone();
        tokio::spawn(provisioner::remove_dead_doors());
        tokio::spawn(async move {
            let all =
                async { tokio::join!(this.go_round(), this.lead(), this.look(), this.tidy()) };
            tokio::select! {
                () = stopping.cancelled() => {}
                ((), (), (), ()) = all => {}
            }
        });
    }

    /// Never waits for a server: leases would run out.
    async fn go_round(&self) {
        let mut changes = self.directory.changes();
        let mut round = 0_u32;
        loop {
            let (beaten, _) =
                tokio::join!(caught(self.containers.beat()), panics(self.keep_held()));
            if let Err(error) = beaten {
                tracing::warn!(%error, "cannot say that this process lives");
            }
            if round.is_multiple_of(SWEEP_EVERY) {
                let containers = self.containers.clone();
                tokio::spawn(async move { containers.sweep().await });
            }
            round = round.wrapping_add(1);
            let next = tokio::time::sleep(ROUND);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    changed = changes.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        tokio::time::sleep(SOON).await;
                        panics(self.keep_held()).await;
                    }
                }
            }
        }
    }

    /// Says what is held, and ends what may not go on.
    async fn keep_held(&self) {
        for ending in self.containers.prolong().await {
            self.pool.disconnect(ending.id);
            if !ending.is_gentle {
                let containers = self.containers.clone();
                tokio::spawn(async move { containers.kill(ending.id, ending.fence).await });
            }
        }
    }

    /// Looks again and again at what containers use.
    async fn look(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            panics(self.containers.look_at_all()).await;
        }
    }

    /// Removes images that nobody needs, again and again.
    async fn tidy(&self) {
        loop {
            let pause = match caught(self.containers.drop_unused_images()).await {
                Ok(true) => IMAGES,
                Ok(false) => IMAGES_TURN,
                Err(error) => {
                    tracing::debug!(%error, "images are not looked after");
                    IMAGES_TURN
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn lead(&self) {
        loop {
            match caught(self.containers.find_astray()).await {
                Ok(astray) => {
                    stream::iter(astray)
                        .for_each_concurrent(STARTS, |astray| panics(self.settle(astray)).map(drop))
                        .await;
                }
                Err(error) => tracing::warn!(%error, "cannot look after containers"),
            }
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn settle(&self, astray: Astray) {
        let (workspace_id, id) = (astray.workspace_id, astray.server_id);
        if !astray.is_waiting {
            tracing::info!(
                mcp_server.id = %id,
                desired = astray.desired.as_str(),
                "a tool server is brought to where it should be"
            );
        }
        match astray.desired {
            DesiredState::Running => {
                // It never waits for long: what takes longer goes on by itself, and is held.
                let this = self.clone();
                let waking = tokio::spawn(async move { this.wake(workspace_id, id).await });
                let _ = tokio::time::timeout(ROUND, waking).await;
            }
            DesiredState::Stopped => {
                if let Err(error) = self.note_stopped(workspace_id, id).await {
                    tracing::debug!(%error, "a stopped server is not shown as such");
                }
            }
        }
    }

    /// Notes that a server is stopped, if that is desired and nobody runs it.
    pub(crate) async fn note_stopped(
        &self,
        workspace_id: domain::WorkspaceId,
        id: domain::McpServerId,
    ) -> store::Result<()> {
        if self.containers.owner((workspace_id, id)).await?.is_some() {
            return Ok(());
        }
        let mut tx = self.store.begin(workspace_id).await?;
        tx.put_mcp_server_stopped(id, mint::now()).await?;
        tx.commit().await
    }
}
