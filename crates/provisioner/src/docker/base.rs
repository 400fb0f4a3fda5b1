//! The images in which packages are installed, made on the engine when they are first needed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ImageInspect;
use bollard::query_parameters::BuildImageOptions;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Docker;
use super::fault::fault;
use crate::package::{Base, Registry};
use crate::{Error, LogBook};

const NODE: &str = include_str!("../../../../deploy/mcp-base/node/Dockerfile");
const PYTHON: &str = include_str!("../../../../deploy/mcp-base/python/Dockerfile");
const REPOSITORY: &str = "localhost/agentarea/base";
const BUILD_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest wait for a newer image to make it from: there is one already.
const RENEW_TIMEOUT: Duration = Duration::from_secs(120);

/// Whether steps that were done before count as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IsCached {
    Yes,
    No,
}

impl Docker {
    /// The image for packages of a registry: as it is on the engine, pulled, or made. What happens is
    /// written to a log.
    pub(super) async fn base_image(
        &self,
        registry: Registry,
        base: &Base,
        log: &LogBook,
    ) -> Result<ImageInspect, Error> {
        let (from, lives) = match base {
            Base::Given(image) => return self.find_or_fetch(image).await,
            Base::Made { from, lives } => (from, *lives),
        };
        let name = name(registry, from);
        let _turn = self.turn(&name).await;
        if let Some(found) = self.find_image(&name).await? {
            if !lives.is_some_and(|lives| is_older(&found, lives)) {
                return Ok(found);
            }
            log.note(&format!("[AgentArea] {name} is old and made anew"));
            // Without a network from what the engine has by now, which somebody may have brought.
            let renewed = tokio::time::timeout(RENEW_TIMEOUT, self.pull(from)).await;
            if !matches!(renewed, Ok(Ok(()))) {
                log.note(&format!("[AgentArea] {from} cannot be fetched anew"));
            }
            let making = self.make((registry, from), &name, IsCached::No, log);
            let made = tokio::time::timeout(BUILD_TIMEOUT, making).await;
            if !matches!(made, Ok(Ok(()))) {
                log.note(&format!("[AgentArea] {name} stays as it is"));
            }
            return Ok(self.find_image(&name).await?.unwrap_or(found));
        }
        log.note(&format!("[AgentArea] fetching {from}"));
        let fetched = self.find_or_fetch(from).await;
        fetched.map_err(|error| no_base(registry, from, error))?;
        log.note(&format!("[AgentArea] making {name} from {from}"));
        let making = self.make((registry, from), &name, IsCached::Yes, log);
        let made = tokio::time::timeout(BUILD_TIMEOUT, making).await;
        let late = || Error::Refused {
            reason: format!("making {name} took longer than 2 minutes"),
        };
        made.map_err(|_| late())?
            .map_err(|error| no_base(registry, from, error))?;
        let found = self.find_image(&name).await?;
        found.ok_or_else(|| Error::Refused {
            reason: format!("the engine made {name} but does not have it"),
        })
    }

    async fn make(
        &self,
        (registry, from): (Registry, &str),
        name: &str,
        is_cached: IsCached,
        log: &LogBook,
    ) -> Result<(), Error> {
        let options = BuildImageOptions {
            t: Some(name.to_owned()),
            buildargs: Some(HashMap::from([("FROM".to_owned(), from.to_owned())])),
            // Nothing is fetched while it is made.
            networkmode: Some("none".to_owned()),
            nocache: is_cached == IsCached::No,
            rm: true,
            forcerm: true,
            ..BuildImageOptions::default()
        };
        let archive = archive(dockerfile(registry)).map_err(|error| Error::Refused {
            reason: format!("its instructions could not be packed: {error}"),
        })?;
        let client = self.client().await?;
        let body = bollard::body_full(archive.into());
        client
            .build_image(options, None, Some(body))
            .try_for_each(|step| {
                if let Some(text) = step.stream {
                    log.write(text.as_bytes());
                }
                let failure = step.error_detail.and_then(|detail| detail.message);
                std::future::ready(match failure {
                    Some(error) => Err(bollard::errors::Error::DockerStreamError { error }),
                    None => Ok(()),
                })
            })
            .await
            .map_err(fault)
    }
}

/// Whether an image was made so long ago.
fn is_older(image: &ImageInspect, age: Duration) -> bool {
    let made = image.created.as_deref().unwrap_or_default();
    let made = OffsetDateTime::parse(made, &Rfc3339);
    made.is_ok_and(|made| OffsetDateTime::now_utc() - made > age)
}

/// The same instructions on the same image are the same image.
fn name(registry: Registry, from: &str) -> String {
    let mut hash = Sha256::new();
    for part in [dockerfile(registry), from] {
        hash.update(part);
        hash.update([0]);
    }
    let hash = hash.finalize();
    let tag: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{REPOSITORY}:{tag}")
}

fn dockerfile(registry: Registry) -> &'static str {
    match registry {
        Registry::Npm => NODE,
        Registry::PyPi => PYTHON,
    }
}

fn archive(dockerfile: &str) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(dockerfile.len() as u64);
    header.set_mode(0o444);
    header.set_mtime(0);
    header.set_cksum();
    archive.append_data(&mut header, "Dockerfile", dockerfile.as_bytes())?;
    archive.into_inner()
}

/// In words that tell an administrator what to do.
fn no_base(registry: Registry, from: &str, error: Error) -> Error {
    let reason = match error {
        Error::ImageMissing { reason, .. } | Error::Refused { reason } => reason,
        other => return other,
    };
    Error::NoBase {
        from: from.to_owned(),
        language: match registry {
            Registry::Npm => "node",
            Registry::PyPi => "python",
        },
        reason,
    }
}
