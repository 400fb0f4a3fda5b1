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
    #[serde(default)]
    pub(super) packages: Vec<PackageFile>,
    #[serde(default)]
    pub(super) remotes: Vec<RemoteFile>,
    #[serde(rename = "_meta", default)]
    pub(super) meta: BTreeMap<String, Value>,
}

/// A package of a registry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PackageFile {
    pub(super) registry_type: String,
    pub(super) identifier: String,
    /// Images have theirs in the identifier.
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) package_arguments: Vec<ArgumentFile>,
    pub(super) transport: Option<TransportFile>,
    #[serde(default)]
    pub(super) environment_variables: Vec<VariableFile>,
}

/// How a package speaks; the address of one that speaks HTTP is that of its own machine.
#[derive(Deserialize)]
pub(super) struct TransportFile {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: Option<String>,
}

/// An argument of its program: a word, or a name with a word.
#[derive(Deserialize)]
pub(super) struct ArgumentFile {
    pub(super) name: Option<String>,
    pub(super) value: Option<String>,
    pub(super) default: Option<String>,
}

/// An address that serves it.
#[derive(Deserialize)]
pub(super) struct RemoteFile {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) headers: Vec<VariableFile>,
}

/// A setting: a variable of the environment, or a header.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VariableFile {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) is_required: bool,
    #[serde(default)]
    pub(super) is_secret: bool,
    pub(super) format: Option<String>,
    pub(super) default: Option<String>,
    pub(super) value: Option<String>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, VariableFile>,
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

/// Headers' settings: those that their templates name, else the headers themselves.
pub(super) fn header_variables(headers: &[VariableFile]) -> Vec<VariableFile> {
    let mut variables = Vec::new();
    for header in headers {
        if header.value.is_none() {
            variables.push(header.clone());
        }
        for (name, variable) in &header.variables {
            let name = name.clone();
            variables.push(VariableFile {
                name,
                ..variable.clone()
            });
        }
    }
    variables
}
