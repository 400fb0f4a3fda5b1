//! Server functions of servers in containers and of the catalog.

use std::collections::BTreeMap;

use domain::containers::{CatalogEntry, ContainerReport, ServerLogLine};
use domain::{Error, McpServerId, Secret};
#[cfg(feature = "ssr")]
use domain::{
    Page,
    containers::{
        CatalogSourceInput, ContainerHttp, ContainerSourceInput, PackageRegistry,
        PackageSourceInput, Resources,
    },
    expose,
    mcp_servers::{CreateMcpServer, McpServerSource, McpServerSourceInput, UpdateMcpServer},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::pages::tools::graphs;

/// What is shown of a server's container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerDetail {
    /// What it uses, and whom it was refused.
    pub report: ContainerReport,
    /// Graphs of what it used lately, as HTML; empty if it was hardly looked at.
    pub graphs: String,
    /// The newest lines of its log, oldest first, at most 100.
    pub log: Vec<ServerLogLine>,
}

/// What was typed of a container; lines of text where there are several.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TypedContainer {
    /// Reference of an image; empty for a package.
    #[serde(default)]
    pub image: String,
    /// Version of a package.
    #[serde(default)]
    pub version: String,
    /// One argument a line.
    #[serde(default)]
    pub command: String,
    /// `NAME=value` lines.
    #[serde(default)]
    pub env: String,
    /// Port and path of one that speaks HTTP: `3001` or `3001/mcp`.
    #[serde(default)]
    pub http: String,
    /// `host:port` lines.
    #[serde(default)]
    pub egress: String,
    /// MiB.
    #[serde(default)]
    pub memory_mb: String,
    /// Thousandths of a processor.
    #[serde(default)]
    pub cpu_millis: String,
}

/// The catalog, by title.
#[server]
pub async fn list_catalog() -> Result<Vec<CatalogEntry>, Error> {
    crate::context::platform()?.list_mcp_catalog().await
}

/// Puts a server into the workspace's catalog and shows it there.
#[server]
pub async fn add_catalog_entry(file: String) -> Result<(), Error> {
    let file = serde_json::from_str(&file)
        .map_err(|error| Error::invalid("file", format!("is not JSON: {error}")))?;
    let platform = crate::context::platform()?;
    let entry = platform.create_mcp_catalog_entry(file).await?;
    crate::context::go_to(&format!("/tools/catalog/{}", entry.key));
    Ok(())
}

/// Takes a server out of the workspace's catalog.
#[server]
pub async fn delete_catalog_entry(id: String) -> Result<(), Error> {
    let platform = crate::context::platform()?;
    platform.delete_mcp_catalog_entry(&id).await?;
    crate::context::go_to("/tools/catalog");
    Ok(())
}

/// Adds a server of the catalog and shows it.
#[server]
pub async fn add_catalog_server(
    name: String,
    key: String,
    #[server(default)] values: BTreeMap<String, Secret>,
) -> Result<(), Error> {
    let values = values
        .into_iter()
        .filter(|(_, value)| !expose(value).is_empty());
    let input = CreateMcpServer {
        call_price_usd_micros: None,
        name: name.trim().to_owned(),
        source: McpServerSourceInput::Catalog(CatalogSourceInput {
            key,
            values: values.collect(),
        }),
    };
    let server = crate::context::platform()?.create_mcp_server(input).await?;
    crate::context::go_to(&format!("/tools/{}", server.id));
    Ok(())
}

/// Adds a server from an image or a package (`npm:name@version`, `pypi:name==version`) and shows it.
#[server]
pub async fn add_container_server(
    name: String,
    typed: TypedContainer,
    #[server(default)] header_names: Vec<String>,
    #[server(default)] header_values: Vec<Secret>,
) -> Result<(), Error> {
    let secrets = secrets(header_names, header_values, Vec::new());
    let input = image_input(typed, secrets)?;
    let input = CreateMcpServer {
        call_price_usd_micros: None,
        name: name.trim().to_owned(),
        source: match package_of(&input.image) {
            Some((registry, name, version)) => McpServerSourceInput::Package(PackageSourceInput {
                registry,
                name,
                version,
                command: input.command,
                env: input.env,
                secrets: input.secrets,
                http: input.http,
                resources: input.resources,
                egress: input.egress,
            }),
            None => McpServerSourceInput::Container(input),
        },
    };
    let server = crate::context::platform()?.create_mcp_server(input).await?;
    crate::context::go_to(&format!("/tools/{}", server.id));
    Ok(())
}

/// Changes a server in a container and starts it anew. Secrets without a value keep theirs.
#[server]
pub async fn change_container_server(
    id: McpServerId,
    name: String,
    typed: TypedContainer,
    #[server(default)] header_names: Vec<String>,
    #[server(default)] header_values: Vec<Secret>,
    #[server(default)] removed: Vec<String>,
) -> Result<(), Error> {
    let platform = crate::context::platform()?;
    let secrets = secrets(header_names, header_values, removed);
    let stored = platform.get_mcp_server(id).await?.source;
    // What the form does not ask for stays as it is.
    let pids = stored.container().map(|it| it.resources.pids);
    let source = match stored {
        McpServerSource::Remote(_) | McpServerSource::Container(_) => {
            let mut input = image_input(typed, secrets)?;
            input.resources.pids = pids.unwrap_or(input.resources.pids);
            McpServerSourceInput::Container(input)
        }
        McpServerSource::Package(old) => {
            let version = typed.version.trim().to_owned();
            let mut input = image_input(typed, secrets)?;
            input.resources.pids = pids.unwrap_or(input.resources.pids);
            McpServerSourceInput::Package(PackageSourceInput {
                registry: old.registry,
                name: old.name,
                version,
                command: input.command,
                env: input.env,
                secrets: input.secrets,
                http: input.http,
                resources: input.resources,
                egress: input.egress,
            })
        }
    };
    let input = UpdateMcpServer {
        call_price_usd_micros: None,
        name: Some(name.trim().to_owned()),
        source: Some(source),
    };
    platform.update_mcp_server(id, input).await?;
    Ok(())
}

/// Ends a server's container until it is restarted.
#[server]
pub async fn stop_tool_server(id: McpServerId) -> Result<(), Error> {
    crate::context::platform()?.stop_mcp_server(id).await?;
    Ok(())
}

/// What a server's page shows of its container.
#[cfg(feature = "ssr")]
pub async fn container_of(
    platform: &dyn domain::Platform,
    id: McpServerId,
    resources: Resources,
) -> Result<ContainerDetail, Error> {
    let mut log = platform
        .list_mcp_server_log(id, Page::first(100))
        .await?
        .items;
    log.reverse();
    let report = platform.get_mcp_server_container(id).await?;
    Ok(ContainerDetail {
        graphs: graphs::markup(&report, resources),
        report,
        log,
    })
}

#[cfg(feature = "ssr")]
fn image_input(
    typed: TypedContainer,
    secrets: BTreeMap<String, Option<Secret>>,
) -> Result<ContainerSourceInput, Error> {
    let mut errors = domain::FieldErrors::default();
    let mut number = |field: &str, text: &str, otherwise: u32| match text.trim() {
        "" => otherwise,
        text => text.parse().unwrap_or_else(|_| {
            errors.push(field, "must be a whole number");
            otherwise
        }),
    };
    let usual = Resources::default();
    let resources = Resources {
        memory_mb: number(
            "source.resources.memory_mb",
            &typed.memory_mb,
            usual.memory_mb,
        ),
        cpu_millis: number(
            "source.resources.cpu_millis",
            &typed.cpu_millis,
            usual.cpu_millis,
        ),
        pids: usual.pids,
    };
    let http = match typed.http.trim() {
        "" => None,
        text => {
            let (port, path) = text.split_at(text.find('/').unwrap_or(text.len()));
            let path = if path.is_empty() { "/mcp" } else { path };
            Some(ContainerHttp {
                port: u16::try_from(number("source.http", port, 0)).unwrap_or(0),
                path: path.to_owned(),
            })
        }
    };
    let mut env = BTreeMap::new();
    for line in lines(&typed.env) {
        match line.split_once('=') {
            Some((name, value)) => drop(env.insert(name.trim().to_owned(), value.to_owned())),
            None => errors.push("source.env", "each line must be NAME=value"),
        }
    }
    errors.finish()?;
    Ok(ContainerSourceInput {
        image: typed.image.trim().to_owned(),
        // Spaces around an argument are part of it.
        command: words(&typed.command),
        env,
        secrets,
        http,
        resources,
        egress: lines(&typed.egress),
    })
}

#[cfg(feature = "ssr")]
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// The package that was typed in place of an image.
#[cfg(feature = "ssr")]
fn package_of(text: &str) -> Option<(PackageRegistry, String, String)> {
    let (registry, name, version) = match text.split_once(':')? {
        ("npm", package) => {
            // A name may begin with the sign that stands before the version.
            let at = package.rfind('@').filter(|at| *at > 0);
            let at = at.unwrap_or(package.len());
            (PackageRegistry::Npm, &package[..at], package.get(at + 1..))
        }
        ("pypi", package) => match package.split_once("==") {
            Some((name, version)) => (PackageRegistry::PyPi, name, Some(version)),
            None => (PackageRegistry::PyPi, package, None),
        },
        _ => return None,
    };
    Some((
        registry,
        name.to_owned(),
        version.unwrap_or_default().to_owned(),
    ))
}

#[cfg(feature = "ssr")]
fn words(text: &str) -> Vec<String> {
    let words = text.lines().filter(|word| !word.trim().is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(feature = "ssr")]
fn secrets(
    names: Vec<String>,
    values: Vec<Secret>,
    removed: Vec<String>,
) -> BTreeMap<String, Option<Secret>> {
    let mut secrets: BTreeMap<_, _> = names
        .into_iter()
        .zip(values)
        .map(|(name, value)| (name.trim().to_owned(), value))
        .filter(|(name, value)| !name.is_empty() && !expose(value).is_empty())
        .map(|(name, value)| (name, Some(value)))
        .collect();
    secrets.extend(removed.into_iter().map(|name| (name, None)));
    secrets
}
