//! What makes and changes a server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{MAX_CALL_PRICE_USD_MICROS, MAX_HEADERS, MAX_NAME};
use crate::containers::{CatalogSourceInput, ContainerSourceInput, PackageSourceInput};
use crate::tools::NAME_SEPARATOR;
use crate::{Error, FieldErrors, Secret};

/// Input for a new server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateMcpServer {
    /// Unique name: a small letter, then small letters, digits, `-` and single `_`.
    pub name: String,
    /// Where it is.
    pub source: McpServerSourceInput,
    /// What each call of its tools costs; nothing if left out.
    #[serde(default)]
    pub call_price_usd_micros: Option<u64>,
}

/// Changes to a server; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateMcpServer {
    /// New name. The gateway goes on understanding the old one.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it is now; of the same type as before.
    #[serde(default)]
    pub source: Option<McpServerSourceInput>,
    /// What each call of its tools costs from now on; 0 for nothing.
    #[serde(default)]
    pub call_price_usd_micros: Option<u64>,
}

/// Where a new server is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum McpServerSourceInput {
    /// Somewhere else, by URL.
    Remote(RemoteSourceInput),
    /// In a container of ours, from an image.
    Container(ContainerSourceInput),
    /// In a container of ours, from a package.
    Package(PackageSourceInput),
    /// As the catalog says.
    Catalog(CatalogSourceInput),
}

/// Input for a server that somebody else runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RemoteSourceInput {
    /// Address of its Streamable HTTP endpoint.
    pub url: String,
    /// Headers to send with every request. In a change, headers that are not named stay as they
    /// are and `null` removes one; the values belong to the address's origin and must be given
    /// again for another.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub headers: BTreeMap<String, Option<Secret>>,
    /// The client to sign in as, where the authorization server registers none by itself. Left out in
    /// a change, it stays as it is; with an empty id it is removed.
    #[serde(default)]
    pub sign_in_client: Option<SignInClientInput>,
}

/// Input for a client that somebody has registered at an authorization server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignInClientInput {
    /// Its id there.
    pub id: String,
    /// Its secret, if it has one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub secret: Option<Secret>,
}

/// Where a person goes on who signs in at a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInAddress {
    /// To be opened by the browser that asked, within 15 minutes.
    pub url: String,
}

/// What a person brings back from signing in for a server.
#[derive(Clone, Debug)]
pub struct SignInReturn {
    /// The state that the sign-in was begun with.
    pub state: Secret,
    /// To be exchanged for tokens; `None` if the sign-in was refused.
    pub code: Option<Secret>,
    /// Who answers, if they say so.
    pub issuer: Option<String>,
}

impl CreateMcpServer {
    /// Checks every field that needs no look-up.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        check_name(&mut errors, &self.name);
        self.source.check(&mut errors);
        check_price(&mut errors, self.call_price_usd_micros);
        errors.finish()
    }
}

impl UpdateMcpServer {
    /// Checks every field that needs no look-up.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        if let Some(name) = &self.name {
            check_name(&mut errors, name);
        }
        if let Some(source) = &self.source {
            source.check(&mut errors);
        }
        check_price(&mut errors, self.call_price_usd_micros);
        errors.finish()
    }
}

impl McpServerSourceInput {
    fn check(&self, errors: &mut FieldErrors) {
        match self {
            Self::Remote(remote) => remote.check(errors),
            Self::Container(container) => container.check(errors),
            Self::Package(package) => package.check(errors),
            Self::Catalog(catalog) => catalog.check(errors),
        }
    }
}

impl RemoteSourceInput {
    fn check(&self, errors: &mut FieldErrors) {
        errors.line("source.url", &self.url, 2_000);
        if self.headers.len() > MAX_HEADERS {
            errors.push(
                "source.headers",
                format!("must have at most {MAX_HEADERS} entries"),
            );
        }
        if let Some(client) = &self.sign_in_client
            && (client.id.len() > 500 || client.id.chars().any(char::is_control))
        {
            let message = "the id must be one line of at most 500 bytes";
            errors.push("source.sign_in_client", message);
        }
    }
}

fn check_price(errors: &mut FieldErrors, price: Option<u64>) {
    if price.is_some_and(|price| price > MAX_CALL_PRICE_USD_MICROS) {
        let message = "must be at most a thousand dollars";
        errors.push("call_price_usd_micros", message);
    }
}

fn check_name(errors: &mut FieldErrors, name: &str) {
    let is_slug = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    let message = if name.is_empty() {
        "is required"
    } else if !is_slug {
        "must begin with a small letter and have only small letters, digits, - and _"
    } else if name.len() > MAX_NAME {
        "must have at most 32 characters"
    } else if name.contains(NAME_SEPARATOR) || name.ends_with('_') {
        "must not have two _ in a row or end with _, because that separates it from its tools"
    } else if name == "builtin" {
        "is taken by the built-in tools"
    } else {
        return;
    };
    errors.push("name", message);
}
