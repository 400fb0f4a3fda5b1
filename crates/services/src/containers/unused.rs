//! Images that we have put on the engine and that no server uses any more.

use std::collections::HashSet;
use std::time::Duration;

use provisioner::{Error, Fetched, Provisioner};
use store::container_images::{self, Named};
use store::mcp_instances;

use super::Containers;
use super::leases::{LIFE, PATIENCE, within};

/// An image that was used this lately stays, however much there is: its server may not be there yet.
const REST: Duration = Duration::from_secs(3600);

/// Which images that no server uses are removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnusedImages {
    /// Those that were not used for so long; `None` keeps them.
    pub after: Option<Duration>,
    /// Those that were not used for the longest time, while all that we fetched takes more; `None` for
    /// no bound.
    pub above_bytes: Option<u64>,
}

/// An image and for how long no server has used it; `None` if one does.
type Seen = (Fetched, Option<Duration>);

impl Containers {
    /// Removes images that nobody needs, unless another process looks after this engine; tells whether
    /// it was this one's turn.
    ///
    /// # Errors
    /// If the database or the engine does not answer.
    pub(crate) async fn drop_unused_images(&self) -> store::Result<bool> {
        let Some(config) = &self.inner.config else {
            return Ok(false);
        };
        let provisioner = self.provisioner().await.map_err(fault)?.clone();
        let engine = match self.engine_id() {
            unknown if unknown.is_empty() => provisioner.engine_id().await.map_err(fault)?,
            known => known,
        };
        let turn = async {
            let mut db = self.inner.store.system().await?;
            mcp_instances::lead(&mut db, self.inner.process, LIFE).await?;
            container_images::looks_after(&mut db, self.inner.process, &engine).await
        };
        if !within(PATIENCE, Box::pin(turn)).await? {
            return Ok(false);
        }
        let fetched = provisioner.list_fetched(&config.packages()).await;
        let fetched = self.note_used(fetched.map_err(fault)?).await?;
        let mut dropped = HashSet::new();
        let done = self
            .drop_beyond(&*provisioner, config.images, &fetched, &mut dropped)
            .await;
        tell(&fetched, &dropped);
        done.map(|()| true)
    }

    /// Notes that an image was found for a server that has not pinned it yet.
    pub(super) async fn note_found(&self, image: &str) {
        let image = [image.to_owned()];
        let noted = async {
            let mut db = self.inner.store.system().await?;
            container_images::note_used(&mut db, &image, &image).await
        };
        if let Err(error) = within(PATIENCE, Box::pin(noted)).await {
            tracing::debug!(%error, "the use of an image is not noted");
        }
    }

    async fn note_used(&self, fetched: Vec<Fetched>) -> store::Result<Vec<Seen>> {
        let noted = async {
            let mut db = self.inner.store.system().await?;
            let named = container_images::list_named(&mut db).await?;
            let found: Vec<String> = fetched.iter().map(|image| image.id.clone()).collect();
            let used = fetched.iter().filter(|image| is_used(image, &named));
            let used: Vec<String> = used.map(|image| image.id.clone()).collect();
            let unused = container_images::note_used(&mut db, &found, &used).await?;
            Ok((used.into_iter().collect::<HashSet<_>>(), unused))
        };
        let (used, unused) = within(PATIENCE, Box::pin(noted)).await?;
        let seen = fetched.into_iter().map(|image| {
            let since = unused.iter().find(|(id, _)| *id == image.id);
            let since = since.map(|(_, since)| *since);
            let since = since.filter(|_| !used.contains(&image.id));
            (image, since)
        });
        Ok(seen.collect())
    }

    /// Removes what is beyond the limits, what was not used for the longest time first; adds the ids to
    /// `dropped`. Goes on with the others where one cannot be removed.
    ///
    /// # Errors
    /// The last of them; those images will be tried again.
    async fn drop_beyond(
        &self,
        provisioner: &dyn Provisioner,
        limits: UnusedImages,
        fetched: &[Seen],
        dropped: &mut HashSet<String>,
    ) -> store::Result<()> {
        let mut done = Ok(());
        let mut left: u64 = fetched.iter().map(|(image, _)| image.size_bytes).sum();
        let unused = fetched.iter();
        let mut unused: Vec<_> = unused
            .filter_map(|(image, since)| Some((image, (*since)?)))
            .collect();
        unused.sort_by_key(|(_, since)| std::cmp::Reverse(*since));
        for (image, since) in unused {
            let is_old = limits.after.is_some_and(|after| since >= after);
            let is_too_much = limits.above_bytes.is_some_and(|most| left > most) && since >= REST;
            if !is_old && !is_too_much {
                continue;
            }
            match self.drop_image(provisioner, image, since).await {
                Ok(true) => {
                    left -= image.size_bytes;
                    dropped.insert(image.id.clone());
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, image.id, "an image cannot be removed");
                    done = Err(error);
                }
            }
        }
        done
    }

    async fn drop_image(
        &self,
        provisioner: &dyn Provisioner,
        image: &Fetched,
        since: Duration,
    ) -> store::Result<bool> {
        let id = std::slice::from_ref(&image.id);
        let looked = async {
            let mut db = self.inner.store.system().await?;
            container_images::note_used(&mut db, id, &[]).await
        };
        // Somebody may have found a use for it just now.
        let unused = within(PATIENCE, Box::pin(looked)).await?;
        if !unused.iter().any(|(_, still)| *still >= since) {
            return Ok(false);
        }
        let is_gone = provisioner.drop_fetched(&image.id).await.map_err(fault)?;
        // Only now: what fails or is broken off must not begin its days anew.
        let forgotten = async {
            let mut db = self.inner.store.system().await?;
            container_images::forget(&mut db, &image.id, since).await
        };
        within(PATIENCE, Box::pin(forgotten)).await?;
        if !is_gone {
            return Ok(false);
        }
        tracing::info!(
            image.id,
            image.names = image.names.join(" "),
            size_bytes = image.size_bytes,
            unused_hours = since.as_secs() / 3600,
            "an image that no server uses was removed"
        );
        Ok(true)
    }
}

fn fault(error: Error) -> store::Error {
    anyhow::Error::from(error).into()
}

fn is_used(image: &Fetched, named: &Named) -> bool {
    let is_pinned = named.ids.contains(&image.id);
    let has_digest = image.digests.iter().any(|it| named.digests.contains(it));
    let is_called = |reference: &String| {
        let reference = whole(reference);
        image.names.iter().any(|name| whole(name) == reference)
    };
    let has_name = || named.references.iter().any(is_called);
    image.is_needed || is_pinned || has_digest || has_name()
}

/// A reference with the parts that people leave out: engines write it in one way or the other.
fn whole(reference: &str) -> String {
    let has_host = reference
        .split_once('/')
        .is_some_and(|(host, _)| host == "localhost" || host.contains(['.', ':']));
    let path = match (has_host, reference.contains('/')) {
        (true, _) => reference.to_owned(),
        (false, true) => format!("docker.io/{reference}"),
        (false, false) => format!("docker.io/library/{reference}"),
    };
    let has_tag = path
        .rsplit('/')
        .next()
        .is_some_and(|it| it.contains([':', '@']));
    match has_tag {
        true => path,
        false => format!("{path}:latest"),
    }
}

fn tell(fetched: &[Seen], dropped: &HashSet<String>) {
    metrics::counter!("agentarea_container_images_removed_total").increment(dropped.len() as u64);
    for (is_used, label) in [(true, "used"), (false, "unused")] {
        let images = fetched
            .iter()
            .filter(|(image, since)| since.is_none() == is_used && !dropped.contains(&image.id));
        let sizes: Vec<u64> = images.map(|(image, _)| image.size_bytes).collect();
        metrics::gauge!("agentarea_container_images", "use" => label).set(sizes.len() as f64);
        let bytes: u64 = sizes.iter().sum();
        metrics::gauge!("agentarea_container_image_bytes", "use" => label).set(bytes as f64);
    }
}
