//! How a server of the catalog is run: the first of its packages and addresses that can be.

use std::collections::BTreeMap;

use domain::containers::{
    CatalogSetting, ContainerSourceInput, PackageRegistry, PackageSourceInput, Resources,
};
use domain::mcp_servers::{McpServerSourceInput, RemoteSourceInput};
use domain::{Error, Secret};

use super::arguments::{Argument, runtime_environment};
use super::endpoint::Endpoint;
use super::file::{InputFile, PackageFile, RemoteFile, ServerFile};
use super::settings::Settings;
use super::template::Template;

/// A way to run a server, and what has to be filled in for it.
pub(super) struct Way {
    program: Program,
    pub(super) settings: Vec<CatalogSetting>,
}

enum Program {
    Package(Box<Package>),
    Remote(Remote),
}

struct Package {
    origin: Origin,
    command: Vec<Argument>,
    environment: Vec<Named>,
    endpoint: Option<Endpoint>,
}

enum Origin {
    Image(String),
    Registry(PackageRegistry, String, String),
}

struct Remote {
    url: Template,
    headers: Vec<Named>,
}

/// A variable of the environment, or a header.
struct Named {
    name: String,
    text: Template,
    is_secret: bool,
}

impl Way {
    /// The first package that can be run, else the first address that can be called.
    ///
    /// # Errors
    /// What is wrong with each of them, in words.
    pub(super) fn of(file: &ServerFile) -> Result<Self, String> {
        let mut reasons = Vec::new();
        for package in &file.packages {
            match Self::package(package) {
                Ok(way) => return Ok(way),
                Err(why) => reasons.push((&package.registry_type, &package.identifier, why)),
            }
        }
        for remote in &file.remotes {
            match Self::remote(remote) {
                Ok(way) => return Ok(way),
                Err(why) => reasons.push((&remote.kind, &remote.url, why)),
            }
        }
        if reasons.is_empty() {
            return Err("it has neither a package nor a remote address".to_owned());
        }
        let told = reasons.iter().map(|(kind, name, why)| {
            let name: String = name.chars().take(200).collect();
            format!("{kind} {name}: {why}")
        });
        Err(told.collect::<Vec<_>>().join("; "))
    }

    /// What runs: `npm`, `pypi`, `image` or `remote`.
    pub(super) fn kind(&self) -> &'static str {
        match &self.program {
            Program::Package(package) => match package.origin {
                Origin::Image(_) => "image",
                Origin::Registry(PackageRegistry::Npm, ..) => "npm",
                Origin::Registry(PackageRegistry::PyPi, ..) => "pypi",
            },
            Program::Remote(_) => "remote",
        }
    }

    fn package(file: &PackageFile) -> Result<Self, String> {
        let origin = Origin::read(file)?;
        if file.file_sha256.is_some() {
            return Err("its fileSha256 cannot be checked here".to_owned());
        }
        let mut settings = Settings::default();
        let mut environment = Vec::new();
        let given = runtime_environment(&file.registry_type, &file.runtime_arguments)?;
        for variable in file.environment_variables.iter().chain(&given) {
            environment.push(Named::read(variable, &mut settings)?);
        }
        let mut command = Vec::new();
        for (at, argument) in file.package_arguments.iter().enumerate() {
            command.push(Argument::read(at + 1, argument, &mut settings)?);
        }
        let endpoint = match &file.transport {
            Some(transport) => Endpoint::read(transport, &mut settings, |name| {
                let variable = environment.iter().find(|variable| variable.name == name);
                let variable = variable.map(|variable| &variable.text);
                let arguments = file.package_arguments.iter().zip(&command);
                let mut called = arguments.filter(|(file, _)| {
                    let flag = file.input.name.trim_start_matches('-');
                    file.value_hint.as_deref() == Some(name)
                        || (!flag.is_empty() && flag == name.trim_start_matches('-'))
                });
                variable.or_else(|| called.find_map(|(_, argument)| argument.text()))
            })?,
            None => None,
        };
        Ok(Self {
            program: Program::Package(Box::new(Package {
                origin,
                command,
                environment,
                endpoint,
            })),
            settings: settings.into_list(),
        })
    }

    fn remote(file: &RemoteFile) -> Result<Self, String> {
        if file.kind != "streamable-http" {
            return Err("this transport is not spoken here".to_owned());
        }
        let mut settings = Settings::default();
        let owner = InputFile::default();
        let url = Template::read(&file.url, |name| match file.variables.get(name) {
            Some(variable) => settings.variable("url", name, variable, &owner).map(Some),
            None => Err(format!(
                "its address names {{{name}}}, which it does not explain"
            )),
        })?;
        if settings.is_secret(&url) {
            let message = "its address has a secret in it, but everybody can read addresses; only \
                           variables of the environment and headers are kept secret";
            return Err(message.to_owned());
        }
        settings.require(&url);
        settings.begins_as_address(&url);
        let mut headers = Vec::new();
        for header in &file.headers {
            headers.push(Named::read(header, &mut settings)?);
        }
        Ok(Self {
            program: Program::Remote(Remote { url, headers }),
            settings: settings.into_list(),
        })
    }

    /// What a server is with these values, which have been checked.
    ///
    /// # Errors
    /// `Invalid` if they make no address.
    pub(super) fn with(
        &self,
        values: &BTreeMap<String, String>,
        egress: Vec<String>,
    ) -> Result<McpServerSourceInput, Error> {
        match &self.program {
            Program::Package(package) => package.with(values, egress),
            Program::Remote(remote) => {
                let incomplete = || Error::conflict("the catalog entry is not complete");
                let headers = remote.headers.iter().filter_map(|header| {
                    let value = header.text.filled(values)?;
                    Some((header.name.clone(), Some(Secret::new(value))))
                });
                Ok(McpServerSourceInput::Remote(RemoteSourceInput {
                    url: remote.url.filled(values).ok_or_else(incomplete)?,
                    headers: headers.collect(),
                    sign_in_client: None,
                }))
            }
        }
    }
}

impl Package {
    fn with(
        &self,
        values: &BTreeMap<String, String>,
        egress: Vec<String>,
    ) -> Result<McpServerSourceInput, Error> {
        let mut env = BTreeMap::new();
        let mut secrets = BTreeMap::new();
        for variable in &self.environment {
            let Some(value) = variable.text.filled(values) else {
                continue;
            };
            let name = variable.name.clone();
            match variable.is_secret {
                true => drop(secrets.insert(name, Some(Secret::new(value)))),
                false => drop(env.insert(name, value)),
            }
        }
        let words = |argument: &Argument| argument.words(values);
        let command = self.command.iter().flat_map(words).collect();
        let endpoint = self.endpoint.as_ref();
        let http = endpoint.map(|endpoint| endpoint.with(values)).transpose()?;
        Ok(match &self.origin {
            Origin::Image(image) => McpServerSourceInput::Container(ContainerSourceInput {
                image: image.clone(),
                command,
                env,
                secrets,
                http,
                resources: Resources::default(),
                egress,
            }),
            Origin::Registry(registry, name, version) => {
                McpServerSourceInput::Package(PackageSourceInput {
                    registry: *registry,
                    name: name.clone(),
                    version: version.clone(),
                    command,
                    env,
                    secrets,
                    http,
                    resources: Resources::default(),
                    egress,
                })
            }
        })
    }
}

impl Named {
    fn read(input: &InputFile, settings: &mut Settings) -> Result<Self, String> {
        let text = settings.text(&input.name, input)?;
        Ok(Self {
            name: input.name.clone(),
            is_secret: input.is_secret || settings.is_secret(&text),
            text,
        })
    }
}

impl Origin {
    fn read(file: &PackageFile) -> Result<Self, String> {
        let (registry, usual) = match file.registry_type.as_str() {
            "npm" => (PackageRegistry::Npm, "registry.npmjs.org"),
            "pypi" => (PackageRegistry::PyPi, "pypi.org"),
            "oci" => return Ok(Self::Image(image(file))),
            _ => return Err("such packages cannot be run yet".to_owned()),
        };
        if file.registry_base_url.is_some() && host(file) != usual {
            return Err(format!("packages are taken from {usual} only"));
        }
        let package = provisioner::Package {
            registry: crate::containers::registry(registry),
            name: file.identifier.clone(),
            version: file.version.clone(),
        };
        if !package.is_well_formed() {
            return Err("it has no exact name and version".to_owned());
        }
        Ok(Self::Registry(registry, package.name, package.version))
    }
}

/// The reference of an image; older files have its registry and its tag beside it.
fn image(file: &PackageFile) -> String {
    let identifier = &file.identifier;
    let host = host(file);
    let first = identifier.split('/').next().unwrap_or_default();
    let has_host = first.contains(['.', ':']) || first == "localhost";
    let identifier = match has_host || ["", "docker.io"].contains(&host) {
        true => identifier.clone(),
        false => format!("{host}/{identifier}"),
    };
    let name = identifier.rsplit('/').next().unwrap_or_default();
    match file.version.is_empty() || name.contains([':', '@']) {
        true => identifier,
        false => format!("{identifier}:{}", file.version),
    }
}

/// The host of a package's registry; nothing if its file does not say.
fn host(file: &PackageFile) -> &str {
    let base = file.registry_base_url.as_deref().unwrap_or_default();
    let base = base.strip_prefix("https://").unwrap_or(base);
    base.trim_end_matches('/')
}
