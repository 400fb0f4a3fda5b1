//! Where a server is, and the secrets that belong there.

use std::collections::BTreeMap;

use domain::mcp_servers::{McpServerSource, McpServerSourceInput, RemoteSource, RemoteSourceInput};
use domain::{Error, expose};
use secrecy::{ExposeSecret, SecretString};
use store::TenantTx;
use store::mcp_servers::StoredMcpServer;
use url::Url;

use crate::fault::OrFault;
use crate::mcp_settings::other_type;
use crate::{Session, mint};

impl Session {
    /// Takes over a source and its secrets; `is_new` when there was nothing before.
    pub(super) async fn put_source(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredMcpServer,
        input: McpServerSourceInput,
        is_new: bool,
    ) -> Result<(), Error> {
        let (input, catalog) = match input {
            McpServerSourceInput::Catalog(_) if !is_new => return Err(other_type()),
            McpServerSourceInput::Catalog(input) => {
                let key = input.key.clone();
                (crate::catalog::expand(input)?, Some(key))
            }
            input => (input, None),
        };
        match input {
            McpServerSourceInput::Remote(remote) => {
                let old_url = match &stored.server.source {
                    McpServerSource::Remote(old) => Some(old.url.clone()),
                    _ if is_new => None,
                    _ => return Err(other_type()),
                };
                self.put_headers(tx, stored, remote, old_url.as_deref())
                    .await?;
                if let (McpServerSource::Remote(remote), Some(key)) =
                    (&mut stored.server.source, catalog)
                {
                    remote.catalog = Some(key);
                }
                Ok(())
            }
            McpServerSourceInput::Container(input) => {
                self.put_container(tx, stored, input, is_new).await
            }
            McpServerSourceInput::Package(input) => {
                self.put_package(tx, stored, input, is_new, catalog).await
            }
            // What the catalog leads to is none of its own.
            McpServerSourceInput::Catalog(_) => Err(other_type()),
        }
    }

    /// Takes over address and headers of an input; `old_url` is where kept headers belong.
    async fn put_headers(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredMcpServer,
        input: RemoteSourceInput,
        old_url: Option<&str>,
    ) -> Result<(), Error> {
        let url = clean_url(&input.url)?;
        let vault = &self.services.vault;
        let mut headers: BTreeMap<String, String> = match stored.secret_id {
            Some(id) => {
                let secret = tx.find_secret(vault, id).await.or_fault()?;
                secret
                    .and_then(|secret| serde_json::from_str(secret.expose_secret()).ok())
                    .unwrap_or_default()
            }
            None => BTreeMap::new(),
        };
        let old_origin = old_url
            .and_then(|old| Url::parse(old).ok())
            .map(|old| old.origin());
        let mut is_given = BTreeMap::new();
        for (name, value) in input.headers {
            let name = check_header_name(&name)?;
            match &value {
                Some(value) => {
                    let value = expose(value).trim();
                    check_header_value(&name, value)?;
                    headers.insert(name.clone(), value.to_owned());
                }
                None => {
                    headers.remove(&name);
                }
            }
            is_given.insert(name, ());
        }
        let kept = headers.keys().find(|name| !is_given.contains_key(*name));
        if let (Some(kept), true) = (kept, old_origin.is_some_and(|old| old != url.origin())) {
            return Err(Error::invalid(
                "source.headers",
                format!(
                    "give {kept} again or remove it: a secret is not sent to another address than \
                     the one it was given for"
                ),
            ));
        }
        if headers.len() > domain::mcp_servers::MAX_HEADERS {
            let message = format!(
                "must have at most {} entries",
                domain::mcp_servers::MAX_HEADERS
            );
            return Err(Error::invalid("source.headers", message));
        }
        if headers.is_empty() {
            stored.secret_id = None;
        } else {
            let id = stored.secret_id.unwrap_or_else(mint::id);
            let text = serde_json::to_string(&headers).map_err(anyhow::Error::from);
            let secret = SecretString::from(text.map_err(|error| crate::internal(&error))?);
            let now = stored.server.updated_at;
            tx.put_secret(vault, id, &secret, now).await.or_fault()?;
            stored.secret_id = Some(id);
        }
        stored.server.source = McpServerSource::Remote(RemoteSource {
            url: url.into(),
            header_names: headers.into_keys().collect(),
            catalog: None,
        });
        Ok(())
    }
}

fn clean_url(text: &str) -> Result<Url, Error> {
    let wrong = |message: &str| Error::invalid("source.url", message);
    let url = Url::parse(text.trim())
        .map_err(|_| wrong("must be a URL such as https://tools.example.com/mcp"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "must not hold a user name or password; use a header for them",
        ));
    }
    if url.fragment().is_some() {
        return Err(wrong("must not have a fragment (#)"));
    }
    Ok(url)
}

/// Headers that belong to HTTP or to the protocol.
const RESERVED: [&str; 12] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "last-event-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The name in lower case.
fn check_header_name(name: &str) -> Result<String, Error> {
    let name = name.trim().to_ascii_lowercase();
    let is_token = !name.is_empty()
        && name.len() <= 100
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    let wrong = |message: String| Err(Error::invalid("source.headers", message));
    if !is_token {
        return wrong("names must be header names such as Authorization".to_owned());
    }
    if RESERVED.contains(&name.as_str()) || name.starts_with("mcp-") {
        return wrong(format!("{name} is set by the protocol itself"));
    }
    Ok(name)
}

fn check_header_value(name: &str, value: &str) -> Result<(), Error> {
    let is_visible = value.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if value.is_empty() || value.len() > 8_000 || !is_visible {
        return Err(Error::invalid(
            "source.headers",
            format!("the value of {name} must be 1 to 8000 visible ASCII characters"),
        ));
    }
    Ok(())
}
