//! Master keys: those at hand, and those that the database was sealed with.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::KeyInit;
use aes_gcm::{Aes256Gcm, Key};
use sha2::{Digest, Sha256};

use crate::database::{SystemConnection, TenantTx};
use crate::vault::{self, Sealed, Vault};
use crate::{Error, Result, Store};

/// Keeps a fingerprint from being any other hash of the same bytes.
const LABEL: &[u8] = b"agentarea master key fingerprint v1\0";
/// Number of the advisory lock of a rotation: "keys" in ASCII.
const ROTATION_LOCK: i64 = 0x6b65_7973;

/// Names a master key without telling anything of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 16]);

/// A key that wraps data keys. Cheap to clone.
#[derive(Clone)]
pub struct MasterKey {
    fingerprint: Fingerprint,
    cipher: Arc<Aes256Gcm>,
}

/// The keys at hand, at least one: all open. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: Arc<[MasterKey]>,
}

/// A key that stored values are sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// Which key.
    pub fingerprint: Fingerprint,
    /// Whether new values are sealed with it.
    pub is_current: bool,
}

/// Held by the one process that changes the master key, until it ends.
#[derive(Debug)]
pub struct RotationLock {
    _connection: SystemConnection,
}

impl Fingerprint {
    /// The fingerprint of a key.
    pub fn of(key: &[u8; 32]) -> Self {
        let hash = Sha256::new().chain_update(LABEL).chain_update(key);
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&hash.finalize()[..16]);
        Self(fingerprint)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::Sealed)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The first half, in hex: enough to tell keys apart.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.fingerprint)
    }
}

impl MasterKey {
    fn new(key: &[u8; 32]) -> Self {
        Self {
            fingerprint: Fingerprint::of(key),
            cipher: Arc::new(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))),
        }
    }

    /// Which key it is.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(crate) fn cipher(&self) -> &Aes256Gcm {
        &self.cipher
    }
}

impl Keyring {
    /// Keys in order of preference; `None` without any.
    pub fn new(keys: &[[u8; 32]]) -> Option<Self> {
        let keys: Arc<[MasterKey]> = keys.iter().map(MasterKey::new).collect();
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// The preferred key.
    pub fn first(&self) -> &MasterKey {
        &self.keys[0]
    }

    /// The key with a fingerprint.
    pub fn find(&self, fingerprint: Fingerprint) -> Option<&MasterKey> {
        self.iter().find(|key| key.fingerprint == fingerprint)
    }

    /// All keys, the preferred one first.
    pub fn iter(&self) -> impl Iterator<Item = &MasterKey> {
        self.keys.iter()
    }
}

impl Store {
    /// The keys that stored values are sealed with, the current one first; none before the first
    /// start.
    pub async fn list_master_keys(&self) -> Result<Vec<KnownKey>> {
        let rows = sqlx::query!(
            "select fingerprint, is_current from master_keys order by is_current desc, created_at"
        )
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(KnownKey {
                    fingerprint: Fingerprint::from_bytes(&row.fingerprint)?,
                    is_current: row.is_current,
                })
            })
            .collect()
    }

    /// Makes a key the database's, if it has none; another process may be faster.
    pub async fn adopt_master_key(&self, key: &MasterKey) -> Result<()> {
        sqlx::query!(
            "insert into master_keys (fingerprint, is_current) values ($1, true)
             on conflict do nothing",
            key.fingerprint.bytes()
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Whether a stored secret opens with a key of the ring; `None` if there are no secrets.
    ///
    /// For databases that do not say yet which key they were sealed with.
    pub async fn any_secret_opens(&self, keyring: Option<&Keyring>) -> Result<Option<bool>> {
        for workspace_id in self.list_workspace_ids().await? {
            let mut tx = self.begin(workspace_id).await?;
            let row = sqlx::query!("select id, version, wrapped_key from secrets limit 1")
                .fetch_optional(tx.connection())
                .await?;
            if let Some(row) = row {
                let place = vault::secret_place(workspace_id, row.id.into(), row.version);
                let opens = keyring.is_some_and(|keyring| {
                    keyring
                        .iter()
                        .any(|key| vault::unwrap(key, &place, &row.wrapped_key).is_ok())
                });
                return Ok(Some(opens));
            }
        }
        Ok(None)
    }

    /// Takes the lock of a rotation; `None` while another process has it.
    pub async fn lock_rotation(&self) -> Result<Option<RotationLock>> {
        let mut connection = self.system().await?;
        let is_ours = sqlx::query_scalar!(
            r#"select pg_try_advisory_lock($1) as "is_ours!""#,
            ROTATION_LOCK
        )
        .fetch_one(&mut *connection)
        .await?;
        Ok(is_ours.then_some(RotationLock {
            _connection: connection,
        }))
    }

    /// Makes a key the one that seals. From now on no process seals with another.
    pub async fn switch_master_key(&self, key: &MasterKey) -> Result<()> {
        let mut tx = self.pool().begin().await?;
        sqlx::query!(
            "update master_keys set is_current = false where is_current and fingerprint <> $1",
            key.fingerprint.bytes()
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "insert into master_keys (fingerprint, is_current) values ($1, true)
             on conflict (fingerprint) do update set is_current = true",
            key.fingerprint.bytes()
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Forgets all keys but the current one; false if a stored value still needs one of them.
    pub async fn forget_old_master_keys(&self) -> Result<bool> {
        let deleted = sqlx::query!("delete from master_keys where not is_current")
            .execute(self.pool())
            .await
            .map_err(Error::from);
        match deleted {
            Ok(_) => Ok(true),
            Err(Error::Constraint(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl TenantTx {
    /// The key that seals now, after `tried` turned out not to be it; `None` if it is.
    ///
    /// # Errors
    /// `Sealed` if it is not at hand.
    pub(crate) async fn newer_key(
        &mut self,
        vault: &Vault,
        tried: Fingerprint,
    ) -> Result<Option<MasterKey>> {
        let current = sqlx::query_scalar!("select fingerprint from master_keys where is_current")
            .fetch_one(self.connection())
            .await?;
        let current = Fingerprint::from_bytes(&current)?;
        match current == tried {
            true => Ok(None),
            false => vault.seal_from_now_on_with(current).map(Some),
        }
    }
}

/// A value that is wrapped anew: the row's new `wrapped_key`, or why it cannot be had.
pub(crate) fn rewrap(
    keyring: &Keyring,
    target: &MasterKey,
    place: &str,
    sealed: &Sealed,
) -> Result<Vec<u8>> {
    let data_key = keyring
        .iter()
        .filter(|key| {
            sealed
                .master_key
                .is_none_or(|known| key.fingerprint == known)
        })
        .find_map(|key| vault::unwrap(key, place, &sealed.wrapped_key).ok())
        .ok_or(Error::Sealed)?;
    Ok(vault::wrap(target, place, &data_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_names_a_key_and_shows_nothing_of_it() {
        let key = [7; 32];

        let fingerprint = Fingerprint::of(&key).to_string();

        assert_eq!(fingerprint.len(), 16);
        assert!(!fingerprint.contains("0707"));
        assert!(Fingerprint::of(&key) == Fingerprint::of(&key));
        assert!(Fingerprint::of(&key) != Fingerprint::of(&[8; 32]));
    }
}
