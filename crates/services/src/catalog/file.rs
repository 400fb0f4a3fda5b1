//! Files in the format of the official registry, as far as they are used.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The parts of `server.json` that are used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerFile {
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) description: String,
    pub(super) version: String,
    pub(super) website_url: Option<String>,
    pub(super) repository: Option<RepositoryFile>,
    #[serde(default)]
    pub(super) packages: Vec<PackageFile>,
    #[serde(default)]
    pub(super) remotes: Vec<RemoteFile>,
    #[serde(rename = "_meta", default)]
    pub(super) meta: BTreeMap<String, Value>,
}

/// Where its source is.
#[derive(Deserialize)]
pub(super) struct RepositoryFile {
    #[serde(default)]
    pub(super) url: String,
}

/// A package of a registry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PackageFile {
    pub(super) registry_type: String,
    pub(super) registry_base_url: Option<String>,
    pub(super) identifier: String,
    /// Images have theirs in the identifier.
    #[serde(default)]
    pub(super) version: String,
    pub(super) file_sha256: Option<String>,
    #[serde(default)]
    pub(super) runtime_arguments: Vec<ArgumentFile>,
    #[serde(default)]
    pub(super) package_arguments: Vec<ArgumentFile>,
    pub(super) transport: Option<TransportFile>,
    #[serde(default)]
    pub(super) environment_variables: Vec<InputFile>,
}

/// How a package speaks; the address of one that speaks HTTP is that of its own machine.
#[derive(Deserialize)]
pub(super) struct TransportFile {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) headers: Vec<InputFile>,
}

/// An argument of a program: a word, or a name with a word.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArgumentFile {
    /// `positional` or `named`.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// What a word is called; it stands nowhere in the command.
    pub(super) value_hint: Option<String>,
    #[serde(default)]
    pub(super) is_repeated: bool,
    #[serde(flatten)]
    pub(super) input: InputFile,
}

/// An address that serves it.
#[derive(Deserialize)]
pub(super) struct RemoteFile {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) headers: Vec<InputFile>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, InputFile>,
}

/// A value: of a variable of the environment, a header, an argument, or for a `{name}` in one of them.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct InputFile {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) is_required: bool,
    pub(super) is_secret: bool,
    pub(super) format: Option<String>,
    pub(super) default: Option<String>,
    pub(super) placeholder: String,
    pub(super) choices: Vec<String>,
    /// What it is; nobody is asked then, except for what `variables` names in it.
    pub(super) value: Option<String>,
    pub(super) variables: BTreeMap<String, InputFile>,
}

/// Our own words.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Ours {
    pub(super) licence: String,
    pub(super) icon: String,
    pub(super) category: String,
    pub(super) egress: Vec<String>,
}
