//! Changes the master key, while servers run. May be killed and run again at any point.
//!
//! ```text
//! file: old ── file: new, old ── database: seals with new ── values wrapped anew ── database
//!                                                            forgets old ── file: new
//! ```
//! The file knows a key before the database does, and forgets it after. So at each arrow a start
//! finds every key it needs, and a run of this picks up where the last one stopped.

use anyhow::{Context, bail};
use store::Store;
use store::master_keys::{Fingerprint, Keyring};

use crate::master_key::{KeyBytes, KeyPlace, new_key, replace, ring};

/// Passes over all values before giving up; more than one only if a server that has not noticed the
/// new key still seals with the old one.
const PASSES: usize = 20;

/// What was done.
#[derive(Debug)]
pub struct Rotated {
    /// The key that seals now.
    pub key: Fingerprint,
    /// Whether an earlier run had begun it.
    pub was_begun: bool,
    /// Values wrapped anew.
    pub moved: u64,
}

/// Makes a new key (in a file) or takes the first (of the configuration), and moves everything to
/// it. An interrupted rotation is finished instead.
///
/// # Errors
/// If another rotation runs, the configuration holds no new key, or a value opens with no key; old
/// keys are kept then.
pub async fn rotate(store: &Store, place: &KeyPlace) -> anyhow::Result<Rotated> {
    let Some(_lock) = store.lock_rotation().await? else {
        bail!("another process is changing the master key");
    };
    let (keys, was_begun) = choose(store, place).await?;
    let keyring = ring(&keys)?;
    let target = keyring.first();
    store.switch_master_key(target).await?;
    let moved = move_all(store, &keyring).await?;
    if let KeyPlace::File(path) = place {
        replace(path, &keys[..1])?;
    }
    Ok(Rotated {
        key: target.fingerprint(),
        was_begun,
        moved,
    })
}

/// The keys, the one to move to first, and whether moving had begun.
async fn choose(store: &Store, place: &KeyPlace) -> anyhow::Result<(Vec<KeyBytes>, bool)> {
    let keys = place.read()?.with_context(|| format!("read {place}"))?;
    let known = store.list_master_keys().await?;
    let keyring = ring(&keys)?;
    if let Some(missing) = known
        .iter()
        .find(|key| keyring.find(key.fingerprint).is_none())
    {
        bail!("{place} lacks key {}", missing.fingerprint);
    }
    let first_seals = known
        .iter()
        .any(|key| key.is_current && key.fingerprint == keyring.first().fingerprint());
    let is_settled = first_seals && known.len() == 1 && keys.len() == 1;
    match place {
        KeyPlace::File(path) if is_settled => {
            let keys: Vec<KeyBytes> = [new_key()].into_iter().chain(keys).collect();
            replace(path, &keys)?;
            Ok((keys, false))
        }
        KeyPlace::File(_) => Ok((keys, true)),
        KeyPlace::Configuration(_) if is_settled => bail!(
            "{place} holds only the key in use, {}. Make a new one (openssl rand -base64 32), put \
             it first (new,old), restart every server with that, and run this again",
            keyring.first().fingerprint()
        ),
        KeyPlace::Configuration(_) => Ok((keys, first_seals)),
    }
}

async fn move_all(store: &Store, keyring: &Keyring) -> anyhow::Result<u64> {
    let mut moved = 0;
    for _ in 0..PASSES {
        let done = store.rewrap(keyring, keyring.first()).await?;
        moved += done.moved;
        if done.unopened > 0 {
            bail!(
                "{} stored values open with no key at hand; the log names them. They are as they \
                 were, all others use the new key, and no key was removed",
                done.unopened
            );
        }
        if store.forget_old_master_keys().await? {
            return Ok(moved);
        }
    }
    bail!("some server still seals with the old key; restart it and run this again")
}
