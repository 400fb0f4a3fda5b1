//! A way for our own HTTP client to a port inside a container: a socket that only this user reaches.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::relay::Relay;

const PREFIX: &str = "agentarea-";
/// Pause after a connection that could not be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A folder this young may be one whose socket does not listen yet.
const YOUTH: Duration = Duration::from_secs(60);

/// A socket whose connections lead to one port of a container; gone when dropped.
pub struct Door {
    folder: PathBuf,
    accepting: AbortHandle,
}

impl Door {
    pub(crate) fn open(relay: Arc<Relay>, port: u16) -> io::Result<Self> {
        let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let socket = folder.join("door");
        let listener = UnixListener::bind(&socket)?;
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
        let accepting = tokio::spawn(async move {
            loop {
                let mut near = match listener.accept().await {
                    Ok((near, _)) => near,
                    Err(error) => {
                        // Too many open files, most often: that passes.
                        tracing::warn!(%error, "a connection to a container waits");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let relay = relay.clone();
                tokio::spawn(async move {
                    // Without a far end the near one is closed, which says that nobody is there.
                    if let Ok(mut far) = relay.dial(port).await {
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Ok(Self {
            folder,
            accepting: accepting.abort_handle(),
        })
    }

    /// Where the socket is.
    pub fn path(&self) -> PathBuf {
        self.folder.join("door")
    }
}

/// Removes what killed processes have left: folders of doors at which nobody listens any more.
pub async fn remove_dead_doors() {
    let Ok(mut folders) = tokio::fs::read_dir(std::env::temp_dir()).await else {
        return;
    };
    while let Ok(Some(folder)) = folders.next_entry().await {
        let name = folder.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_ours = id.is_some_and(|id| id.len() == 32 && Uuid::try_parse(id).is_ok());
        if is_ours && is_dead(&folder.path()).await {
            // Not ours to remove if somebody else's.
            let _ = tokio::fs::remove_dir_all(folder.path()).await;
        }
    }
}

async fn is_dead(folder: &Path) -> bool {
    let made = tokio::fs::symlink_metadata(folder).await;
    let made = made.and_then(|found| found.modified());
    let is_old = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > YOUTH));
    if !is_old {
        return false;
    }
    let listens = UnixStream::connect(folder.join("door")).await;
    let dead = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
    listens.is_err_and(|error| dead.contains(&error.kind()))
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
        let folder: &Path = &self.folder;
        let _ = std::fs::remove_dir_all(folder);
    }
}
