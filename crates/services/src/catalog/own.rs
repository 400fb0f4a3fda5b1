//! Servers that a workspace's administrators have put into its catalog.

use domain::audit::Deed;
use domain::containers::CatalogEntry;
use domain::mcp_servers::CreateMcpServer;
use domain::{Action, Error};
use serde_json::Value;
use store::mcp_catalog::MAX_ENTRIES;
use uuid::Uuid;

use super::{Listed, settings};
use crate::fault::OrFault;
use crate::{Session, mint};

/// Longest file.
const MAX_BYTES: usize = 64 * 1024;

impl Session {
    /// The built-in catalog and the workspace's own, by title.
    pub(crate) async fn whole_catalog(&self) -> Result<Vec<CatalogEntry>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let own = tx.list_catalog_entries().await.or_fault()?;
        let mut entries = super::list();
        let read = own
            .iter()
            .filter_map(|(key, file)| own_entry(key, file).ok());
        entries.extend(read);
        entries.sort_by_cached_key(|entry| entry.title.to_lowercase());
        Ok(entries)
    }

    pub(crate) async fn create_catalog_entry(&self, file: Value) -> Result<CatalogEntry, Error> {
        let deed = Deed::McpCatalogEntryCreate;
        let mut tx = self.change(Action::ManageTools, deed).await?;
        let invalid = |message: String| Error::invalid("file", message);
        if file.to_string().len() > MAX_BYTES {
            return Err(invalid("must have at most 64 KiB".to_owned()));
        }
        // The registry's interface wraps it.
        let file = match file.get("server") {
            Some(server) if server.is_object() => server.clone(),
            _ => file,
        };
        let name = file.get("name").and_then(Value::as_str).unwrap_or_default();
        let key = key_of(name).ok_or_else(|| {
            invalid("must be a server.json with a name such as io.github.acme/tools".to_owned())
        })?;
        let entry =
            own_entry(&key, &file).map_err(|why| invalid(format!("cannot be added: {why}")))?;
        let taken = || Error::conflict(format!("the catalog has a server {key} already"));
        if super::list().iter().any(|built_in| built_in.key == key) {
            return Err(taken());
        }
        let own = tx.list_catalog_entries().await.or_fault()?;
        if own.len() as i64 >= MAX_ENTRIES {
            let message = format!("a workspace can have {MAX_ENTRIES} servers in its catalog");
            return Err(Error::conflict(message));
        }
        match tx.create_catalog_entry(&key, &file, mint::now()).await {
            Err(store::Error::Constraint(_)) => return Err(taken()),
            other => other.or_fault()?,
        }
        tx.commit(object_id(&key), &key).await?;
        Ok(entry)
    }

    pub(crate) async fn delete_catalog_entry(&self, key: &str) -> Result<(), Error> {
        let deed = Deed::McpCatalogEntryDelete;
        let mut tx = self.change(Action::ManageTools, deed).await?;
        // PostgreSQL refuses a text with a NUL; no entry is called so.
        if key.contains('\0') || !tx.delete_catalog_entry(key).await.or_fault()? {
            return Err(Error::NotFound);
        }
        tx.commit(object_id(key), key).await
    }
}

/// Reads a file and tries it with made-up values, so that whoever adds it learns what is wrong.
fn own_entry(key: &str, file: &Value) -> Result<CatalogEntry, String> {
    let listed = Listed::read(key, file)?;
    let rules = listed.entry.egress.iter();
    for line in rules.filter(|line| !line.contains('{')) {
        let rule = line.parse::<provisioner::Rule>();
        rule.map_err(|error| format!("{line}: {error}"))?;
    }
    let values = settings::samples(&listed.entry.settings);
    let source = listed.expand(&values).map_err(|error| error.to_string())?;
    let trial = CreateMcpServer {
        call_price_usd_micros: None,
        name: "trial".to_owned(),
        source,
    };
    trial.validate().map_err(|error| error.to_string())?;
    Ok(CatalogEntry {
        is_own: true,
        ..listed.entry
    })
}

/// The last part of a name, in letters that stand in an address.
fn key_of(name: &str) -> Option<String> {
    let last = name.rsplit('/').next()?.to_ascii_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_key = (1..=100).contains(&last.len())
        && last.starts_with(|c: char| c.is_ascii_alphanumeric())
        && last.chars().all(is_plain);
    is_key.then_some(last)
}

/// Entries have no ids; the log of deeds wants one that stays the same.
fn object_id(key: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&mint::hash(key)[..16]);
    Uuid::from_bytes(bytes)
}
