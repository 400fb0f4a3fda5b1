//! Packages of npm and PyPI that are turned into images.

use std::time::Duration;

use crate::Rule;

/// A package in exactly one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Where it is from.
    pub registry: Registry,
    /// Its name there: `@modelcontextprotocol/server-everything`, `mcp-server-time`.
    pub name: String,
    /// An exact version: `2026.1.26`.
    pub version: String,
}

/// A public registry, or a mirror of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// Packages for Node.js.
    Npm,
    /// Packages for Python.
    PyPi,
}

/// How packages become images.
#[derive(Clone, Debug)]
pub struct PackageConfig {
    /// The image with Node.js.
    pub node: Base,
    /// The image with Python.
    pub python: Base,
    /// The npm registry or its mirror, a URL.
    pub npm_registry: String,
    /// The PyPI index or its mirror, the URL of its simple interface.
    pub pypi_index: String,
    /// Whom the builder may reach: the registries' hosts, those that their files come from.
    pub egress: Vec<Rule>,
}

/// The image in which packages are installed and run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// One that an administrator has made.
    Given(String),
    /// Made on the engine when it is first needed, `FROM` an image that is public.
    Made {
        /// Such as `node:22-bookworm-slim`, or where a mirror has that.
        from: String,
        /// How old it may be before it is made anew, so that fixes come in; `None` for ever.
        lives: Option<Duration>,
    },
}

impl Package {
    /// Whether name and version can be nothing else, neither an option nor a path nor a URL.
    pub fn is_well_formed(&self) -> bool {
        let is_plain = |text: &str, also: &[u8]| {
            (1..=128).contains(&text.len())
                && text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
        };
        let name = match (self.registry, self.name.strip_prefix('@')) {
            (Registry::Npm, Some(scoped)) => match scoped.split_once('/') {
                Some((scope, name)) => is_plain(scope, b"-._") && is_plain(name, b"-._"),
                None => false,
            },
            (_, None) => is_plain(&self.name, b"-._"),
            (Registry::PyPi, Some(_)) => false,
        };
        // A range or tag such as `latest` or `^1.0` begins with no digit.
        let is_exact = self.version.starts_with(|c: char| c.is_ascii_digit());
        name && is_exact && is_plain(&self.version, b"-._+")
    }

    pub(crate) fn described(&self) -> String {
        match self.registry {
            Registry::Npm => format!("{}@{} of npm", self.name, self.version),
            Registry::PyPi => format!("{}=={} of PyPI", self.name, self.version),
        }
    }
}

impl PackageConfig {
    pub(crate) fn base(&self, registry: Registry) -> &Base {
        match registry {
            Registry::Npm => &self.node,
            Registry::PyPi => &self.python,
        }
    }
}
