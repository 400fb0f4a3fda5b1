//! Whether this process's engine answers, and which one it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use provisioner::{Error, Held, Provisioner};

use super::Containers;

/// What was last seen of the engine.
#[derive(Default)]
pub(super) struct SeenEngine(Mutex<Seen>);

#[derive(Default)]
enum Seen {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// It answers; its id.
    There(String),
    Away,
}

impl SeenEngine {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Containers {
    /// Every container of this installation on the engine; what it says, or that it does not, is
    /// remembered.
    pub(super) async fn look_at_engine(
        &self,
        provisioner: &dyn Provisioner,
    ) -> Result<Vec<Held>, Error> {
        let looked = async {
            let found = provisioner.list_held().await?;
            if self.engine_id().is_empty() {
                let id = provisioner.engine_id().await?;
                *self.inner.engine.lock() = Seen::There(id);
            }
            Ok(found)
        };
        let looked = looked.await;
        if looked.as_ref().is_err_and(Error::is_transient) {
            *self.inner.engine.lock() = Seen::Away;
        }
        looked
    }

    /// The engine that answers here; empty if none does, or it is not known yet.
    pub(super) fn engine_id(&self) -> String {
        match &*self.inner.engine.lock() {
            Seen::There(id) => id.clone(),
            Seen::Unknown | Seen::Away => String::new(),
        }
    }

    /// Whether the engine did not answer when it was last asked.
    pub(super) fn is_engine_away(&self) -> bool {
        matches!(&*self.inner.engine.lock(), Seen::Away)
    }
}
