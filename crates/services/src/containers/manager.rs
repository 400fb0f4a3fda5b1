//! That this process is alive, and the removal of what nobody runs any more.

use std::collections::{HashMap, HashSet};

use domain::McpServerId;
use store::mcp_instances::{self, Astray};
use uuid::Uuid;

use super::Containers;
use super::leases::{LIFE, PATIENCE, within};
use crate::mint;

/// For how long a process is believed to live without saying so again.
const PROCESS_LIFE: time::Duration = time::Duration::seconds(15);
/// A process this young may not have said that it lives.
const YOUTH: time::Duration = time::Duration::seconds(60);
/// Servers that one look brings to where they should be.
const AT_ONCE: i64 = 20;

impl Containers {
    /// Makes this process known to the fleet, before it takes anything.
    pub(super) async fn introduce(&self) -> store::Result<()> {
        self.inner
            .is_known
            .get_or_try_init(|| self.beat())
            .await
            .copied()
    }

    /// Says that this process lives and where it is.
    pub(crate) async fn beat(&self) -> store::Result<()> {
        let now = mint::now();
        let until = (now.date_time() + PROCESS_LIFE).into();
        let process = store::installation::ContainerProcess {
            id: self.inner.process,
            address: &self.inner.address,
            engine: &self.engine_id(),
        };
        let put = async {
            let mut db = self.inner.store.system().await?;
            store::installation::put_process(&mut db, process, now, until).await
        };
        within(PATIENCE, Box::pin(put)).await
    }

    /// Ends: gives everything up after what was under way came to its end.
    pub(crate) async fn finish(&self) {
        if !self.runs_here() {
            return;
        }
        self.inner.retiring.close();
        let _ = tokio::time::timeout(LIFE, self.inner.retiring.wait()).await;
        let ended = async {
            self.release_all().await?;
            let mut db = self.inner.store.system().await?;
            store::installation::delete_process(&mut db, self.inner.process).await
        };
        // Otherwise its time runs out.
        let _: store::Result<()> = within(PATIENCE, Box::pin(ended)).await;
    }

    /// Servers that are not as they should be and that nobody looks after, if this process is the one
    /// that looks for the whole fleet.
    pub(crate) async fn find_astray(&self) -> store::Result<Vec<Astray>> {
        let found = async {
            let mut db = self.inner.store.system().await?;
            match mcp_instances::lead(&mut db, self.inner.process, LIFE).await? {
                true => mcp_instances::list_astray(&mut db, LIFE, AT_ONCE).await,
                false => Ok(Vec::new()),
            }
        };
        within(PATIENCE, Box::pin(found)).await
    }

    /// Removes every container of this installation from this process's engine that is not the start
    /// which counts.
    pub(crate) async fn sweep(&self) {
        if let Err(error) = within(PATIENCE, Box::pin(self.forget_deleted())).await {
            tracing::debug!(%error, "deleted servers are not forgotten");
        }
        let Ok(provisioner) = self.provisioner().await else {
            return;
        };
        // Before the leases are read: whoever makes a container has its lease first.
        let found = match self.look_at_engine(&**provisioner).await {
            Ok(found) if found.is_empty() => return,
            Ok(found) => found,
            Err(error) => return tracing::debug!(%error, "containers cannot be looked after"),
        };
        let known = async {
            let mut db = self.inner.store.system().await?;
            let live = mcp_instances::list_live(&mut db).await?;
            let alive = store::installation::list_processes(&mut db, mint::now()).await?;
            Ok((live, alive))
        };
        let known: store::Result<_> = within(PATIENCE, Box::pin(known)).await;
        let (live, alive) = match known {
            Ok((live, alive)) => (live.into_iter().collect(), alive.into_iter().collect()),
            Err(error) => return tracing::debug!(%error, "containers are not swept"),
        };
        let mut count = 0;
        for held in found {
            if self.is_used(&held.id, held.fence, &live, &alive) {
                continue;
            }
            match provisioner.discard(&held).await {
                Ok(()) => count += usize::from(held.is_server),
                Err(error) => tracing::debug!(%error, "a container cannot be removed"),
            }
        }
        if count > 0 {
            tracing::info!(count, "containers that nobody runs were removed");
        }
    }

    async fn forget_deleted(&self) -> store::Result<()> {
        let known = self.known_places();
        if known.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = known.iter().map(|id| id.uuid()).collect();
        let mut db = self.inner.store.system().await?;
        let there: HashSet<McpServerId> = mcp_instances::list_there(&mut db, &ids)
            .await?
            .into_iter()
            .collect();
        self.forget_places(|id| there.contains(id) || !known.contains(id));
        Ok(())
    }

    /// Whether a container is the start of a server that counts, or one in which a package is being
    /// installed for a process that lives.
    fn is_used(
        &self,
        name: &str,
        fence: i64,
        live: &HashMap<McpServerId, i64>,
        alive: &HashSet<Uuid>,
    ) -> bool {
        if let Ok(id) = name.parse::<McpServerId>() {
            return live.get(&id) == Some(&fence);
        }
        let Some((_, process)) = name.rsplit_once('-') else {
            return false;
        };
        match process.parse::<Uuid>() {
            Ok(process) if process == self.inner.process => self.is_building(name),
            Ok(process) => alive.contains(&process) || is_young(process),
            Err(_) => false,
        }
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
