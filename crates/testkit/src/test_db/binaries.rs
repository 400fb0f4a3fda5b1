//! Finds PostgreSQL on the machine, and the account that may run it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// Numbers of an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The folder with `initdb` and `postgres`: the first in `PATH`, else Debian's newest.
pub(super) fn find() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).find(|dir| is_complete(dir));
    let installed = || {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let version = entry.file_name().to_str()?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .filter(|(_, dir)| is_complete(dir))
            .collect();
        versions.sort();
        versions.pop().map(|(_, dir)| dir)
    };
    let dir = in_path.or_else(installed);
    dir.context("PostgreSQL is not installed; try apt-get install postgresql")
}

/// The account to run the server as; `None` if this process may do so itself.
pub(super) fn account() -> anyhow::Result<Option<Account>> {
    if own_uid()? != 0 {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    for name in ["postgres", "nobody"] {
        let line = accounts
            .lines()
            .find(|line| line.split(':').next() == Some(name));
        let numbers: Vec<u32> = line
            .into_iter()
            .flat_map(|line| line.split(':').skip(2).take(2))
            .filter_map(|number| number.parse().ok())
            .collect();
        if let [uid, gid] = numbers[..] {
            return Ok(Some(Account { uid, gid }));
        }
    }
    bail!("PostgreSQL refuses to run as root, and there is no account postgres or nobody");
}

/// The user this process runs as.
pub(super) fn own_uid() -> anyhow::Result<u32> {
    let metadata = fs::metadata("/proc/self").context("reading /proc/self")?;
    Ok(metadata.uid())
}

/// A command that runs as `account`, in a process group of its own, in a folder it may enter.
pub(super) fn command(program: impl AsRef<Path>, account: Option<Account>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir("/").process_group(0).env("LC_ALL", "C");
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
    command
}

fn is_complete(dir: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|name| dir.join(name).is_file())
}
