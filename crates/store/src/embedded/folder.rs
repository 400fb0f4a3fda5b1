//! Where the cluster and its socket are.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::account::Account;

/// Longest folder in which PostgreSQL can open its socket (`sockaddr_un` has 108 bytes).
const MAX_SOCKET_FOLDER: usize = 80;

/// Name of the product's cluster.
pub(super) const CLUSTER: &str = "postgres";

/// The folders of a cluster; both exist and belong to the server's account.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    /// Holds `data`, the log and the lock.
    pub(super) cluster: PathBuf,
    /// Holds the socket.
    pub(super) socket: PathBuf,
}

impl Folders {
    /// Makes the folders for the cluster `name` of a data folder.
    pub(super) fn prepare(
        data_dir: &Path,
        name: &str,
        account: Option<&Account>,
    ) -> anyhow::Result<Self> {
        let data_dir = data_dir
            .canonicalize()
            .with_context(|| format!("find the data folder {}", data_dir.display()))?;
        let cluster = place_cluster(&data_dir, name, account)?;
        make_private(&cluster, account)?;
        let socket = if cluster.as_os_str().len() <= MAX_SOCKET_FOLDER {
            cluster.clone()
        } else {
            let socket = std::env::temp_dir().join(format!("agentarea-{:016x}", hash(&cluster)));
            make_private(&socket, account)?;
            socket
        };
        Ok(Self { cluster, socket })
    }

    /// PostgreSQL's own data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.cluster.join("data")
    }

    /// Where fetched programs are kept: beside the cluster, so its account can reach them, but not
    /// inside, so it cannot change what this program starts.
    pub(super) fn shelf(&self) -> &Path {
        self.cluster.parent().expect("a cluster is inside a folder")
    }
}

/// The cluster belongs into the data folder. Where the account cannot pass through the folders
/// above it (a data folder below /root, say), it goes to a folder of the system instead.
fn place_cluster(
    data_dir: &Path,
    name: &str,
    account: Option<&Account>,
) -> anyhow::Result<PathBuf> {
    let Some(account) = account else {
        return Ok(data_dir.join(name));
    };
    if !account.can_enter(data_dir) {
        let mode = data_dir.metadata()?.permissions().mode();
        std::fs::set_permissions(data_dir, PermissionsExt::from_mode(mode | 0o001))
            .with_context(|| format!("let user {} into {}", account.name(), data_dir.display()))?;
    }
    if data_dir.ancestors().all(|folder| account.can_enter(folder)) {
        return Ok(data_dir.join(name));
    }
    let clusters = Path::new("/var/lib/agentarea/clusters");
    std::fs::create_dir_all(clusters).with_context(|| format!("make {}", clusters.display()))?;
    let mut folder = format!("{:016x}", hash(data_dir));
    if name != CLUSTER {
        folder = format!("{folder}-{name}");
    }
    let cluster = clusters.join(folder);
    tracing::info!(
        data_dir = %data_dir.display(),
        cluster = %cluster.display(),
        user = account.name(),
        "the database server's user cannot reach the data folder, so its files are kept elsewhere"
    );
    Ok(cluster)
}

fn make_private(folder: &Path, account: Option<&Account>) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700))
        .with_context(|| format!("close {} to other users", folder.display()))?;
    match account {
        Some(account) => account.own(folder),
        None => Ok(()),
    }
}

fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
