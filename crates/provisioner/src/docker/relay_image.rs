//! The image of the relay: one static program, put on the engine when it is first needed.

use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptions;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use super::Docker;
use super::fault::fault;
use crate::Error;
use crate::relay::PROGRAM;

const REPOSITORY: &str = "localhost/agentarea/relay";

impl Docker {
    /// The id of the relay's image; imports it once for each version of the relay and engine.
    pub(super) async fn relay_image(&self) -> Result<String, Error> {
        let failed = |reason: &str| Error::NoNetwork {
            reason: reason.to_owned(),
        };
        if PROGRAM.is_empty() {
            return Err(failed(
                "this build has no relay, because the C library was not there to \
                               link it statically",
            ));
        }
        let name = name();
        if let Some(id) = id_of(self.find_image(&name).await?) {
            return Ok(id);
        }
        self.import_relay(&name).await?;
        let found = self.find_image(&name).await?;
        let found = found.ok_or_else(|| failed("the relay's image is missing"))?;
        self.mark_made(&found).await;
        id_of(Some(found)).ok_or_else(|| failed("the relay's image has no id"))
    }

    /// The same if it is there already.
    pub(super) async fn present_relay(&self) -> Result<Option<String>, Error> {
        Ok(id_of(self.find_image(&name()).await?))
    }

    async fn import_relay(&self, name: &str) -> Result<(), Error> {
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            // The tag goes with the name: Podman takes no notice of it elsewhere.
            repo: Some(name.to_owned()),
            ..CreateImageOptions::default()
        };
        let archive = archive().map_err(|error| Error::NoNetwork {
            reason: format!("the relay could not be packed: {error}"),
        })?;
        let client = self.client().await?;
        let body = bollard::body_full(archive.into());
        client
            .create_image(Some(options), Some(body), None)
            .try_for_each(|_progress| async { Ok(()) })
            .await
            .map_err(fault)
    }
}

fn name() -> String {
    let hash = Sha256::digest(PROGRAM);
    let tag: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{REPOSITORY}:{tag}")
}

fn archive() -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::with_capacity(PROGRAM.len() + 4096));
    let mut header = tar::Header::new_gnu();
    header.set_size(PROGRAM.len() as u64);
    header.set_mode(0o555);
    header.set_mtime(0);
    header.set_cksum();
    archive.append_data(&mut header, "relay", PROGRAM)?;
    archive.into_inner()
}

fn id_of(image: Option<ImageInspect>) -> Option<String> {
    image.and_then(|image| image.id)
}
