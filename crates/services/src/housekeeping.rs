//! Deletes what has had its time.

use std::time::Duration;

use store::panics::caught;
use store::within;
use tokio_util::sync::CancellationToken;

use crate::authentication::SESSION_LIFETIME;
use crate::{Services, files, mint, throttle};

const INTERVAL: Duration = Duration::from_secs(600);
/// How long first answers are kept.
const ANSWERS_KEPT: time::Duration = time::Duration::hours(24);

/// Longest time that one round takes: a connection may have died without a word.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often questions are looked at whose time may be over.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Takes questions as rejected whose time is over, now and ever again until `stopping`.
pub(crate) fn start_expiring(
    services: Services,
    approval_time: Duration,
    stopping: CancellationToken,
) {
    let pause = approval_time.min(LOOK_EVERY);
    tokio::spawn(async move {
        loop {
            let expired = caught(within(PATIENCE, async {
                // It logs its own failures.
                let _ = services.expire_approvals().await;
                Ok(())
            }));
            if let Err(error) = expired.await {
                tracing::warn!(%error, "cannot expire questions; trying again later");
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    });
}

/// Cleans up now and every ten minutes until `stopping`.
pub(crate) fn start(services: Services, stopping: CancellationToken) {
    tokio::spawn(async move {
        loop {
            for cleaned in [
                caught(within(PATIENCE, clean_up(&services.store))).await,
                caught(files::delete_stale(&services.store, &services.blobs)).await,
            ] {
                if let Err(error) = cleaned {
                    tracing::warn!(error = %error, "cannot clean up; trying again later");
                }
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    });
}

async fn clean_up(store: &store::Store) -> store::Result<()> {
    let now = mint::now().date_time();
    let mut db = store.system().await?;
    store::sessions::delete_stale(&mut db, (now - SESSION_LIFETIME).into()).await?;
    store::invitations::delete_expired(&mut db, now.into()).await?;
    store::sign_in_failures::delete_old(&mut db, (now - throttle::WINDOW).into()).await?;
    store::idempotency::delete_old(&mut db, (now - ANSWERS_KEPT).into()).await
}
