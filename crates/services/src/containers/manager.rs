//! That this process is alive, and the removal of what dead ones left behind.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Containers;
use crate::mint;

/// For how long a process is believed to live, and how often it says so again.
const LIFE: time::Duration = time::Duration::seconds(15);
const BEAT: Duration = Duration::from_secs(5);
/// Beats between two sweeps; also between two looks for an engine that was away.
const SWEEP_EVERY: u32 = 3;
/// A process this young may not have said that it lives.
const YOUTH: time::Duration = time::Duration::seconds(60);

impl Containers {
    /// Says that this process lives, and sweeps, until `stopping`.
    pub(crate) fn start(&self, stopping: CancellationToken) {
        if self.inner.config.is_none() {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let mut round = 0;
            loop {
                match this.beat().await {
                    Ok(()) if round % SWEEP_EVERY == 0 => this.sweep().await,
                    Ok(()) => {}
                    Err(error) => tracing::warn!(%error, "cannot say that this process lives"),
                }
                round += 1;
                tokio::select! {
                    () = stopping.cancelled() => break,
                    () = tokio::time::sleep(BEAT) => {}
                }
            }
            let ended = async {
                let mut db = this.inner.store.system().await?;
                store::installation::delete_process(&mut db, this.inner.process).await
            };
            // Otherwise its time runs out.
            let _: store::Result<()> = ended.await;
        });
    }

    async fn beat(&self) -> store::Result<()> {
        let now = mint::now();
        let until = (now.date_time() + LIFE).into();
        let mut db = self.inner.store.system().await?;
        store::installation::put_process(&mut db, self.inner.process, now, until).await
    }

    /// Removes every container of this installation that nobody alive uses.
    async fn sweep(&self) {
        let Ok(provisioner) = self.provisioner().await else {
            return;
        };
        let alive = async {
            let mut db = self.inner.store.system().await?;
            store::installation::list_processes(&mut db, mint::now()).await
        };
        let alive: HashSet<Uuid> = match alive.await {
            Ok(alive) => alive.into_iter().collect(),
            Err(error) => return tracing::debug!(%error, "containers are not swept"),
        };
        let is_used = |name: &str| self.is_used(name, &alive);
        match provisioner.sweep(&is_used).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "containers that nobody uses were removed"),
            Err(error) => tracing::debug!(%error, "containers cannot be looked after"),
        }
    }

    /// Whether the container of that name is this process's and in use, or that of another that
    /// lives.
    fn is_used(&self, name: &str, alive: &HashSet<Uuid>) -> bool {
        let Some((what, process)) = name.rsplit_once('-') else {
            return false;
        };
        let Ok(process) = process.parse::<Uuid>() else {
            return false;
        };
        if process != self.inner.process {
            return alive.contains(&process) || is_young(process);
        }
        let builds = self
            .inner
            .builds
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if builds.contains(name) {
            return true;
        }
        drop(builds);
        let place = what.parse().ok().and_then(|id| self.find_place(id));
        // A start in progress has not said so yet.
        place.is_some_and(|place| place.work.try_lock().is_err() || place.state().running.is_some())
    }

    /// The name of a container of this process.
    pub(super) fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.inner.process.simple())
    }
}

/// Ids begin with the time at which they were made.
fn is_young(process: Uuid) -> bool {
    let Some(made) = process.get_timestamp() else {
        return false;
    };
    let (seconds, _) = made.to_unix();
    let now = mint::now().date_time();
    now.unix_timestamp() - (seconds as i64) < YOUTH.whole_seconds()
}
