//! The catalog: servers that can be added in one step, from files in the format of the official
//! registry (`server.json`) with a few words of our own under `_meta`.

mod file;
mod own;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use domain::containers::{
    CatalogEntry, CatalogSetting, CatalogSourceInput, ContainerHttp, ContainerSourceInput,
    PackageRegistry, PackageSourceInput, Resources,
};
use domain::mcp_servers::{McpServerSourceInput, RemoteSourceInput};
use domain::{Error, FieldErrors, Secret, expose};
use serde_json::Value;
use url::Url;

use self::file::{ArgumentFile, Ours, PackageFile, ServerFile, VariableFile, header_variables};

const FILES: &str = include_str!(concat!(env!("OUT_DIR"), "/catalog.json"));

static ENTRIES: LazyLock<Vec<Listed>> = LazyLock::new(|| {
    let files: BTreeMap<String, Value> =
        serde_json::from_str(FILES).expect("the build checks that the files are JSON");
    let mut entries: Vec<Listed> = files
        .iter()
        .filter_map(|(key, file)| match Listed::read(key, file) {
            Ok(listed) => Some(listed),
            Err(error) => {
                tracing::error!(key, error, "a catalog entry is left out");
                None
            }
        })
        .collect();
    entries.sort_by(|a, b| {
        a.entry
            .title
            .to_lowercase()
            .cmp(&b.entry.title.to_lowercase())
    });
    entries
});

/// An entry with what it becomes.
struct Listed {
    entry: CatalogEntry,
    file: ServerFile,
}

/// Every entry, by title.
pub(crate) fn list() -> Vec<CatalogEntry> {
    ENTRIES.iter().map(|listed| listed.entry.clone()).collect()
}

/// What an entry becomes with these values; `own` is the workspace's own file of that key.
///
/// # Errors
/// `Invalid` naming each setting that is missing or unknown.
pub(crate) fn expand(
    input: CatalogSourceInput,
    own: Option<&Value>,
) -> Result<McpServerSourceInput, Error> {
    let unknown = || Error::invalid("source.key", "is not in the catalog");
    if let Some(file) = own {
        let listed = Listed::read(&input.key, file).map_err(|_| unknown())?;
        return listed.expand(&input.values);
    }
    let listed = ENTRIES.iter().find(|listed| listed.entry.key == input.key);
    listed.ok_or_else(unknown)?.expand(&input.values)
}

impl Listed {
    /// Reads a file of the official format.
    fn read(key: &str, file: &Value) -> Result<Self, String> {
        let file: ServerFile =
            serde_json::from_value(file.clone()).map_err(|error| error.to_string())?;
        let ours = file.meta.get("ai.agentarea/catalog").cloned();
        let ours: Ours = ours
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| error.to_string())?
            .unwrap_or_default();
        let (kind, variables) = match (file.packages.first(), file.remotes.first()) {
            (Some(package), _) => {
                let kind = match package.registry_type.as_str() {
                    kind @ ("npm" | "pypi") => kind,
                    "oci" => "image",
                    other => return Err(format!("packages of {other} cannot be run yet")),
                };
                http_of(package)?;
                (kind, package.environment_variables.clone())
            }
            (None, Some(remote)) if remote.kind == "streamable-http" => {
                ("remote", header_variables(&remote.headers))
            }
            _ => return Err("it has neither a package nor a remote address".to_owned()),
        };
        let setting = |variable: &VariableFile| CatalogSetting {
            name: variable.name.clone(),
            description: variable.description.clone(),
            kind: variable
                .format
                .clone()
                .unwrap_or_else(|| "string".to_owned()),
            is_required: variable.is_required,
            is_secret: variable.is_secret,
            default: variable.default.clone(),
        };
        let entry = CatalogEntry {
            key: key.to_owned(),
            title: file.title.clone().unwrap_or_else(|| file.name.clone()),
            description: file.description.clone(),
            icon: ours.icon,
            category: ours.category,
            homepage: file.website_url.clone().unwrap_or_default(),
            licence: ours.licence,
            version: file.version.clone(),
            kind: kind.to_owned(),
            settings: variables.iter().map(setting).collect(),
            egress: ours.egress,
            is_own: false,
        };
        Ok(Self { entry, file })
    }

    fn expand(&self, given: &BTreeMap<String, Secret>) -> Result<McpServerSourceInput, Error> {
        let mut errors = FieldErrors::default();
        let mut values = BTreeMap::new();
        for setting in &self.entry.settings {
            let given = given.get(&setting.name).map(|value| expose(value).trim());
            let value = given.filter(|value| !value.is_empty());
            let field = format!("source.values.{}", setting.name);
            match value.map(str::to_owned).or_else(|| setting.default.clone()) {
                Some(value) => {
                    check_kind(&mut errors, &field, &setting.kind, &value);
                    values.insert(setting.name.clone(), value);
                }
                None if setting.is_required => errors.push(&field, "is required"),
                None => {}
            }
        }
        let is_known =
            |name: &&String| self.entry.settings.iter().any(|known| known.name == **name);
        for name in given.keys().filter(|name| !is_known(name)) {
            errors.push(
                &format!("source.values.{name}"),
                "is no setting of this server",
            );
        }
        errors.finish()?;
        match self.file.packages.first() {
            Some(package) => Ok(self.package(package, &values)),
            None => self.remote(&values),
        }
    }

    fn package(
        &self,
        package: &PackageFile,
        values: &BTreeMap<String, String>,
    ) -> McpServerSourceInput {
        let is_secret = |name: &str| {
            let setting = self
                .entry
                .settings
                .iter()
                .find(|setting| setting.name == name);
            setting.is_none_or(|setting| setting.is_secret)
        };
        let (secrets, env): (Vec<_>, Vec<_>) = values
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .partition(|(name, _)| is_secret(name));
        let secret = |(name, value): (String, String)| (name, Some(Secret::new(value)));
        let command = package.package_arguments.iter().flat_map(words).collect();
        let (env, secrets) = (
            env.into_iter().collect(),
            secrets.into_iter().map(secret).collect(),
        );
        // Reading the entry has checked it.
        let http = http_of(package).unwrap_or_default();
        if package.registry_type == "oci" {
            return McpServerSourceInput::Container(ContainerSourceInput {
                image: image(package),
                command,
                env,
                secrets,
                http,
                resources: Resources::default(),
                egress: self.egress(values),
            });
        }
        McpServerSourceInput::Package(PackageSourceInput {
            registry: match package.registry_type.as_str() {
                "npm" => PackageRegistry::Npm,
                _ => PackageRegistry::PyPi,
            },
            name: package.identifier.clone(),
            version: package.version.clone(),
            command,
            env,
            secrets,
            http,
            resources: Resources::default(),
            egress: self.egress(values),
        })
    }

    fn remote(&self, values: &BTreeMap<String, String>) -> Result<McpServerSourceInput, Error> {
        let broken = || Error::conflict("the catalog entry is not complete");
        let remote = self.file.remotes.first().ok_or_else(broken)?;
        let headers = remote.headers.iter().filter_map(|header| {
            let value = match &header.value {
                Some(template) => filled(template, values)?,
                None => values.get(&header.name)?.clone(),
            };
            Some((header.name.clone(), Some(Secret::new(value))))
        });
        Ok(McpServerSourceInput::Remote(RemoteSourceInput {
            url: remote.url.clone(),
            headers: headers.collect(),
            sign_in_client: None,
        }))
    }

    /// The allow-list, with settings that are addresses or hosts filled in.
    fn egress(&self, values: &BTreeMap<String, String>) -> Vec<String> {
        let lines = self.entry.egress.iter();
        let filled = lines.filter_map(|line| filled(line, values));
        filled.map(|line| host_and_port(&line)).collect()
    }
}

/// What an argument of a program is in its command line.
fn words(argument: &ArgumentFile) -> Vec<String> {
    let value = argument.value.as_ref().or(argument.default.as_ref());
    match (&argument.name, value) {
        (Some(name), Some(value)) => vec![name.clone(), value.clone()],
        (None, Some(value)) => vec![value.clone()],
        (_, None) => Vec::new(),
    }
}

/// The reference of an image; older files have its tag beside it.
fn image(package: &PackageFile) -> String {
    let name = package.identifier.rsplit('/').next().unwrap_or_default();
    match package.version.is_empty() || name.contains([':', '@']) {
        true => package.identifier.clone(),
        false => format!("{}:{}", package.identifier, package.version),
    }
}

/// Where a package speaks HTTP, if it does.
fn http_of(package: &PackageFile) -> Result<Option<ContainerHttp>, String> {
    let Some(transport) = &package.transport else {
        return Ok(None);
    };
    match transport.kind.as_str() {
        "stdio" => Ok(None),
        "streamable-http" => {
            let url = transport
                .url
                .as_deref()
                .and_then(|url| Url::parse(url).ok());
            let url =
                url.ok_or("its transport has no address such as http://localhost:3000/mcp")?;
            let port = url.port_or_known_default();
            Ok(Some(ContainerHttp {
                port: port.ok_or("its transport's address has no port")?,
                path: url.path().to_owned(),
            }))
        }
        other => Err(format!("its transport {other} is not spoken here")),
    }
}

/// A template whose `{NAME}` are replaced; `None` if one of them is not given.
fn filled(template: &str, values: &BTreeMap<String, String>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(values.get(name)?);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

fn host_and_port(line: &str) -> String {
    let url = Url::parse(line).ok().filter(|url| url.has_host());
    let parts = url.and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(format!("{host}:{}", url.port_or_known_default()?))
    });
    parts.unwrap_or_else(|| line.to_owned())
}

fn check_kind(errors: &mut FieldErrors, field: &str, kind: &str, value: &str) {
    let (is_right, message) = match kind {
        "number" => (value.parse::<f64>().is_ok(), "must be a number"),
        "boolean" => (matches!(value, "true" | "false"), "must be true or false"),
        "url" => (
            Url::parse(value).is_ok_and(|url| url.has_host()),
            "must be an address such as https://example.com",
        ),
        _ => (true, ""),
    };
    if !is_right {
        errors.push(field, message);
    }
}

#[cfg(test)]
mod tests {
    use domain::containers::LOGOS;

    use super::*;

    #[test]
    fn every_file_is_complete_and_can_be_added() {
        let files: BTreeMap<String, Value> = serde_json::from_str(FILES).expect("JSON");
        assert!(files.len() >= 25, "{} servers", files.len());

        for (key, file) in &files {
            let listed = Listed::read(key, file).unwrap_or_else(|error| panic!("{key}: {error}"));
            let entry = &listed.entry;
            for text in [
                &entry.title,
                &entry.description,
                &entry.icon,
                &entry.category,
                &entry.licence,
                &entry.version,
            ] {
                assert!(!text.trim().is_empty(), "{key} lacks something: {entry:?}");
            }
            assert!(Url::parse(&entry.homepage).is_ok(), "{key}");
            let logos = include_str!("../../../../public/servers.svg");
            assert!(logos.contains(&format!("id=\"{}\"", entry.icon)), "{key}");
            assert!(LOGOS.split(' ').any(|it| it == entry.icon), "{key}");
            let sample = |setting: &CatalogSetting| match setting.kind.as_str() {
                "url" => "https://service.example.com:8443/x",
                "number" => "8443",
                "boolean" => "true",
                _ => "host.example.com",
            };
            let values = entry
                .settings
                .iter()
                .map(|setting| (setting.name.clone(), Secret::new(sample(setting))))
                .collect();
            match listed
                .expand(&values)
                .unwrap_or_else(|error| panic!("{key}: {error}"))
            {
                McpServerSourceInput::Package(package) => {
                    for line in &package.egress {
                        line.parse::<provisioner::Rule>()
                            .unwrap_or_else(|error| panic!("{key}: {error}"));
                    }
                    let package = provisioner::Package {
                        registry: crate::containers::registry(package.registry),
                        name: package.name,
                        version: package.version,
                    };
                    assert!(package.is_well_formed(), "{key}: {package:?}");
                }
                McpServerSourceInput::Remote(remote) => {
                    assert!(remote.url.starts_with("https://"), "{key}");
                }
                other => panic!("{key} becomes {other:?}"),
            }
        }
    }

    #[test]
    fn missing_settings_are_named() {
        let input = CatalogSourceInput {
            key: "notion".to_owned(),
            values: BTreeMap::from([("COLOUR".to_owned(), Secret::new("red"))]),
        };

        let error = expand(input, None).expect_err("incomplete");

        assert_eq!(
            error.field("source.values.NOTION_TOKEN"),
            Some("is required")
        );
        assert!(error.field("source.values.COLOUR").is_some());
    }
}
