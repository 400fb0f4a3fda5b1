//! Secrets at rest: envelope encryption.
//!
//! Every secret has its own random data key. The value is sealed with it by AES-256-GCM, the data
//! key with the master key. Both carry workspace, secret and version as associated data, so a row
//! copied elsewhere does not open. Layout of both columns: 12 bytes nonce, then ciphertext and tag.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use domain::{SecretId, Timestamp, WorkspaceId};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};

use crate::database::TenantTx;
use crate::{Error, Result};

const NONCE_BYTES: usize = 12;

/// Opens and seals secrets with the master key.
#[derive(Clone)]
pub struct Vault {
    master: Aes256Gcm,
}

/// A value as the database keeps it.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The data key, sealed with the master key.
    pub wrapped_key: Vec<u8>,
    /// The value, sealed with the data key.
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Uses a master key.
    pub fn new(master_key: &[u8; 32]) -> Self {
        Self {
            master: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*master_key)),
        }
    }

    /// Seals bytes for one place, named by `place`.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Sealed {
        let mut data_key = [0; 32];
        rand::rng().fill_bytes(&mut data_key);
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(data_key));
        Sealed {
            wrapped_key: encrypt(&self.master, place, &data_key),
            ciphertext: encrypt(&cipher, place, plain),
        }
    }

    /// Opens what was sealed for the same place.
    ///
    /// # Errors
    /// `Sealed` with another key, for another place, or after a change of a byte.
    pub fn open(&self, place: &str, sealed: &Sealed) -> Result<Vec<u8>> {
        let data_key = decrypt(&self.master, place, &sealed.wrapped_key)?;
        let data_key = <[u8; 32]>::try_from(data_key).map_err(|_| Error::Sealed)?;
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(data_key));
        decrypt(&cipher, place, &sealed.ciphertext)
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
        let version = sqlx::query_scalar!("select version from secrets where id = $1", id.uuid())
            .fetch_optional(self.connection())
            .await?
            .map_or(1, |version| version + 1);
        let place = place(self.workspace_id(), id, version);
        let sealed = vault.seal(&place, value.expose_secret().as_bytes());
        sqlx::query!(
            "insert into secrets (id, workspace_id, version, wrapped_key, ciphertext, created_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (workspace_id, id) do update
               set version = $3, wrapped_key = $4, ciphertext = $5, created_at = $6",
            id.uuid(),
            self.workspace_id().uuid(),
            version,
            sealed.wrapped_key,
            sealed.ciphertext,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
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
            "select version, wrapped_key, ciphertext from secrets where id = $1",
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let place = place(self.workspace_id(), id, row.version);
        let sealed = Sealed {
            wrapped_key: row.wrapped_key,
            ciphertext: row.ciphertext,
        };
        let plain = vault.open(&place, &sealed)?;
        let text = String::from_utf8(plain).map_err(|_| Error::Sealed)?;
        Ok(Some(SecretString::from(text)))
    }

    /// Deletes a secret; deleting it twice is fine.
    pub async fn delete_secret(&mut self, id: SecretId) -> Result<()> {
        sqlx::query!("delete from secrets where id = $1", id.uuid())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

fn place(workspace_id: WorkspaceId, id: SecretId, version: i32) -> String {
    format!("secret/{workspace_id}/{id}/{version}")
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
    use super::*;

    #[test]
    fn opens_only_where_it_was_sealed() {
        let vault = Vault::new(&[7; 32]);

        let sealed = vault.seal("here", b"hunter2");

        assert_eq!(vault.open("here", &sealed).expect("opens"), b"hunter2");
        assert!(vault.open("there", &sealed).is_err());
        assert!(Vault::new(&[8; 32]).open("here", &sealed).is_err());
    }

    #[test]
    fn altered_byte_does_not_open() {
        let vault = Vault::new(&[7; 32]);
        let mut sealed = vault.seal("here", b"hunter2");

        sealed.ciphertext[20] ^= 1;

        assert!(vault.open("here", &sealed).is_err());
    }
}
