//! The secrets of a tool server: names and values, sealed as one text.

use std::collections::BTreeMap;

use domain::Error;
use secrecy::{ExposeSecret, SecretString};
use store::TenantTx;
use store::mcp_servers::StoredMcpServer;
use store::vault::Vault;

use crate::fault::OrFault;
use crate::mint;

/// What is kept of a server; nothing for one without secrets.
pub(crate) async fn read(
    tx: &mut TenantTx,
    vault: &Vault,
    stored: &StoredMcpServer,
) -> Result<BTreeMap<String, String>, Error> {
    let Some(id) = stored.secret_id else {
        return Ok(BTreeMap::new());
    };
    let secret = tx.find_secret(vault, id).await.or_fault()?;
    Ok(secret.map(|secret| open(&secret)).unwrap_or_default())
}

/// The names and values in an opened secret.
pub(crate) fn open(secret: &SecretString) -> BTreeMap<String, String> {
    serde_json::from_str(secret.expose_secret()).unwrap_or_default()
}

/// Keeps these, and nothing else, of a server. One that has none any more is left to the caller to
/// be deleted.
pub(crate) async fn write(
    tx: &mut TenantTx,
    vault: &Vault,
    stored: &mut StoredMcpServer,
    secrets: &BTreeMap<String, String>,
) -> Result<(), Error> {
    if secrets.is_empty() {
        stored.secret_id = None;
        return Ok(());
    }
    let id = stored.secret_id.unwrap_or_else(mint::id);
    let text = serde_json::to_string(secrets).map_err(anyhow::Error::from);
    let secret = SecretString::from(text.map_err(|error| crate::internal(&error))?);
    let now = stored.server.updated_at;
    tx.put_secret(vault, id, &secret, now).await.or_fault()?;
    stored.secret_id = Some(id);
    Ok(())
}
