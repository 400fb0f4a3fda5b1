//! Where objects are kept.

use std::fmt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, RetryConfig};

use super::Blobs;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one part, there or back.
const TIMEOUT: Duration = Duration::from_secs(60);
const RETRIES: usize = 3;
/// What is written to a file at once.
const FOLDER_PART_BYTES: usize = 1024 * 1024;
/// What is sent to a bucket at once: the smallest part that S3 takes.
const BUCKET_PART_BYTES: usize = 5 * 1024 * 1024;

/// A folder, or a bucket with a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Files below a folder of this machine.
    Folder(PathBuf),
    /// Objects of a bucket. Address and credentials come from the usual `AWS_*` variables.
    Bucket {
        /// Its name.
        bucket: String,
        /// What keys begin with; may be empty.
        prefix: String,
    },
}

impl Place {
    /// Opens the place; a folder is made if it is missing, a bucket is not asked yet.
    ///
    /// # Errors
    /// If the folder cannot be made or a setting is missing.
    pub fn open(&self) -> anyhow::Result<Blobs> {
        match self {
            Self::Folder(folder) => open_folder(folder),
            Self::Bucket { bucket, prefix } => open_bucket(bucket, prefix),
        }
    }
}

fn open_folder(folder: &Path) -> anyhow::Result<Blobs> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("make the folder {}", folder.display()))?;
    let objects = LocalFileSystem::new_with_prefix(folder)
        .with_context(|| format!("open the folder {}", folder.display()))?
        .with_fsync(true);
    Ok(Blobs {
        objects: Arc::new(objects),
        folder: Some(folder.to_owned()),
        part_bytes: FOLDER_PART_BYTES,
    })
}

fn open_bucket(bucket: &str, prefix: &str) -> anyhow::Result<Blobs> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let is_plain = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .iter()
        .any(|name| std::env::var(name).is_ok_and(|url| url.starts_with("http://")));
    let options = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(TIMEOUT)
        .with_allow_http(is_plain);
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: TIMEOUT,
        ..RetryConfig::default()
    };
    let objects = AmazonS3Builder::from_env()
        .with_client_options(options)
        .with_retry(retry)
        .with_bucket_name(bucket)
        .build()
        .with_context(|| format!("open the bucket {bucket}; check the AWS_* variables"))?;
    Ok(Blobs {
        objects: Arc::new(PrefixStore::new(objects, prefix)),
        folder: None,
        part_bytes: BUCKET_PART_BYTES,
    })
}

impl FromStr for Place {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Some(path) = text.strip_prefix("file://") {
            if !path.starts_with('/') {
                bail!("{text:?} must be file:/// and an absolute path");
            }
            return Ok(Self::Folder(path.into()));
        }
        let Some(rest) = text.strip_prefix("s3://") else {
            bail!("{text:?} is neither file:///folder nor s3://bucket/prefix");
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || bucket.contains(['@', ':', '?']) {
            bail!("{text:?} must name a bucket after s3://, without credentials");
        }
        Ok(Self::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file://{}", folder.display()),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_folders_or_buckets() {
        let folder: Place = "file:///var/lib/agentarea/objects"
            .parse()
            .expect("a folder");
        let bucket: Place = "s3://agents/production/".parse().expect("a bucket");

        assert_eq!(folder, Place::Folder("/var/lib/agentarea/objects".into()));
        assert_eq!(bucket.to_string(), "s3://agents/production");
        for wrong in [
            "",
            "/var/lib",
            "file://folder",
            "s3://",
            "s3://key:secret@bucket",
            "gs://b",
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
