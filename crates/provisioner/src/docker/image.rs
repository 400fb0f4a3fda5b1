//! Images: found, pulled and pinned.

use std::time::Duration;

use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptions;
use futures::TryStreamExt;

use super::Docker;
use super::fault::{answer, fault};
use super::fetched::{Names, digests_of};
use crate::{Error, Image};

const PULL_TIMEOUT: Duration = Duration::from_secs(600);
/// Longest silence of a registry while there is an image that will do.
const NEWER_TIMEOUT: Duration = Duration::from_secs(15);

impl Docker {
    /// The image, pulled if the engine does not have it. Users give it: the engine is not sent where
    /// they could not go themselves.
    pub(super) async fn find_or_pull(&self, image: &str) -> Result<ImageInspect, Error> {
        if let Some(found) = self.find_image(image).await? {
            return Ok(found);
        }
        self.check_registry(image).await?;
        self.find_or_fetch(image).await
    }

    /// The image as its registry has it now; as it is on the engine where none can be asked.
    pub(super) async fn find_newest(&self, image: &str) -> Result<ImageInspect, Error> {
        let Some(found) = self.find_image(image).await? else {
            return self.find_or_pull(image).await;
        };
        let is_fixed = image.starts_with("sha256:") || image.contains('@');
        if is_fixed || self.check_registry(image).await.is_err() {
            return Ok(found);
        }
        if let Err(error) = self.pull_newer(image).await {
            tracing::info!(image, %error, "an image stays as it is on the engine");
        }
        Ok(self.find_image(image).await?.unwrap_or(found))
    }

    /// Whether a user's image may be fetched from where its name says.
    async fn check_registry(&self, image: &str) -> Result<(), Error> {
        let refused = |reason: String| {
            Err(Error::ImageMissing {
                image: image.to_owned(),
                reason,
            })
        };
        if let Some(allowed) = &self.config.registries {
            let host = named_registry(image);
            if !allowed.iter().any(|it| it == host) {
                return refused(format!(
                    "images of {host} may not be used here; an administrator lists registries \
                     with the setting containers.registries"
                ));
            }
        }
        match registry(image) {
            Some((host, port)) => match self.config.dialler.resolve(&host, port).await {
                Ok(_) => Ok(()),
                Err(error) => refused(error.to_string()),
            },
            None => Ok(()),
        }
    }

    /// The same for images that the installation names.
    pub(super) async fn find_or_fetch(&self, image: &str) -> Result<ImageInspect, Error> {
        if let Some(found) = self.find_image(image).await? {
            return Ok(found);
        }
        let missing = |reason: String| Error::ImageMissing {
            image: image.to_owned(),
            reason,
        };
        if image.starts_with("sha256:") {
            return Err(missing("it was removed from the engine".to_owned()));
        }
        match tokio::time::timeout(PULL_TIMEOUT, self.pull(image)).await {
            Ok(Ok(())) => {}
            Ok(Err(Error::Refused { reason })) => return Err(missing(reason)),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(missing("pulling took longer than 10 min".to_owned())),
        }
        let found = self.find_image(image).await?;
        found.ok_or_else(|| missing("the engine pulled it but does not have it".to_owned()))
    }

    pub(super) async fn find_image(&self, image: &str) -> Result<Option<ImageInspect>, Error> {
        match self.client().await?.inspect_image(image).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if matches!(answer(&error), Some((404, _))) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// Fetches an image, whether or not there is one of that name.
    async fn pull(&self, image: &str) -> Result<(), Error> {
        let client = self.client().await?;
        let before = self.names().await?;
        let pulled = client.create_image(Some(of(image)), None, None);
        pulled
            .try_for_each(|_progress| async { Ok(()) })
            .await
            .map_err(fault)?;
        self.note_pulled(image, &before).await
    }

    async fn note_pulled(&self, image: &str, before: &Names) -> Result<(), Error> {
        if let Some(found) = self.find_image(image).await? {
            self.mark_pulled(&found, before).await;
        }
        Ok(())
    }

    /// The same for an image that is there: a registry that is silent is not waited for.
    pub(super) async fn pull_newer(&self, image: &str) -> Result<(), Error> {
        let client = self.client().await?;
        let before = self.names().await?;
        let mut pulled = client.create_image(Some(of(image)), None, None);
        let pulling = async {
            loop {
                match tokio::time::timeout(NEWER_TIMEOUT, pulled.try_next()).await {
                    Ok(Ok(Some(_progress))) => {}
                    Ok(Ok(None)) => return Ok(()),
                    Ok(Err(error)) => return Err(fault(error)),
                    Err(_) => return Err(silent(NEWER_TIMEOUT)),
                }
            }
        };
        let pulled = tokio::time::timeout(PULL_TIMEOUT, pulling).await;
        pulled.unwrap_or_else(|_| Err(silent(PULL_TIMEOUT)))?;
        self.note_pulled(image, &before).await
    }
}

fn of(image: &str) -> CreateImageOptions {
    CreateImageOptions {
        from_image: Some(with_tag(image)),
        ..CreateImageOptions::default()
    }
}

fn silent(patience: Duration) -> Error {
    Error::Timeout {
        seconds: patience.as_secs(),
    }
}

/// The image as it will be started, however its name moves.
pub(super) fn pinned(image: &str, found: &ImageInspect) -> Image {
    let name = image.split('@').next().unwrap_or(image);
    let name = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    let digest = digests_of(found).find(|digest| digest.starts_with(name));
    Image {
        id: found.id.clone().unwrap_or_else(|| image.to_owned()),
        digest: digest
            .or_else(|| digests_of(found).next())
            .map(str::to_owned),
    }
}

/// The registry in an image's name.
fn host_in(image: &str) -> Option<&str> {
    let (host, _) = image.split_once('/')?;
    let is_host = host == "localhost"
        || host.contains(['.', ':', '['])
        || host.chars().any(char::is_uppercase);
    is_host.then_some(host)
}

/// The registry that an image would be pulled from, as lists name it.
fn named_registry(image: &str) -> &str {
    match host_in(image) {
        None | Some("index.docker.io" | "registry-1.docker.io") => "docker.io",
        Some(host) => host,
    }
}

/// Where an image would be pulled from, if its name says so.
fn registry(image: &str) -> Option<(String, u16)> {
    let host = host_in(image)?;
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port.parse().unwrap_or(0)),
        _ => (host, 443),
    };
    Some((name.trim_matches(['[', ']']).to_owned(), port))
}

/// Without a tag the engine would pull every tag there is.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) {
        image.to_owned()
    } else {
        format!("{image}:latest")
    }
}
