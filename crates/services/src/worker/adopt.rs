//! Taking runs: from the queue, and from workers that died.

use std::sync::atomic::Ordering;

use domain::RunId;
use store::runs::Lease;
use tokio_util::sync::CancellationToken;

use super::begin::begin;
use super::{LOOK_EVERY, RENEW_EVERY, Slot, Worker};

/// Runs taken at once.
const BATCH: usize = 16;

/// Takes runs whenever there is room and something to take, until `stopping`.
pub(super) async fn take_runs(worker: Worker, stopping: CancellationToken, is_alone: bool) {
    if is_alone {
        expire_leases(&worker).await;
    }
    loop {
        match take_batch(&worker).await {
            // A full batch means that there is probably more.
            Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "cannot look at the run queue"),
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = worker.inner.waker.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Renews leases until the process is about to end.
pub(super) async fn renew_leases(worker: Worker, until: CancellationToken) {
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            () = tokio::time::sleep(RENEW_EVERY) => {}
        }
        let leases: Vec<Lease> = worker.lock().values().map(|run| run.lease).collect();
        if leases.is_empty() {
            continue;
        }
        match renew(&worker, &leases).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(error = %error, "cannot renew leases; trying again"),
        }
    }
}

/// Lets others take this worker's runs at once.
pub(super) async fn release_leases(worker: &Worker) {
    let released = async {
        let mut db = worker.inner.store.system().await?;
        store::runs::release(&mut db, worker.inner.id).await
    };
    if let Err(error) = released.await {
        tracing::warn!(error = %error, "leases are not handed back; they run out by themselves");
    }
}

async fn expire_leases(worker: &Worker) {
    let expired = async {
        let mut db = worker.inner.store.system().await?;
        store::runs::expire_all_leases(&mut db).await
    };
    match expired.await {
        Ok(0) => {}
        Ok(runs) => tracing::info!(runs, "adopting the runs of the process before this one"),
        Err(error) => tracing::warn!(error = %error, "cannot expire old leases"),
    }
}

async fn renew(worker: &Worker, leases: &[Lease]) -> store::Result<()> {
    let mut db = worker.inner.store.system().await?;
    let held = store::runs::renew(&mut db, leases).await?;
    drop(db);
    let active = worker.lock();
    for lease in leases {
        let Some(run) = active.get(&lease.run_id) else {
            continue;
        };
        match held.iter().find(|held| held.run_id == lease.run_id) {
            Some(held) if held.is_cancel_requested => run.cancel.cancel(),
            Some(_) => {}
            None if run.lease.fence == lease.fence => {
                tracing::info!(run.id = %lease.run_id, "lease is no longer held");
                run.abandon.cancel();
            }
            None => {}
        }
    }
    Ok(())
}

/// Takes what there is room for; gives the number of runs taken.
async fn take_batch(worker: &Worker) -> store::Result<usize> {
    let mut slots: Vec<Slot> = std::iter::from_fn(|| worker.try_reserve())
        .take(BATCH)
        .collect();
    if slots.is_empty() {
        return Ok(0);
    }
    // A lease of this process that ran out, as when the database was away, is about to be renewed.
    let own: Vec<RunId> = worker.lock().keys().copied().collect();
    let mut db = worker.inner.store.system().await?;
    let mut claimed =
        store::runs::claim_orphaned(&mut db, worker.inner.id, slots.len() as u32, &own).await?;
    let room = slots.len() - claimed.len();
    if room > 0 {
        // Cleared before looking: whoever queues a run from now on sets it again.
        let was_queued = worker.inner.may_be_queued.swap(false, Ordering::AcqRel);
        let queued = store::runs::claim_queued(
            &mut db,
            worker.inner.id,
            room as u32,
            worker.inner.runs_per_workspace,
        );
        claimed.extend(queued.await?);
        if was_queued && store::runs::has_queued(&mut db).await? {
            worker.inner.may_be_queued.store(true, Ordering::Release);
        }
    }
    drop(db);
    let taken = claimed.len();
    for claimed in claimed {
        let Some(slot) = slots.pop() else { break };
        let worker = worker.clone();
        let tasks = worker.inner.tasks.clone();
        tasks.spawn(async move {
            if let Err(error) = begin(&worker, slot, claimed).await {
                // The lease runs out and the run is taken again.
                tracing::warn!(run.id = %claimed.lease.run_id, error = %error, "begin a run");
            }
        });
    }
    Ok(taken)
}
