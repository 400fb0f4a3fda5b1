//! Looks after the embedded server for as long as this program runs.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::postgres::PgConnectOptions;
use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, STOP_TIMEOUT};
use super::folder::CLUSTER;

/// Name of the cluster that is thrown away.
const SCRATCH: &str = "scratch";
/// How often a server that another process started is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// What to do if another process already looks after the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// Use its server: for short commands.
    Share,
    /// Wait until it is done, at most 30 s: for `serve`.
    Succeed,
}

/// The embedded server, in use.
#[derive(Debug)]
pub struct Embedded {
    cluster: Cluster,
    /// Held while this process looks after the server.
    ownership: Option<Ownership>,
}

#[derive(Debug)]
struct Ownership {
    stopping: CancellationToken,
    /// Ends with the process that it watched, if that is a child of this one.
    watch: JoinHandle<Option<Child>>,
    _lock: File,
}

impl Embedded {
    /// Makes the server answer: joins a running one or starts it, making the cluster if needed.
    ///
    /// The first time, this may download PostgreSQL: up to ten minutes.
    ///
    /// # Errors
    /// If PostgreSQL is neither installed nor to be had, cannot start, or another process holds the folder.
    pub async fn open(data_dir: &Path, joining: Joining) -> anyhow::Result<Self> {
        let cluster = Cluster::locate(data_dir, CLUSTER).await?;
        let lock = match (try_lock(cluster.folder())?, joining) {
            (Some(lock), _) => Some(lock),
            (None, Joining::Share) => None,
            (None, Joining::Succeed) => Some(wait_for_lock(cluster.folder()).await?),
        };
        let Some(lock) = lock else {
            wait_until_answers(&cluster).await?;
            return Ok(Self {
                cluster,
                ownership: None,
            });
        };
        Self::own(cluster, lock).await
    }

    /// Starts another, empty server beside the product's, for [`Embedded::discard`].
    ///
    /// # Errors
    /// As [`Embedded::open`]; also if another process has such a server.
    pub async fn open_scratch(data_dir: &Path) -> anyhow::Result<Self> {
        let cluster = Cluster::locate(data_dir, SCRATCH).await?;
        let Some(lock) = try_lock(cluster.folder())? else {
            bail!("another agentarea process restores into the scratch database");
        };
        // What a killed process may have left.
        cluster.stop().await?;
        cluster.remove()?;
        Self::own(cluster, lock).await
    }

    async fn own(cluster: Cluster, lock: File) -> anyhow::Result<Self> {
        cluster.create().await?;
        let child = start_or_adopt(&cluster).await?;
        let stopping = CancellationToken::new();
        let watch = tokio::spawn(keep_running(cluster.clone(), child, stopping.clone()));
        Ok(Self {
            cluster,
            ownership: Some(Ownership {
                stopping,
                watch,
                _lock: lock,
            }),
        })
    }

    /// How to connect.
    pub fn options(&self) -> PgConnectOptions {
        self.cluster.options()
    }

    /// PostgreSQL's major version.
    pub fn major(&self) -> u32 {
        self.cluster.major()
    }

    /// Stops the server if this process looks after it.
    ///
    /// # Errors
    /// If it does not stop within 30 s.
    pub async fn close(self) -> anyhow::Result<()> {
        let Some(ownership) = self.ownership else {
            return Ok(());
        };
        ownership.stopping.cancel();
        let child = ownership.watch.await.ok().flatten();
        self.cluster.stop().await?;
        // Its files say that it has stopped a moment before its process has ended.
        if let Some(mut child) = child {
            let ended = timeout(STOP_TIMEOUT, child.wait()).await;
            ended.context("postgres has stopped but does not end")??;
        }
        Ok(())
    }
}

impl Embedded {
    /// Stops a scratch server and removes what it held.
    ///
    /// # Errors
    /// If it does not stop within 30 s.
    pub async fn discard(self) -> anyhow::Result<()> {
        let cluster = self.cluster.clone();
        self.close().await?;
        let folder = cluster.folder();
        std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))
    }
}

/// Takes over a server that outlived its program, or starts one.
async fn start_or_adopt(cluster: &Cluster) -> anyhow::Result<Option<Child>> {
    if cluster.server_pid().is_some() {
        for _ in 0..100 {
            if cluster.answers().await {
                tracing::info!("taking over the embedded database server that is still running");
                return Ok(None);
            }
            if cluster.server_pid().is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    start_patiently(cluster).await.map(Some)
}

/// Starts the server; for a while it may find memory that a killed one's children still hold.
async fn start_patiently(cluster: &Cluster) -> anyhow::Result<Child> {
    let mut tries = 0;
    loop {
        match cluster.start().await {
            Ok(child) => return Ok(child),
            Err(error) if tries < 50 && error.to_string().contains("shared memory") => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Starts the server again whenever it ends, until told to stop; then hands its process over.
async fn keep_running(
    cluster: Cluster,
    mut child: Option<Child>,
    stopping: CancellationToken,
) -> Option<Child> {
    loop {
        let ended = async {
            match child.as_mut() {
                Some(child) => {
                    let _ = child.wait().await;
                }
                None => wait_until_gone(&cluster).await,
            }
        };
        tokio::select! {
            () = stopping.cancelled() => return child,
            () = ended => {}
        }
        tracing::error!("the embedded database server ended by itself; starting it again");
        child = loop {
            let restart = tokio::select! {
                () = stopping.cancelled() => return None,
                restart = start_or_adopt(&cluster) => restart,
            };
            match restart {
                Ok(child) => break child,
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "restart the embedded database"
                    );
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        };
    }
}

async fn wait_until_gone(cluster: &Cluster) {
    while cluster.server_pid().is_some() {
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

async fn wait_until_answers(cluster: &Cluster) -> anyhow::Result<()> {
    for _ in 0..300 {
        if cluster.answers().await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("another agentarea process holds the embedded database, but it does not answer")
}

fn try_lock(folder: &Path) -> anyhow::Result<Option<File>> {
    let path = folder.join("owner.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).context("lock the embedded database"),
    }
}

async fn wait_for_lock(folder: &Path) -> anyhow::Result<File> {
    for _ in 0..300 {
        if let Some(lock) = try_lock(folder)? {
            return Ok(lock);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("another agentarea process has held the embedded database for 30 s")
}
