//! Finds PostgreSQL's programs on this machine.

use std::path::{Path, PathBuf};

use anyhow::bail;

/// Folder with `initdb` and `postgres`, and the major version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// The newest on the machine, or exactly `major` if a cluster of that version exists.
    pub(super) fn find(major: Option<u32>) -> anyhow::Result<Self> {
        let mut found: Vec<Self> = candidates().filter_map(Self::inspect).collect();
        found.sort_by_key(|binaries| binaries.major);
        let wanted = |binaries: &&Self| major.is_none_or(|major| binaries.major == major);
        match (found.iter().rev().find(wanted), major) {
            (Some(binaries), _) => Ok(binaries.clone()),
            (None, Some(major)) => bail!(
                "the database in the data folder was made by PostgreSQL {major}, which is not on this machine; \
                 install it (Debian: apt-get install postgresql-{major}) or set DATABASE_URL"
            ),
            (None, None) => bail!(
                "no PostgreSQL on this machine: install it (Debian: apt-get install postgresql; \
                 macOS: brew install postgresql), or set DATABASE_URL to a running server"
            ),
        }
    }

    /// Path of one program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn inspect(folder: PathBuf) -> Option<Self> {
        let has_all = ["initdb", "postgres"]
            .iter()
            .all(|name| folder.join(name).is_file());
        if !has_all {
            return None;
        }
        let output = std::process::Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        // "postgres (PostgreSQL) 15.18 (Debian …)"
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().nth(2)?;
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        Some(Self {
            folder,
            major: digits.parse().ok()?,
        })
    }
}

fn candidates() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let from_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let roots = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];
    let installed = roots.into_iter().flat_map(|root| {
        let entries = std::fs::read_dir(Path::new(root))
            .into_iter()
            .flatten()
            .flatten();
        entries
            .map(|entry| entry.path().join("bin"))
            .collect::<Vec<_>>()
    });
    from_path.into_iter().chain(installed)
}
