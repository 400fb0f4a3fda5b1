//! The images that this installation has put on the engine: marked, listed and removed.
//!
//! The mark is a name of our own beside each name that we gave or pulled: it says which installation,
//! which image and which name, so that it stays behind when the name moves on, and so that a name that
//! somebody else gives the image is known as theirs. It lies where the image does, and needs no record.

use std::collections::{HashMap, HashSet};

use bollard::models::{ImageInspect, ImageSummary};
use bollard::query_parameters::{
    ListContainersOptions, ListImagesOptions, RemoveImageOptions, TagImageOptions,
};
use sha2::{Digest, Sha256};

use super::Docker;
use super::fault::{answer, fault};
use crate::package::{PackageConfig, Registry};
use crate::{Error, Fetched};

/// What every image that was made for an installation is called.
const OURS: &str = "localhost/agentarea/";
/// The names that are marks; what follows is the installation's.
const MARKS: &str = "localhost/agentarea/fetched/";

/// The images of an engine and their names, at one moment.
pub(super) type Names = HashMap<String, HashSet<String>>;

impl Docker {
    /// What is there before something is pulled.
    pub(super) async fn names(&self) -> Result<Names, Error> {
        let images = self.list_images().await?.into_iter();
        let names = images.map(|image| (image.id, image.repo_tags.into_iter().collect()));
        Ok(names.collect())
    }

    /// Marks an image as ours if it was not there before it was pulled, or was ours already. One that
    /// cannot be marked can be used all the same; it only stays for ever.
    pub(super) async fn mark_pulled(&self, image: &ImageInspect, before: &Names) {
        let Some(id) = &image.id else { return };
        let own = self.marks();
        let known = before.get(id);
        if known.is_some_and(|known| !known.iter().any(|name| name.starts_with(&own))) {
            return;
        }
        let is_new = |name: &&String| known.is_none_or(|known| !known.contains(*name));
        let names = image.repo_tags.iter().flatten().filter(is_new);
        let names: Vec<&str> = names.map(String::as_str).collect();
        self.try_to_mark(id, &names).await;
    }

    /// Marks an image that has none but our own names, if it is not.
    pub(super) async fn mark_made(&self, image: &ImageInspect) {
        let names = image.repo_tags.iter().flatten();
        let names: Vec<&str> = names.map(String::as_str).collect();
        let own = self.marks();
        if let Some(id) = &image.id
            && !names.iter().any(|name| name.starts_with(&own))
        {
            self.try_to_mark(id, &names).await;
        }
    }

    async fn try_to_mark(&self, id: &str, names: &[&str]) {
        if let Err(error) = self.mark(id, names).await {
            tracing::warn!(%error, image.id = id, "an image is not marked as ours");
        }
    }

    async fn mark(&self, id: &str, names: &[&str]) -> Result<(), Error> {
        let client = self.client().await?;
        let names = names
            .iter()
            .copied()
            .filter(|name| !name.starts_with(MARKS));
        let names: Vec<&str> = names.collect();
        // One that was pulled by its digest has no name.
        let names = if names.is_empty() { vec![""] } else { names };
        for name in names {
            let options = TagImageOptions {
                repo: Some(self.marks().trim_end_matches(':').to_owned()),
                tag: Some(mark(id, name)),
            };
            client.tag_image(id, Some(options)).await.map_err(fault)?;
        }
        Ok(())
    }

    pub(super) async fn list_fetched_images(
        &self,
        config: &PackageConfig,
    ) -> Result<Vec<Fetched>, Error> {
        let mut kept = self.images_in_containers().await?;
        kept.extend(self.images_for_packages(config).await?);
        kept.extend(self.present_relay().await?);
        let own = self.marks();
        let mut found = Vec::new();
        for image in self.list_images().await? {
            let is_marked = |marks: &str| image.repo_tags.iter().any(|tag| tag.starts_with(marks));
            // Made by a version that did not mark images.
            let is_older = is_marked(OURS) && !is_marked(MARKS);
            if !is_older && !is_marked(&own) {
                continue;
            }
            let Some(image) = self.find_image(&image.id).await? else {
                continue;
            };
            if is_older {
                self.mark_made(&image).await;
            }
            found.push(image);
        }
        let list = found.iter().map(|image| {
            let id = image.id.clone().unwrap_or_default();
            let others = || found.iter().filter(|other| other.id != image.id);
            let below = others().filter(|other| is_above(image, other));
            let below = below.filter_map(|other| other.size).max().unwrap_or(0);
            let size = image.size.unwrap_or(0).saturating_sub(below);
            Fetched {
                is_needed: kept.contains(&id) || others().any(|other| is_above(other, image)),
                names: names_of(image).map(str::to_owned).collect(),
                digests: digests_of(image).map(str::to_owned).collect(),
                size_bytes: u64::try_from(size).unwrap_or(0),
                id,
            }
        });
        Ok(list.collect())
    }

    /// Removes an image with the names that we gave it or pulled. One that somebody else has named, or
    /// another installation has marked, is theirs from then on: only our marks go.
    pub(super) async fn drop_fetched_image(&self, id: &str) -> Result<bool, Error> {
        let Some(image) = self.find_image(id).await? else {
            return Ok(false);
        };
        if self.images_in_containers().await?.contains(id) {
            return Ok(false);
        }
        let own = self.marks();
        let tags = || image.repo_tags.iter().flatten();
        let marks: Vec<&String> = tags().filter(|tag| tag.starts_with(&own)).collect();
        if marks.is_empty() {
            return Ok(false);
        }
        let is_ours = |name: &str| {
            let mark = format!("{own}{}", mark(id, name));
            marks.iter().any(|it| **it == mark)
        };
        let is_marked_by_others =
            tags().any(|tag| tag.starts_with(MARKS) && !tag.starts_with(&own));
        let goes = !is_marked_by_others && names_of(&image).all(is_ours);
        if goes {
            // The marks last: what is broken off is begun again.
            for name in names_of(&image).chain(digests_of(&image)) {
                self.remove_name(name).await?;
            }
        }
        for mark in marks {
            self.remove_name(mark).await?;
        }
        Ok(goes)
    }

    async fn remove_name(&self, name: &str) -> Result<(), Error> {
        let client = self.client().await?;
        let removed = client.remove_image(name, None::<RemoveImageOptions>, None);
        match removed.await {
            Ok(_) => Ok(()),
            // A digest goes with the last name beside it.
            Err(error) if matches!(answer(&error), Some((404, _))) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    async fn list_images(&self) -> Result<Vec<ImageSummary>, Error> {
        let client = self.client().await?;
        let listed = client.list_images(None::<ListImagesOptions>).await;
        listed.map_err(fault)
    }

    /// Of every container, whoever made it and whether or not it runs.
    async fn images_in_containers(&self) -> Result<HashSet<String>, Error> {
        let options = ListContainersOptions {
            all: true,
            ..ListContainersOptions::default()
        };
        let client = self.client().await?;
        let containers = client.list_containers(Some(options)).await;
        let containers = containers.map_err(fault)?.into_iter();
        Ok(containers.filter_map(|found| found.image_id).collect())
    }

    /// In which packages are installed now, and what those are made from.
    async fn images_for_packages(&self, config: &PackageConfig) -> Result<Vec<String>, Error> {
        let mut ids = Vec::new();
        for registry in [Registry::Npm, Registry::PyPi] {
            for name in super::base::names(registry, config.base(registry)) {
                let found = self.find_image(&name).await?;
                ids.extend(found.and_then(|found| found.id));
            }
        }
        Ok(ids)
    }

    /// What our marks begin with.
    fn marks(&self) -> String {
        format!("{MARKS}{}:", self.config.installation)
    }
}

/// Whether an image was made from exactly another one.
pub(super) fn stands_on(image: &ImageInspect, from: &ImageInspect) -> bool {
    let below = layers(from);
    !below.is_empty() && layers(image).starts_with(below)
}

/// The same where something was added.
fn is_above(image: &ImageInspect, from: &ImageInspect) -> bool {
    stands_on(image, from) && layers(image).len() > layers(from).len()
}

fn layers(image: &ImageInspect) -> &[String] {
    let root = image.root_fs.as_ref();
    root.and_then(|root| root.layers.as_deref())
        .unwrap_or_default()
}

/// The names by which people know an image.
fn names_of(image: &ImageInspect) -> impl Iterator<Item = &str> {
    let tags = image.repo_tags.iter().flatten().map(String::as_str);
    tags.filter(|tag| !tag.starts_with(MARKS))
}

/// What an image is called in registries for ever; some engines make such names up for ours, too.
pub(super) fn digests_of(image: &ImageInspect) -> impl Iterator<Item = &str> {
    let digests = image.repo_digests.iter().flatten().map(String::as_str);
    digests.filter(|digest| !digest.starts_with(OURS))
}

/// The tag that says that a name of an image is ours.
fn mark(id: &str, name: &str) -> String {
    let id = id.trim_start_matches("sha256:");
    let hash = Sha256::digest(name);
    let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{hash}", id.get(..16).unwrap_or(id))
}
