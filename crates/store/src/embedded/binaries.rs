//! Finds PostgreSQL's programs: on this machine, or among those that were fetched.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::account::Account;
use super::fetch::fetch;
use super::package::Package;

/// Folders with one folder per version or package, which has the programs in `bin`.
const ROOTS: &str = "/usr/lib/postgresql:/opt/homebrew/opt:/usr/local/opt";

/// Folder with `initdb` and `postgres`, and their version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    pub(super) major: u32,
    minor: u32,
}

/// Where to look, and for whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    /// The version of a cluster that exists.
    pub(super) major: Option<u32>,
    /// Keeps what was fetched.
    pub(super) shelf: &'a Path,
    /// Has to be able to run them.
    pub(super) account: Option<&'a Account>,
}

impl Binaries {
    /// Path of one program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn inspect(folder: PathBuf, account: Option<&Account>) -> Option<Self> {
        let has_all = ["initdb", "postgres"]
            .iter()
            .all(|name| folder.join(name).is_file());
        if !has_all {
            return None;
        }
        let mut command = Command::new(folder.join("postgres"));
        command.arg("--version").current_dir("/");
        if let Some(account) = account {
            account.apply(&mut command);
        }
        let output = command.output().ok()?;
        // "postgres (PostgreSQL) 15.18 (Debian …)"
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().nth(2)?;
        let mut numbers = version.split(|c: char| !c.is_ascii_digit());
        Some(Self {
            folder,
            major: numbers.next()?.parse().ok()?,
            minor: numbers
                .next()
                .and_then(|minor| minor.parse().ok())
                .unwrap_or(0),
        })
    }
}

impl Search<'_> {
    /// The newest programs on the machine, or exactly those of `major`; otherwise fetched ones.
    ///
    /// # Errors
    /// If there are none and none can be fetched, naming both ways out and the cause.
    pub(super) async fn run(self) -> anyhow::Result<Binaries> {
        if let Some(installed) = self.newest(on_the_machine()) {
            return Ok(installed);
        }
        let cause = match self.fetched().await {
            Ok(fetched) => return Ok(fetched),
            Err(cause) => cause,
        };
        // A newer program pins a newer package; without a network the one of before will do.
        if let Some(kept) = self.newest(on_the_shelf(self.shelf)) {
            tracing::warn!(
                folder = %kept.folder.display(),
                cause = format!("{cause:#}"),
                "using the PostgreSQL that was fetched by an earlier version"
            );
            return Ok(kept);
        }
        match self.major {
            Some(major) => bail!(
                "the database in the data folder was made by PostgreSQL {major}, which is not on this machine; \
                 install it (Debian: apt-get install postgresql-{major}) or set DATABASE_URL\n\
                 it could not be fetched: {cause:#}"
            ),
            None => bail!(
                "no PostgreSQL on this machine: install it (Debian: apt-get install postgresql; \
                 macOS: brew install postgresql), or set DATABASE_URL to a running server\n\
                 it could not be fetched: {cause:#}"
            ),
        }
    }

    async fn fetched(self) -> anyhow::Result<Binaries> {
        if self.major.is_some_and(|major| major != Package::MAJOR) {
            bail!("only PostgreSQL {} can be", Package::MAJOR);
        }
        let package = Package::for_this_machine().with_context(|| {
            use std::env::consts::{ARCH, OS};
            format!("nobody builds it for {OS} on {ARCH}")
        })?;
        let folder = fetch(&package, self.shelf).await?;
        Binaries::inspect(programs_of(&folder), self.account)
            .with_context(|| format!("{} does not run on this machine", folder.display()))
    }

    fn newest(self, folders: Vec<PathBuf>) -> Option<Binaries> {
        folders
            .into_iter()
            .filter_map(|folder| Binaries::inspect(folder, self.account))
            .filter(|binaries| self.major.is_none_or(|major| binaries.major == major))
            .max_by_key(|binaries| (binaries.major, binaries.minor))
    }
}

/// Folders of `PATH`, then those below the roots: `POSTGRESQL_ROOTS`, or where packages put them.
fn on_the_machine() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let roots = std::env::var_os("POSTGRESQL_ROOTS").unwrap_or_else(|| ROOTS.into());
    let below_roots = std::env::split_paths(&roots)
        .flat_map(|root| folders_in(&root))
        .map(|folder| folder.join("bin"));
    std::env::split_paths(&path).chain(below_roots).collect()
}

fn on_the_shelf(shelf: &Path) -> Vec<PathBuf> {
    let is_fetched = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(Package::FOLDER_PREFIX)
    };
    let folders = folders_in(shelf).into_iter().filter(is_fetched);
    folders.map(|folder| programs_of(&folder)).collect()
}

fn programs_of(package: &Path) -> PathBuf {
    package.join("native/bin")
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
