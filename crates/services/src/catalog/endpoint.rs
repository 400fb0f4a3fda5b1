//! Where a package speaks HTTP in its container.

use std::collections::BTreeMap;

use domain::Error;
use domain::containers::ContainerHttp;
use url::Url;

use super::file::{InputFile, TransportFile};
use super::settings::Settings;
use super::template::Template;

/// An address on the package's own machine.
pub(super) struct Endpoint(Template);

impl Endpoint {
    /// Reads how a package speaks; `None` if on its standard input and output. `named` tells what
    /// the package's arguments and variables with a name are.
    pub(super) fn read<'a>(
        transport: &TransportFile,
        settings: &mut Settings,
        named: impl Fn(&str) -> Option<&'a Template>,
    ) -> Result<Option<Self>, String> {
        match transport.kind.as_str() {
            "stdio" => return Ok(None),
            "streamable-http" => {}
            other => return Err(format!("its transport {other} is not spoken here")),
        }
        let is_needed = |header: &&InputFile| {
            header.is_required || header.value.is_some() || header.default.is_some()
        };
        if let Some(header) = transport.headers.iter().find(is_needed) {
            let name = &header.name;
            return Err(format!(
                "it wants a header {name}, which packages are not sent"
            ));
        }
        let url = transport.url.as_deref().unwrap_or_default();
        let template = Template::read(url, |name| match named(name) {
            Some(found) => Ok(Some(found.clone())),
            None => Err(format!(
                "its address names {{{name}}}, which it does not explain"
            )),
        })?;
        settings.require(&template);
        let endpoint = Self(template);
        if endpoint.0.settings().next().is_none() {
            endpoint.address(&BTreeMap::new())?;
        }
        Ok(Some(endpoint))
    }

    /// The address with these values.
    ///
    /// # Errors
    /// `Invalid` naming the first setting of what is no address.
    pub(super) fn with(&self, values: &BTreeMap<String, String>) -> Result<ContainerHttp, Error> {
        self.address(values).map_err(|why| {
            let setting = self.0.settings().next().unwrap_or_default();
            Error::invalid(format!("source.values.{setting}"), why)
        })
    }

    fn address(&self, values: &BTreeMap<String, String>) -> Result<ContainerHttp, String> {
        let url = self.0.filled(values).and_then(|url| Url::parse(&url).ok());
        let url = url.ok_or("its transport has no address such as http://localhost:3000/mcp")?;
        let port = url.port_or_known_default();
        Ok(ContainerHttp {
            port: port.ok_or("its transport's address has no port")?,
            path: url.path().to_owned(),
        })
    }
}
