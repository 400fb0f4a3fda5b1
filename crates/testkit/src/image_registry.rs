//! A registry of images, as far as engines use it to pull.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::engine::{TOOL_SERVER, archive};
use crate::file_server::FileServer;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A registry on loopback, which engines speak to without TLS.
#[derive(Debug)]
pub struct ImageRegistry {
    files: FileServer,
}

impl ImageRegistry {
    /// Starts an empty registry.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start() -> Self {
        let files = FileServer::start("127.0.0.1").await;
        let version = [("docker-distribution-api-version", "registry/2.0")];
        files.put("/v2/", &version, "{}");
        Self { files }
    }

    /// Its host and port, with which names of its images begin.
    pub fn authority(&self) -> &str {
        self.files.authority()
    }

    /// Puts an image of the tool server under a name and tag, from where the tag moves away if it
    /// had one; `variable` is `NAME=value` of its environment. Answers its digest.
    pub fn push_tool_server(&self, name: &str, tag: &str, variable: &str) -> String {
        let layer = archive("tool-server", TOOL_SERVER).expect("an archive");
        let settings = json!({"Entrypoint": ["/tool-server"], "Env": [variable]});
        self.push((name, tag), &layer, settings)
    }

    /// Puts an image there in which there is nothing to run, only a file of this text. Answers the
    /// reference by which an engine pulls it.
    pub fn push_text(&self, name: &str, tag: &str, text: &str) -> String {
        let layer = archive("readme", text.as_bytes()).expect("an archive");
        self.push((name, tag), &layer, json!({}));
        format!("{}/{name}:{tag}", self.authority())
    }

    fn push(&self, (name, tag): (&str, &str), layer: &[u8], settings: Value) -> String {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(layer).expect("written to memory");
        let packed = packed.finish().expect("written to memory");
        let architecture = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "amd64",
        };
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
            "history": [{"created_by": "a test"}],
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(name, CONFIG, config.to_string().into_bytes()),
            "layers": [self.blob(name, LAYER, packed)],
        })
        .to_string();
        let digest = digest(manifest.as_bytes());
        let headers = [
            ("content-type", MANIFEST),
            ("docker-content-digest", digest.as_str()),
        ];
        for reference in [tag, &digest] {
            let path = format!("/v2/{name}/manifests/{reference}");
            self.files.put(&path, &headers, manifest.as_bytes());
        }
        digest
    }

    fn blob(&self, name: &str, kind: &str, content: Vec<u8>) -> Value {
        let (size, digest) = (content.len(), digest(&content));
        let path = format!("/v2/{name}/blobs/{digest}");
        let headers = [("content-type", "application/octet-stream")];
        self.files.put(&path, &headers, content);
        json!({"mediaType": kind, "size": size, "digest": digest})
    }
}

fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
