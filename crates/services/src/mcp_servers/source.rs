//! Where a server is, and the secrets that belong there.

use std::collections::BTreeMap;

use domain::mcp_servers::{McpServerSource, McpServerSourceInput, RemoteSource, RemoteSourceInput};
use domain::{Error, expose};
use store::TenantTx;
use store::mcp_servers::StoredMcpServer;
use url::Url;

use crate::fault::OrFault;
use crate::mcp_settings::other_type;
use crate::{Session, sealed_map};

/// Among a server's secrets: no header has such a name.
pub(crate) const SIGN_IN_SECRET: &str = "sign-in client secret";

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
                let own = tx.list_catalog_entries().await.or_fault()?;
                let own = own.iter().find(|(own, _)| *own == key);
                let own = own.map(|(_, file)| file);
                (crate::catalog::expand(input, own)?, Some(key))
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
        let mut headers = sealed_map::read(tx, vault, stored).await?;
        let mut client_id = match &stored.server.source {
            McpServerSource::Remote(old) => old.sign_in_client_id.clone(),
            _ => None,
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
        if let Some(client) = input.sign_in_client {
            client_id = Some(client.id.trim().to_owned()).filter(|id| !id.is_empty());
            match client.secret.filter(|_| client_id.is_some()) {
                Some(secret) => {
                    headers.insert(SIGN_IN_SECRET.to_owned(), expose(&secret).to_owned());
                }
                None => {
                    headers.remove(SIGN_IN_SECRET);
                }
            }
            is_given.insert(SIGN_IN_SECRET.to_owned(), ());
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
        sealed_map::write(tx, vault, stored, &headers).await?;
        headers.remove(SIGN_IN_SECRET);
        stored.server.source = McpServerSource::Remote(RemoteSource {
            url: url.into(),
            header_names: headers.into_keys().collect(),
            sign_in_client_id: client_id,
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
