//! Password hashing: Argon2id with OWASP's parameters, off the async threads, few at a time.

use anyhow::Context;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::{Error, Secret, expose};
use tokio::sync::Semaphore;

use crate::fault::internal;

/// Hashes at once; each takes 19 MiB.
const AT_ONCE: usize = 2;

/// Hashes and checks passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    permits: Semaphore,
    /// Checked when the account does not exist, so that both cases take as long.
    decoy: String,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            permits: Semaphore::new(AT_ONCE),
            decoy: hash_now("nobody's password").unwrap_or_default(),
        }
    }

    /// PHC string of a password.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, Error> {
        let password = expose(password).to_owned();
        self.off_thread(move || hash_now(&password)).await
    }

    /// Whether a password matches; `None` (no such account) takes as long and never does.
    pub(crate) async fn verify(
        &self,
        password: &Secret,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let password = expose(password).to_owned();
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let matches = self
            .off_thread(move || {
                let hash = PasswordHash::new(&hash)
                    .map_err(|error| anyhow::anyhow!("read a password hash: {error}"))?;
                Ok(hasher()?
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok())
            })
            .await?;
        Ok(matches && exists)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|error| internal(&error.into()))?;
        tokio::task::spawn_blocking(work)
            .await
            .context("hash a password")
            .and_then(|result| result)
            .map_err(|error| internal(&error))
    }
}

fn hash_now(password: &str) -> anyhow::Result<String> {
    let hash = hasher()?
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("hash a password: {error}"))?;
    Ok(hash.to_string())
}

/// 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).
fn hasher() -> anyhow::Result<Argon2<'static>> {
    let params = Params::new(19_456, 2, 1, None)
        .map_err(|error| anyhow::anyhow!("set Argon2 parameters: {error}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
