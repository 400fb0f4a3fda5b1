//! Where the master keys come from, and whether they are the database's.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};
use store::Store;
use store::master_keys::Keyring;
use store::vault::Vault;

/// 32 bytes that seal all data keys.
pub type KeyBytes = [u8; 32];

/// Where the master keys are kept.
#[derive(Clone, Debug)]
pub enum KeyPlace {
    /// In the configuration, that is usually in AGENTAREA_MASTER_KEY.
    Configuration(SecretString),
    /// In a file of the data folder, one key a line.
    File(PathBuf),
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(_) => f.write_str("master_key (AGENTAREA_MASTER_KEY)"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl KeyPlace {
    /// The configured keys, or else the data folder's file.
    pub fn new(configured: Option<&SecretString>, data_dir: &Path) -> Self {
        match configured {
            Some(keys) => Self::Configuration(keys.clone()),
            None => Self::File(data_dir.join("master.key")),
        }
    }

    /// The keys, the preferred one first; `None` if the file does not exist.
    ///
    /// # Errors
    /// If a key is not 32 bytes of base64, or the file cannot be read.
    pub fn read(&self) -> anyhow::Result<Option<Vec<KeyBytes>>> {
        let text = match self {
            Self::Configuration(keys) => keys.expose_secret().to_owned(),
            Self::File(path) => match fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error).with_context(|| format!("read {self}")),
            },
        };
        decode(&text)
            .with_context(|| format!("read {self}"))
            .map(Some)
    }

    /// Puts a new key into a new file, mode 0600; gives the file's keys if another process was
    /// faster.
    fn create(&self) -> anyhow::Result<Vec<KeyBytes>> {
        let Self::File(path) = self else {
            bail!("there is no key in {self}");
        };
        let key = new_key();
        let unfinished = path.with_extension(format!("new-{}", std::process::id()));
        write(&unfinished, &[key], None)?;
        // A link replaces nothing, and it appears with the whole key or not at all.
        let linked = fs::hard_link(&unfinished, path);
        fs::remove_file(&unfinished).with_context(|| format!("remove {}", unfinished.display()))?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("make {self}"));
            }
            Ok(()) | Err(_) => sync_folder(path)?,
        }
        self.read()?.with_context(|| format!("read {self}"))
    }
}

/// The vault, if the keys at hand are those that the database was sealed with. The first start on a
/// database makes a key file if there is no key, and notes the key's fingerprint.
///
/// # Errors
/// If a key is missing or wrong; says which one is expected, where it was looked for and what to do.
pub async fn unlock(place: &KeyPlace, store: &Store) -> anyhow::Result<Vault> {
    let known = store
        .list_master_keys()
        .await
        .context("read the keys' names")?;
    let keyring = match place.read()? {
        Some(keys) => ring(&keys)?,
        None => match known.first() {
            Some(key) => bail!(
                "this database was sealed with master key {}, and there is no key: \
                 AGENTAREA_MASTER_KEY is not set and {place} does not exist. No new key was made, \
                 because it could not open what is stored. Put the key back, from the backup of \
                 the data folder or from the other servers on this database; see \
                 docs/decisions/master-key.md",
                key.fingerprint
            ),
            None if store.any_secret_opens(None).await?.is_some() => bail!(
                "this database holds sealed values, and there is no key: AGENTAREA_MASTER_KEY is \
                 not set and {place} does not exist. Put the key back that it was used with; see \
                 docs/decisions/master-key.md"
            ),
            None => ring(&place.create()?)?,
        },
    };
    if known.is_empty() {
        if store.any_secret_opens(Some(&keyring)).await? == Some(false) {
            bail!(
                "no key in {place} opens what is stored in this database. Put the key back that \
                 it was used with; see docs/decisions/master-key.md"
            );
        }
        store.adopt_master_key(keyring.first()).await?;
    }
    let known = store
        .list_master_keys()
        .await
        .context("read the keys' names")?;
    let held: Vec<String> = keyring
        .iter()
        .map(|key| key.fingerprint().to_string())
        .collect();
    for key in &known {
        if keyring.find(key.fingerprint).is_none() {
            bail!(
                "the master key does not fit the database: the database expects key {}, but \
                 {place} holds {}. Put the right key there, or connect to the database that this \
                 key belongs to; see docs/decisions/master-key.md",
                key.fingerprint,
                held.join(", ")
            );
        }
    }
    let current = known.iter().find(|key| key.is_current);
    let sealing = current
        .and_then(|key| keyring.find(key.fingerprint))
        .context("the database names no current master key")?
        .clone();
    let place = place.clone();
    Ok(Vault::new(keyring, sealing, move || reread(&place)))
}

/// A ring of the keys.
///
/// # Errors
/// If there are none.
pub fn ring(keys: &[KeyBytes]) -> anyhow::Result<Keyring> {
    Keyring::new(keys).context("there is no master key")
}

/// A random key.
pub fn new_key() -> KeyBytes {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    key
}

/// Replaces a key file as a whole or not at all; keeps its owner.
///
/// # Errors
/// If the folder cannot be written to.
pub fn replace(path: &Path, keys: &[KeyBytes]) -> anyhow::Result<()> {
    let owner = fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
    let unfinished = path.with_extension("new");
    write(&unfinished, keys, Some((owner.uid(), owner.gid())))?;
    fs::rename(&unfinished, path).with_context(|| format!("replace {}", path.display()))?;
    sync_folder(path)
}

fn reread(place: &KeyPlace) -> Option<Keyring> {
    if matches!(place, KeyPlace::Configuration(_)) {
        return None;
    }
    match place.read() {
        Ok(keys) => Keyring::new(&keys?),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cannot read the master keys");
            None
        }
    }
}

fn write(path: &Path, keys: &[KeyBytes], owner: Option<(u32, u32)>) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        let mut file = options.open(path)?;
        // A file left over by a crash may have been made with another mode.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        if let Some((uid, gid)) = owner {
            fchown(&file, Some(uid), Some(gid))?;
        }
        for key in keys {
            writeln!(file, "{}", STANDARD.encode(key))?;
        }
        file.sync_all()
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// Makes a new name in a folder survive a power cut.
fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("write {}", folder.display()))
}

fn decode(text: &str) -> anyhow::Result<Vec<KeyBytes>> {
    let keys: Vec<KeyBytes> = text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .map(|key| {
            let bytes = STANDARD.decode(key).ok();
            bytes
                .and_then(|bytes| KeyBytes::try_from(bytes).ok())
                .context("a master key must be 32 bytes as base64")
        })
        .collect::<anyhow::Result<_>>()?;
    if keys.is_empty() {
        bail!("a master key must be 32 bytes as base64; there is none");
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_separated_by_commas_or_lines() {
        let (a, b) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));

        for text in [
            format!("{a},{b}"),
            format!(" {a} , {b},"),
            format!("{a}\n\n{b}\n"),
        ] {
            assert_eq!(decode(&text).expect("keys"), [[1; 32], [2; 32]]);
        }
        for text in ["", ",", "short", &format!("{a},short")] {
            assert!(decode(text).is_err(), "{text:?}");
        }
    }
}
