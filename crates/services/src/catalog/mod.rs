//! The catalog: servers that can be added in one step, from files in the format of the official
//! registry (`server.json`) with a few words of our own under `_meta`.

mod arguments;
mod endpoint;
mod file;
mod own;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod way;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use domain::containers::{CatalogEntry, CatalogSetting, CatalogSourceInput};
use domain::mcp_servers::McpServerSourceInput;
use domain::{Error, FieldErrors, Secret, expose};
use serde_json::Value;
use url::Url;

use self::file::{Ours, ServerFile};
use self::template::Template;
use self::way::Way;

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
    way: Way,
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
        let way = Way::of(&file)?;
        let repository = file.repository.map(|repository| repository.url);
        let homepage = file.website_url.or(repository);
        let entry = CatalogEntry {
            key: key.to_owned(),
            title: file.title.unwrap_or(file.name),
            description: file.description,
            icon: ours.icon,
            category: ours.category,
            homepage: homepage.unwrap_or_default(),
            licence: ours.licence,
            version: file.version,
            kind: way.kind().to_owned(),
            settings: way.settings.clone(),
            egress: ours.egress,
            is_own: false,
        };
        Ok(Self { entry, way })
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
                    check(&mut errors, &field, setting, &value);
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
        self.way.with(&values, self.egress(&values))
    }

    /// The allow-list, with settings that are addresses or hosts filled in.
    fn egress(&self, values: &BTreeMap<String, String>) -> Vec<String> {
        let lines = self.entry.egress.iter();
        let filled = lines.filter_map(|line| {
            let setting = |name: &str| Ok(Some(Template::setting(name.to_owned())));
            let Ok(line) = Template::read::<Infallible>(line, setting);
            line.filled(values)
        });
        filled.map(|line| host_and_port(&line)).collect()
    }
}

fn host_and_port(line: &str) -> String {
    let url = Url::parse(line).ok().filter(|url| url.has_host());
    let parts = url.and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(format!("{host}:{}", url.port_or_known_default()?))
    });
    parts.unwrap_or_else(|| line.to_owned())
}

fn check(errors: &mut FieldErrors, field: &str, setting: &CatalogSetting, value: &str) {
    let is_choice = |value: &str| setting.choices.iter().any(|choice| choice == value.trim());
    let is_chosen = match setting.kind.as_str() {
        "lines" => value.lines().all(is_choice),
        _ => is_choice(value),
    };
    if !setting.choices.is_empty() && !is_chosen {
        errors.push(
            field,
            format!("must be one of {}", setting.choices.join(", ")),
        );
        return;
    }
    let (is_right, message) = match setting.kind.as_str() {
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
