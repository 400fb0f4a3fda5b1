//! Addresses that people give for connections.

use domain::Error;
use domain::models::{ConnectionKind, ModelConnection};
use url::Url;

/// The address to keep, without a slash at the end.
pub(super) fn clean(kind: ConnectionKind, text: Option<&str>) -> Result<Option<String>, Error> {
    if kind == ConnectionKind::Local {
        return Ok(None);
    }
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let Some(text) = text.or(kind.default_base_url()) else {
        return Err(Error::invalid("base_url", "is required"));
    };
    let wrong = |message: &str| Error::invalid("base_url", message);
    let url =
        Url::parse(text).map_err(|_| wrong("must be a URL such as https://api.example.com/v1"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "must not hold a user name or password; use the key field",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must not have a query or fragment"));
    }
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

/// Whether two addresses are of one server: scheme, host and port.
pub(super) fn is_same_server(one: &Option<String>, other: &Option<String>) -> bool {
    let origin = |text: &Option<String>| Some(Url::parse(text.as_deref()?).ok()?.origin());
    origin(one) == origin(other)
}

/// Where the interface of a connection is.
pub(super) fn api_url(connection: &ModelConnection) -> Option<Url> {
    let base_url = connection.base_url.as_deref()?;
    let text = match connection.kind {
        ConnectionKind::Ollama if !base_url.ends_with("/v1") => format!("{base_url}/v1"),
        _ => base_url.to_owned(),
    };
    Url::parse(&text).ok()
}
