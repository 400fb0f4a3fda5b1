//! Taking runs: from the queue, and from workers that died.

use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::RunId;
use store::Door;
use store::panics::caught;
use store::runs::{ClaimedRun, HeldRun, Lease};
use tokio_util::sync::CancellationToken;

use super::begin::begin;
use super::giving_up::{MAX_ATTEMPTS, give_up, interrupted_too_often};
use super::{LOOK_EVERY, RENEW_EVERY, Slot, Worker};

/// Runs taken at once.
const BATCH: usize = 16;
/// Longest wait for the database: two of them are far less than a lease.
const PATIENCE: Duration = Duration::from_secs(3);

/// Takes runs whenever there is room and something to take, until `stopping`.
pub(super) async fn take_runs(worker: Worker, stopping: CancellationToken, is_alone: bool) {
    if is_alone {
        expire_leases(&worker).await;
    }
    loop {
        match caught(Box::pin(take_batch(&worker))).await {
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
        match caught(renew(&worker, &leases)).await {
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
    let held = match ask_to_renew(worker, leases, Door::Pool).await {
        Err(store::Error::Unavailable(_)) => ask_to_renew(worker, leases, Door::Anew).await?,
        asked => asked?,
    };
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

async fn ask_to_renew(
    worker: &Worker,
    leases: &[Lease],
    door: Door,
) -> store::Result<Vec<HeldRun>> {
    let asked = async {
        let mut db = worker.inner.store.system_by(door).await?;
        store::runs::renew(&mut db, leases).await
    };
    store::within(PATIENCE, asked).await
}

/// Takes what there is room for; gives the number of runs taken.
async fn take_batch(worker: &Worker) -> store::Result<usize> {
    let mut slots: Vec<Slot> = std::iter::from_fn(|| worker.try_reserve())
        .take(BATCH)
        .collect();
    if slots.is_empty() {
        return Ok(0);
    }
    let room = slots.len();
    let claimed = match claim(worker, room, Door::Pool).await {
        Err(store::Error::Unavailable(_)) => claim(worker, room, Door::Anew).await?,
        claimed => claimed?,
    };
    let taken = claimed.len();
    for claimed in claimed {
        let Some(slot) = slots.pop() else { break };
        let worker = worker.clone();
        let tasks = worker.inner.tasks.clone();
        tasks.spawn(async move {
            let (lease, answer_id) = (claimed.lease, claimed.answer_id);
            let begun = if claimed.is_orphan && claimed.is_cancel_requested {
                give_up(&worker, lease, answer_id, None).await
            } else if claimed.attempt > MAX_ATTEMPTS {
                let error = Some(interrupted_too_often());
                give_up(&worker, lease, answer_id, error).await
            } else {
                begin(&worker, slot, claimed).await
            };
            if let Err(error) = begun {
                // The lease runs out and the run is taken again.
                tracing::warn!(run.id = %claimed.lease.run_id, error = %error, "begin a run");
            }
        });
    }
    Ok(taken)
}

/// Claims up to `room` runs: those of dead workers first. What is claimed by an answer that comes
/// too late is nobody's until its lease runs out, and begun by nobody.
async fn claim(worker: &Worker, room: usize, door: Door) -> store::Result<Vec<ClaimedRun>> {
    // A lease of this process that ran out, as when the database was away, is about to be renewed.
    let own: Vec<RunId> = worker.lock().keys().copied().collect();
    let claimed = async {
        let mut db = worker.inner.store.system_by(door).await?;
        let mut claimed = store::runs::claim_orphaned(&mut db, room as u32, &own).await?;
        let room = room - claimed.len();
        if room > 0 {
            // Cleared before looking: whoever queues a run from now on sets it again.
            let was_queued = worker.inner.may_be_queued.swap(false, Ordering::AcqRel);
            let limit = worker.inner.runs_per_workspace;
            let queued = store::runs::claim_queued(&mut db, room as u32, limit);
            claimed.extend(queued.await?);
            if was_queued && store::runs::has_queued(&mut db).await? {
                worker.inner.may_be_queued.store(true, Ordering::Release);
            }
        }
        if !claimed.is_empty() {
            store::runs::take_up(&mut db, worker.inner.id, &claimed).await?;
        }
        Ok(claimed)
    };
    store::within(PATIENCE, claimed).await
}
