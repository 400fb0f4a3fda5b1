//! Finding an engine.

use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use bollard::API_DEFAULT_VERSION;

use super::fault::fault;
use super::{Docker, Known};
use crate::{Engine, Error};

const PODMAN: &str = "podman";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time to an answer's head; pulling and following are streams and have none.
pub(super) const REQUEST_SECONDS: u64 = 60;

impl Docker {
    /// The client of the last successful connection, or of a new one.
    pub(super) async fn client(&self) -> Result<bollard::Docker, Error> {
        let known = self.known_client().clone();
        match known {
            Some(known) => Ok(known.client),
            None => self.connect().await.map(|(_, client)| client),
        }
    }

    /// Asks each address in turn and keeps the first that answers.
    pub(super) async fn connect(&self) -> Result<(Engine, bollard::Docker), Error> {
        let mut tried = Vec::new();
        for address in &self.config.addresses {
            let certificates = self.config.certificates.as_deref();
            match tokio::time::timeout(CONNECT_TIMEOUT, greet(address, certificates)).await {
                Ok(Ok((engine, client))) => {
                    *self.known_client() = Some(Known {
                        client: client.clone(),
                        is_podman: engine.name == PODMAN,
                    });
                    return Ok((engine, client));
                }
                Ok(Err(error)) => tried.push(format!("{address}: {}", in_brief(&error))),
                Err(_) => tried.push(format!("{address}: no answer within 5 s")),
            }
        }
        if tried.is_empty() {
            tried.push("no socket was found".to_owned());
        }
        Err(Error::NoEngine {
            tried: tried.join("; "),
        })
    }

    pub(super) async fn read_id(&self) -> Result<String, Error> {
        let about = self.client().await?.info().await.map_err(fault)?;
        Ok(match about.id {
            Some(id) if !self.is_podman() => id,
            // Podman makes up another id for each answer.
            _ => format!(
                "{}:{}",
                about.name.unwrap_or_default(),
                about.docker_root_dir.unwrap_or_default()
            ),
        })
    }

    /// Whether the engine that answered last is Podman.
    pub(super) fn is_podman(&self) -> bool {
        self.known_client().as_ref().is_some_and(|it| it.is_podman)
    }

    fn known_client(&self) -> std::sync::MutexGuard<'_, Option<Known>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn greet(
    address: &str,
    certificates: Option<&Path>,
) -> Result<(Engine, bollard::Docker), bollard::errors::Error> {
    let client = match certificates {
        _ if address.starts_with("unix://") => {
            bollard::Docker::connect_with_unix(address, REQUEST_SECONDS, API_DEFAULT_VERSION)
        }
        Some(folder) => {
            // Fails if it is there already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let [key, cert, ca] = ["key.pem", "cert.pem", "ca.pem"].map(|name| folder.join(name));
            bollard::Docker::connect_with_ssl(
                address,
                &key,
                &cert,
                &ca,
                REQUEST_SECONDS,
                API_DEFAULT_VERSION,
            )
        }
        None => bollard::Docker::connect_with_http(address, REQUEST_SECONDS, API_DEFAULT_VERSION),
    }?;
    let client = client.negotiate_version().await?;
    let version = client.version().await?;
    let is_podman = version
        .components
        .into_iter()
        .flatten()
        .any(|component| component.name.to_ascii_lowercase().contains("podman"));
    let engine = Engine {
        name: if is_podman { PODMAN } else { "docker" }.to_owned(),
        version: version.version.unwrap_or_default(),
        address: address.to_owned(),
    };
    Ok((engine, client))
}

fn in_brief(error: &bollard::errors::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    source.to_string()
}
