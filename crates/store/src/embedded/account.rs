//! Which account the database server runs as.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// An account other than root, and its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to switch to: `postgres` or `nobody` if this is root, otherwise `None`.
    pub(super) fn to_drop_to() -> anyhow::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        let found = ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| parse(&passwd, name));
        match found {
            Some(account) => Ok(Some(account)),
            None => bail!(
                "PostgreSQL does not run as root and there is neither a user postgres nor nobody; \
                 start agentarea as an ordinary user or set DATABASE_URL"
            ),
        }
    }

    /// Name of the account.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gives a file or folder to the account.
    pub(super) fn own(&self, path: &Path) -> anyhow::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("give {} to user {}", path.display(), self.name))
    }

    /// Whether the account may pass through a folder.
    pub(super) fn can_enter(&self, folder: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Ok(metadata) = folder.metadata() else {
            return false;
        };
        let bit = if metadata.uid() == self.uid {
            0o100
        } else if metadata.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        metadata.mode() & bit != 0
    }

    /// Makes a command run as the account.
    pub(super) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

fn parse(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account {
            name: name.to_owned(),
            uid,
            gid,
        })
    })
}
