//! Brings a package to the disk, and believes nothing that does not have the pinned digest.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha512};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::package::Package;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence before a transfer is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const WHOLE_TIMEOUT: Duration = Duration::from_secs(600);

/// Writes a package to a new file and verifies it; at most `size_bytes` are ever written.
///
/// Proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`) are used: the address is ours, not a
/// tenant's, so the guard of the crate `outbound` has nothing to protect here.
///
/// # Errors
/// If the network or the disk is in the way, or the file is not the pinned one; what was written
/// by then stays.
pub(super) async fn download(package: &Package, path: &Path) -> anyhow::Result<()> {
    let response = client()?.get(&package.url).send().await;
    let mut response = response
        .and_then(reqwest::Response::error_for_status)
        .context("download PostgreSQL")?;
    let writing = || format!("write {}", path.display());
    let mut file = File::create_new(path).await.with_context(writing)?;
    let mut received_bytes = 0;
    let mut hasher = Sha512::new();
    let mut told_tenths = 0;
    while let Some(chunk) = response.chunk().await.context("download PostgreSQL")? {
        ensure!(
            received_bytes + chunk.len() <= package.size_bytes,
            "{} is larger than the expected {} bytes",
            package.url,
            package.size_bytes
        );
        file.write_all(&chunk).await.with_context(writing)?;
        hasher.update(&chunk);
        received_bytes += chunk.len();
        let tenths = received_bytes * 10 / package.size_bytes;
        if tenths > told_tenths {
            told_tenths = tenths;
            tracing::info!(percent = tenths * 10, "downloading PostgreSQL");
        }
    }
    ensure!(
        BASE64_STANDARD.encode(hasher.finalize()) == package.sha512,
        "{} is not the expected file: its SHA-512 is another one",
        package.url
    );
    file.flush().await.with_context(writing)
}

fn client() -> anyhow::Result<reqwest::Client> {
    // A provider that is already there is the same or the program's own choice.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("AgentArea/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .timeout(WHOLE_TIMEOUT)
        .build()
        .context("make the HTTP client")
}
