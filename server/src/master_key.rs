//! The key that seals all secrets.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};

/// The configured key, or the data folder's key file, which is made once with mode 0600.
///
/// # Errors
/// If the key is not 32 bytes of base64, or the file cannot be read or made.
pub fn load(configured: Option<&SecretString>, data_dir: &Path) -> anyhow::Result<[u8; 32]> {
    if let Some(key) = configured {
        return decode(key.expose_secret()).context("read master_key (AGENTAREA_MASTER_KEY)");
    }
    let path = data_dir.join("master.key");
    match std::fs::read_to_string(&path) {
        Ok(text) => decode(&text).with_context(|| format!("read {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            rand::rng().fill_bytes(&mut key);
            let mut file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o600)
                .open(&path)
                .with_context(|| format!("make {}", path.display()))?;
            writeln!(file, "{}", STANDARD.encode(key)).context("write the master key")?;
            file.sync_all().context("write the master key")?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

fn decode(text: &str) -> anyhow::Result<[u8; 32]> {
    let bytes = STANDARD
        .decode(text.trim())
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.context("the master key must be 32 bytes as base64")
}
