//! Secrets at rest: envelope encryption.
//!
//! Every secret has its own random data key. The value is sealed with it by AES-256-GCM, the data
//! key with the master key. Both carry workspace, secret and version as associated data, so a row
//! copied elsewhere does not open. Layout of both columns: 12 bytes nonce, then ciphertext and tag.
//!
//! There may be several master keys, see `master_keys.rs`: all open, the one that the database names
//! as current seals. A row remembers its key's fingerprint.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use domain::{SecretId, Timestamp, WorkspaceId};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};

use crate::database::TenantTx;
use crate::master_keys::{Fingerprint, Keyring, MasterKey};
use crate::{Error, Result};

const NONCE_BYTES: usize = 12;
/// Shortest time between two looks for keys that are missing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Opens and seals secrets with the master keys. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    shared: Arc<Shared>,
}

struct Shared {
    ring: RwLock<Ring>,
    /// Reads the keys again from where they came from; `None` if that is not possible.
    source: Box<dyn Fn() -> Option<Keyring> + Send + Sync>,
    looked_at: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Ring {
    keyring: Keyring,
    sealing: MasterKey,
}

/// A value as the database keeps it.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The data key, sealed with the master key.
    pub wrapped_key: Vec<u8>,
    /// The value, sealed with the data key.
    pub ciphertext: Vec<u8>,
    /// Which master key; `None` if it was sealed before that was noted.
    pub master_key: Option<Fingerprint>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens with all keys of the ring and seals with `sealing`.
    ///
    /// `source` is asked for the keys again when one is missing: at most once a second for opening,
    /// and once for each change of the key that seals. It may block for as long as reading a small
    /// file does.
    pub fn new(
        keyring: Keyring,
        sealing: MasterKey,
        source: impl Fn() -> Option<Keyring> + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                ring: RwLock::new(Ring { keyring, sealing }),
                source: Box::new(source),
                looked_at: Mutex::new(None),
            }),
        }
    }

    /// The key that seals, as far as this process knows.
    pub fn sealing_key(&self) -> MasterKey {
        self.ring().sealing
    }

    /// Seals bytes for one place, named by `place`.
    pub fn seal(&self, key: &MasterKey, place: &str, plain: &[u8]) -> Sealed {
        let mut data_key = [0; 32];
        rand::rng().fill_bytes(&mut data_key);
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(data_key));
        Sealed {
            wrapped_key: wrap(key, place, &data_key),
            ciphertext: encrypt(&cipher, place, plain),
            master_key: Some(key.fingerprint()),
        }
    }

    /// Opens what was sealed for the same place.
    ///
    /// # Errors
    /// `Sealed` with a key that is not at hand, for another place, or after a change of a byte.
    pub fn open(&self, place: &str, sealed: &Sealed) -> Result<Vec<u8>> {
        let data_key = match sealed.master_key {
            Some(fingerprint) => {
                let key = self.find_key(fingerprint).ok_or(Error::Sealed)?;
                unwrap(&key, place, &sealed.wrapped_key)?
            }
            None => self
                .ring()
                .keyring
                .iter()
                .find_map(|key| unwrap(key, place, &sealed.wrapped_key).ok())
                .ok_or(Error::Sealed)?,
        };
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(data_key));
        decrypt(&cipher, place, &sealed.ciphertext)
    }

    /// Follows a change of the key that seals.
    ///
    /// # Errors
    /// `Sealed` if that key is not at hand.
    pub(crate) fn seal_from_now_on_with(&self, fingerprint: Fingerprint) -> Result<MasterKey> {
        if self.ring().keyring.find(fingerprint).is_none() {
            self.look_again();
        }
        let mut ring = self
            .shared
            .ring
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let key = ring.keyring.find(fingerprint).cloned();
        let key = key.ok_or(Error::Sealed)?;
        ring.sealing = key.clone();
        Ok(key)
    }

    fn find_key(&self, fingerprint: Fingerprint) -> Option<MasterKey> {
        let key = self.ring().keyring.find(fingerprint).cloned();
        if key.is_some() || !self.is_time_to_look() {
            return key;
        }
        self.look_again();
        self.ring().keyring.find(fingerprint).cloned()
    }

    fn is_time_to_look(&self) -> bool {
        let looked_at = self.shared.looked_at.lock();
        let mut looked_at = looked_at.unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_time = looked_at.is_none_or(|then| now.duration_since(then) >= LOOK_INTERVAL);
        if is_time {
            *looked_at = Some(now);
        }
        is_time
    }

    fn look_again(&self) {
        if let Some(keyring) = (self.shared.source)() {
            let ring = self.shared.ring.write();
            ring.unwrap_or_else(PoisonError::into_inner).keyring = keyring;
        }
    }

    fn ring(&self) -> Ring {
        let ring = self.shared.ring.read();
        ring.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TenantTx {
    /// Seals and writes a secret: a new one, or the next version of an old one.
    pub async fn put_secret(
        &mut self,
        vault: &Vault,
        id: SecretId,
        value: &SecretString,
        now: Timestamp,
    ) -> Result<()> {
        let version = sqlx::query_scalar!(
            "select version from secrets where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?
        .map_or(1, |version| version + 1);
        let place = secret_place(self.workspace_id(), id, version);
        let mut key = vault.sealing_key();
        loop {
            let fingerprint = key.fingerprint();
            let sealed = vault.seal(&key, &place, value.expose_secret().as_bytes());
            let done = sqlx::query!(
                "insert into secrets
                   (id, workspace_id, version, wrapped_key, ciphertext, created_at, master_key)
                 select $1, $2, $3, $4, $5, $6, fingerprint from master_keys
                 where fingerprint = $7 and is_current
                 on conflict (workspace_id, id) do update
                   set version = $3, wrapped_key = $4, ciphertext = $5, created_at = $6, master_key = $7",
                id.uuid(),
                self.workspace_id().uuid(),
                version,
                sealed.wrapped_key,
                sealed.ciphertext,
                now.date_time(),
                fingerprint.bytes()
            )
            .execute(self.connection())
            .await?;
            if done.rows_affected() > 0 {
                return Ok(());
            }
            key = self
                .newer_key(vault, fingerprint)
                .await?
                .ok_or(Error::Sealed)?;
        }
    }

    /// Reads and opens a secret.
    ///
    /// # Errors
    /// `Sealed` if the master key is not the one it was sealed with.
    pub async fn find_secret(
        &mut self,
        vault: &Vault,
        id: SecretId,
    ) -> Result<Option<SecretString>> {
        let row = sqlx::query!(
            "select version, wrapped_key, ciphertext, master_key from secrets
             where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let place = secret_place(self.workspace_id(), id, row.version);
        let sealed = Sealed {
            wrapped_key: row.wrapped_key,
            ciphertext: row.ciphertext,
            master_key: row
                .master_key
                .as_deref()
                .map(Fingerprint::from_bytes)
                .transpose()?,
        };
        let plain = vault.open(&place, &sealed)?;
        let text = String::from_utf8(plain).map_err(|_| Error::Sealed)?;
        Ok(Some(SecretString::from(text)))
    }

    /// Deletes a secret; deleting it twice is fine.
    pub async fn delete_secret(&mut self, id: SecretId) -> Result<()> {
        sqlx::query!(
            "delete from secrets where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

/// Where a secret belongs: it opens nowhere else.
pub(crate) fn secret_place(workspace_id: WorkspaceId, id: SecretId, version: i32) -> String {
    format!("secret/{workspace_id}/{id}/{version}")
}

pub(crate) fn wrap(key: &MasterKey, place: &str, data_key: &[u8; 32]) -> Vec<u8> {
    encrypt(key.cipher(), place, data_key)
}

pub(crate) fn unwrap(key: &MasterKey, place: &str, wrapped_key: &[u8]) -> Result<[u8; 32]> {
    let data_key = decrypt(key.cipher(), place, wrapped_key)?;
    data_key.try_into().map_err(|_| Error::Sealed)
}

fn encrypt(cipher: &Aes256Gcm, place: &str, plain: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut sealed);
    let mut nonce = [0; NONCE_BYTES];
    nonce.copy_from_slice(&sealed);
    let payload = Payload {
        msg: plain,
        aad: place.as_bytes(),
    };
    let ciphertext = cipher
        .encrypt(&Nonce::from(nonce), payload)
        .expect("AES-GCM takes up to 64 GiB");
    sealed.extend(ciphertext);
    sealed
}

fn decrypt(cipher: &Aes256Gcm, place: &str, sealed: &[u8]) -> Result<Vec<u8>> {
    let (nonce, ciphertext) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(Error::Sealed)?;
    let payload = Payload {
        msg: ciphertext,
        aad: place.as_bytes(),
    };
    cipher
        .decrypt(&Nonce::from(*nonce), payload)
        .map_err(|_| Error::Sealed)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn opens_only_where_it_was_sealed() {
        let vault = vault(&[[7; 32]]);

        let sealed = vault.seal(&vault.sealing_key(), "here", b"hunter2");

        assert_eq!(vault.open("here", &sealed).expect("opens"), b"hunter2");
        assert!(vault.open("there", &sealed).is_err());
        assert!(self::vault(&[[8; 32]]).open("here", &sealed).is_err());
    }

    #[test]
    fn altered_byte_does_not_open() {
        let vault = vault(&[[7; 32]]);
        let mut sealed = vault.seal(&vault.sealing_key(), "here", b"hunter2");

        sealed.ciphertext[20] ^= 1;

        assert!(vault.open("here", &sealed).is_err());
    }

    #[test]
    fn every_key_of_the_ring_opens() {
        let (old, both) = (vault(&[[7; 32]]), vault(&[[8; 32], [7; 32]]));

        let mut sealed = old.seal(&old.sealing_key(), "here", b"hunter2");

        assert_eq!(both.open("here", &sealed).expect("opens"), b"hunter2");
        sealed.master_key = None;
        assert_eq!(both.open("here", &sealed).expect("opens"), b"hunter2");
    }

    #[test]
    fn missing_key_is_looked_for_at_most_once_a_second() {
        let looks = Arc::new(AtomicUsize::new(0));
        let count = looks.clone();
        let keyring = Keyring::new(&[[7; 32]]).expect("a key");
        let first = keyring.first().clone();
        let vault = Vault::new(keyring, first, move || {
            count.fetch_add(1, Ordering::Relaxed);
            Keyring::new(&[[9; 32], [7; 32]])
        });
        let (other, gone) = (self::vault(&[[9; 32]]), self::vault(&[[8; 32]]));
        let found = other.seal(&other.sealing_key(), "here", b"hunter2");
        let lost = gone.seal(&gone.sealing_key(), "here", b"hunter2");

        assert_eq!(vault.open("here", &found).expect("opens"), b"hunter2");
        for _ in 0..100 {
            assert!(vault.open("here", &lost).is_err());
        }

        assert_eq!(looks.load(Ordering::Relaxed), 1);
    }

    fn vault(keys: &[[u8; 32]]) -> Vault {
        let keyring = Keyring::new(keys).expect("a key");
        let first = keyring.first().clone();
        Vault::new(keyring, first, || None)
    }
}
