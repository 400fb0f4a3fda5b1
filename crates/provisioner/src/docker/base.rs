//! The images in which packages are installed, made on the engine when they are first needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bollard::models::ImageInspect;
use bollard::query_parameters::BuildImageOptions;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Docker;
use super::fault::fault;
use super::fetched::stands_on;
use crate::package::{Base, Registry};
use crate::{Error, LogBook};

const NODE: &str = include_str!("../../../../deploy/mcp-base/node/Dockerfile");
const PYTHON: &str = include_str!("../../../../deploy/mcp-base/python/Dockerfile");
const REPOSITORY: &str = "localhost/agentarea/base";
const BUILD_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest wait for a newer image to make it from: there is one already.
const RENEW_TIMEOUT: Duration = Duration::from_secs(120);
/// Time between two looks for such an image.
const RENEW_REST: Duration = Duration::from_secs(3600);

/// Whether steps that were done before count as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IsCached {
    Yes,
    No,
}

/// When old images were last looked after, by name. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Renewals(Arc<Mutex<HashMap<String, Instant>>>);

impl Renewals {
    fn is_due(&self, name: &str, image: &ImageInspect, lives: Option<Duration>) -> bool {
        let is_old = lives.is_some_and(|lives| is_older(image, lives));
        let last = self.lock().get(name).copied();
        is_old && last.is_none_or(|last| last.elapsed() >= RENEW_REST)
    }

    fn note(&self, name: &str) {
        self.lock().insert(name.to_owned(), Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            if !self.renewals.is_due(&name, &found, lives) {
                return Ok(found);
            }
            self.renewals.note(&name);
            return self.renewed((registry, from), &name, found, log).await;
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
        let found = found.ok_or_else(|| Error::Refused {
            reason: format!("the engine made {name} but does not have it"),
        })?;
        self.mark_made(&found).await;
        Ok(found)
    }

    /// The same if there is nothing to be made, fetched or looked for first.
    pub(super) async fn base_at_hand(
        &self,
        registry: Registry,
        base: &Base,
    ) -> Result<Option<ImageInspect>, Error> {
        let (from, lives) = match base {
            Base::Given(image) => return self.find_image(image).await,
            Base::Made { from, lives } => (from, *lives),
        };
        let name = name(registry, from);
        let found = self.find_image(&name).await?;
        Ok(found.filter(|found| !self.renewals.is_due(&name, found, lives)))
    }

    /// Makes an old image anew if there is a newer one to make it from. The id of one that was made
    /// for nothing would be another, and whatever was installed on the old one counted for nothing.
    async fn renewed(
        &self,
        (registry, from): (Registry, &str),
        name: &str,
        found: ImageInspect,
        log: &LogBook,
    ) -> Result<ImageInspect, Error> {
        log.note(&format!(
            "[AgentArea] {name} is old: looking for a newer {from}"
        ));
        let pulled = tokio::time::timeout(RENEW_TIMEOUT, self.pull_newer(from)).await;
        if !matches!(pulled, Ok(Ok(()))) {
            // Somebody may have brought one.
            log.note(&format!("[AgentArea] {from} cannot be fetched"));
        }
        let newest = self.find_image(from).await?;
        if newest.is_none_or(|newest| stands_on(&found, &newest)) {
            log.note(&format!("[AgentArea] {name} stays as it is"));
            return Ok(found);
        }
        log.note(&format!("[AgentArea] making {name} anew from {from}"));
        let making = self.make((registry, from), name, IsCached::No, log);
        let made = tokio::time::timeout(BUILD_TIMEOUT, making).await;
        if !matches!(made, Ok(Ok(()))) {
            log.note(&format!("[AgentArea] {name} stays as it is"));
        }
        let made = self.find_image(name).await?.unwrap_or(found);
        self.mark_made(&made).await;
        Ok(made)
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

/// What the engine has for a base: the image, and what that is made from.
pub(super) fn names(registry: Registry, base: &Base) -> Vec<String> {
    match base {
        Base::Given(image) => vec![image.clone()],
        Base::Made { from, .. } => vec![name(registry, from), from.clone()],
    }
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
