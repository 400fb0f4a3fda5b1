//! A way for our own HTTP client to a port inside a container: a socket that only this user reaches.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::UnixListener;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::relay::Relay;

/// A socket whose connections lead to one port of a container; gone when dropped.
pub struct Door {
    folder: PathBuf,
    accepting: AbortHandle,
}

impl Door {
    pub(crate) fn open(relay: Arc<Relay>, port: u16) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("agentarea-{}", Uuid::new_v4().simple()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let socket = folder.join("door");
        let listener = UnixListener::bind(&socket)?;
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
        let accepting = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
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

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
        let folder: &Path = &self.folder;
        let _ = std::fs::remove_dir_all(folder);
    }
}
