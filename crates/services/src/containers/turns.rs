//! Whose turn it is to have a package installed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use domain::WorkspaceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Packages that one process installs at once.
const BUILDS: usize = 3;
/// Those of one workspace among them, so that the others have their turn.
const BUILDS_OF_ONE: usize = 2;

/// The turns of one process.
pub(super) struct BuildTurns {
    all: Arc<Semaphore>,
    /// Of those that install or wait.
    workspaces: Mutex<HashMap<WorkspaceId, Weak<Semaphore>>>,
}

/// Held while a package is being installed.
pub(super) struct BuildTurn {
    _all: OwnedSemaphorePermit,
    _workspace: OwnedSemaphorePermit,
}

impl Default for BuildTurns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(BUILDS)),
            workspaces: Mutex::default(),
        }
    }
}

impl BuildTurns {
    /// Waits for a turn, in the order of asking within a workspace.
    pub(super) async fn take(&self, workspace_id: WorkspaceId) -> Option<BuildTurn> {
        let workspace = self.workspace(workspace_id).acquire_owned().await.ok()?;
        let all = self.all.clone().acquire_owned().await.ok()?;
        Some(BuildTurn {
            _all: all,
            _workspace: workspace,
        })
    }

    fn workspace(&self, id: WorkspaceId) -> Arc<Semaphore> {
        let workspaces = self.workspaces.lock();
        let mut workspaces = workspaces.unwrap_or_else(PoisonError::into_inner);
        workspaces.retain(|_, turns| turns.strong_count() > 0);
        let known = workspaces.get(&id).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let turns = Arc::new(Semaphore::new(BUILDS_OF_ONE));
            workspaces.insert(id, Arc::downgrade(&turns));
            turns
        })
    }
}
