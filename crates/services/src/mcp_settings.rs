//! What a server in a container is to be, from input to what is stored.

use std::collections::{BTreeMap, BTreeSet};

use domain::containers::{
    ContainerSettings, ContainerSource, ContainerSourceInput, PackageSource, PackageSourceInput,
};
use domain::mcp_servers::McpServerSource;
use domain::{Error, Secret, expose};
use provisioner::{Package, Rule};
use store::TenantTx;
use store::mcp_servers::StoredMcpServer;

use crate::containers::{Quota, registry};
use crate::fault::OrFault;
use crate::{Session, sealed_map};

/// The secrets of an input: values, or `None` for those to be removed.
type SecretsInput = BTreeMap<String, Option<Secret>>;

impl Session {
    /// Takes over an image and how it runs; `is_new` when there was nothing before.
    pub(crate) async fn put_container(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredMcpServer,
        input: ContainerSourceInput,
        is_new: bool,
    ) -> Result<(), Error> {
        let is_same = match &stored.server.source {
            McpServerSource::Container(old) => repository(&old.image) == repository(&input.image),
            _ if is_new => true,
            _ => return Err(other_type()),
        };
        let settings = ContainerSettings {
            command: input.command,
            env: input.env,
            http: input.http,
            resources: input.resources,
            egress: rules(&input.egress)?,
            ..ContainerSettings::default()
        };
        let settings = self
            .put_secrets(tx, stored, settings, input.secrets, is_same)
            .await?;
        stored.server.source = McpServerSource::Container(ContainerSource {
            image: input.image,
            settings,
        });
        self.check_quota(tx, stored).await
    }

    /// Takes over a package and how it runs; `catalog` is the entry that it is from.
    pub(crate) async fn put_package(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredMcpServer,
        input: PackageSourceInput,
        is_new: bool,
        catalog: Option<String>,
    ) -> Result<(), Error> {
        let package = Package {
            registry: registry(input.registry),
            name: input.name.clone(),
            version: input.version.clone(),
        };
        if !package.is_well_formed() {
            let message = "must be exact, such as 1.2.3, and the name as the registry spells it";
            return Err(Error::invalid("source.version", message));
        }
        let (is_same, old_catalog) = match &stored.server.source {
            McpServerSource::Package(old) => (
                (old.registry, &old.name) == (input.registry, &input.name),
                old.catalog.clone(),
            ),
            _ if is_new => (true, None),
            _ => return Err(other_type()),
        };
        let settings = ContainerSettings {
            command: input.command,
            env: input.env,
            http: input.http,
            resources: input.resources,
            egress: rules(&input.egress)?,
            ..ContainerSettings::default()
        };
        let settings = self
            .put_secrets(tx, stored, settings, input.secrets, is_same)
            .await?;
        stored.server.source = McpServerSource::Package(PackageSource {
            registry: input.registry,
            name: input.name,
            version: input.version,
            catalog: catalog.or(old_catalog.filter(|_| is_same)),
            settings,
        });
        self.check_quota(tx, stored).await
    }

    /// Keeps, replaces and removes secrets. Those that stay belong to the program they were given
    /// for: another one does not get them.
    async fn put_secrets(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredMcpServer,
        settings: ContainerSettings,
        input: SecretsInput,
        is_same: bool,
    ) -> Result<ContainerSettings, Error> {
        let vault = &self.services.vault;
        let mut secrets = sealed_map::read(tx, vault, stored).await?;
        let given: BTreeSet<String> = input.keys().cloned().collect();
        for (name, value) in input {
            match value {
                Some(value) => secrets.insert(name, expose(&value).to_owned()),
                None => secrets.remove(&name),
            };
        }
        if let Some(kept) = secrets
            .keys()
            .find(|name| !is_same && !given.contains(*name))
        {
            return Err(Error::invalid(
                "source.secrets",
                format!(
                    "give {kept} again or remove it: a secret is not handed to another program \
                     than the one it was given for"
                ),
            ));
        }
        if let Some(name) = secrets.keys().find(|name| settings.env.contains_key(*name)) {
            let message = format!("{name} is in env, too");
            return Err(Error::invalid("source.secrets", message));
        }
        if secrets.len() > domain::containers::MAX_VARIABLES {
            return Err(Error::invalid(
                "source.secrets",
                "must have at most 50 entries",
            ));
        }
        sealed_map::write(tx, vault, stored, &secrets).await?;
        Ok(ContainerSettings {
            secret_names: secrets.into_keys().collect(),
            ..settings
        })
    }

    /// Refuses what would be too much for the workspace, before anything is made.
    async fn check_quota(&self, tx: &mut TenantTx, stored: &StoredMcpServer) -> Result<(), Error> {
        let quota = self.services.config.container_quota;
        let id = stored.server.id;
        let others = tx.list_container_sources().await.or_fault()?;
        let others = others.iter().filter(|(other, _)| *other != id);
        let mut all: Vec<&McpServerSource> = others.map(|(_, source)| source).collect();
        all.push(&stored.server.source);
        let resources = || {
            all.iter()
                .filter_map(|source| source.container())
                .map(|it| it.resources)
        };
        let used = Quota {
            servers: all.len() as u32,
            memory_mb: resources().map(|it| it.memory_mb).sum(),
            cpu_millis: resources().map(|it| it.cpu_millis).sum(),
        };
        let message = if used.servers > quota.servers {
            format!(
                "the workspace may have {} servers in containers",
                quota.servers
            )
        } else if used.memory_mb > quota.memory_mb {
            format!(
                "the workspace’s containers may have {} MiB of memory together; this makes {}",
                quota.memory_mb, used.memory_mb
            )
        } else if used.cpu_millis > quota.cpu_millis {
            format!(
                "the workspace’s containers may have {} thousandths of a processor together; this \
                 makes {}",
                quota.cpu_millis, used.cpu_millis
            )
        } else {
            return Ok(());
        };
        Err(Error::invalid("source.resources", message))
    }
}

pub(crate) fn other_type() -> Error {
    Error::invalid(
        "source.type",
        "cannot be changed; add another server and delete this one",
    )
}

/// The allow-list, each line in its one spelling.
fn rules(lines: &[String]) -> Result<Vec<String>, Error> {
    let parse = |line: &String| match line.parse::<Rule>() {
        Ok(rule) => Ok(rule.to_string()),
        Err(error) => Err(Error::invalid("source.egress", error.to_string())),
    };
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(parse)
        .collect()
}

/// An image's name without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}
