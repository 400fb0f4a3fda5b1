//! A registry of container images on this machine, which engines trust without TLS.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A registry with the images that were put into it; it is gone when dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    held: Arc<Mutex<Held>>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Held {
    /// Digests of manifests, by `name:tag`.
    tags: HashMap<String, String>,
    /// Kind and content, by digest.
    blobs: HashMap<String, (&'static str, Bytes)>,
}

impl Registry {
    /// Starts an empty one.
    ///
    /// # Panics
    /// If no loopback port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let held = Arc::<Mutex<Held>>::default();
        let accepting = tokio::spawn(accept(listener, held.clone()));
        Self {
            address,
            held,
            accepting,
        }
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Puts an image with one file of this text into it, in place of what had the name. Answers the
    /// reference by which an engine pulls it.
    ///
    /// # Panics
    /// If the file cannot be packed.
    pub fn put(&self, name: &str, tag: &str, text: &str) -> String {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let packed = archive.append_data(&mut header, "readme", text.as_bytes());
        packed.expect("pack a file");
        let layer = archive.into_inner().expect("an archive");
        let architecture = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "amd64",
        };
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        });
        let config = config.to_string().into_bytes();
        let part = |kind, bytes: &[u8]| json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": part(CONFIG, &config), "layers": [part(LAYER, &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let mut held = lock(&self.held);
        held.tags.insert(format!("{name}:{tag}"), digest(&manifest));
        for (kind, bytes) in [(MANIFEST, manifest), (CONFIG, config), (LAYER, layer)] {
            held.blobs.insert(digest(&bytes), (kind, bytes.into()));
        }
        format!("{}/{name}:{tag}", self.host())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, held: Arc<Mutex<Held>>) {
    // Dropped with this task, and its connections with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let held = held.clone();
        connections.spawn(async move {
            let service = service_fn(move |req: Request<_>| {
                let answer = answer(&held, req.uri().path());
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(held: &Mutex<Held>, path: &str) -> Response<Full<Bytes>> {
    let path = path.strip_prefix("/v2/").unwrap_or_default();
    if path.is_empty() {
        return Response::new(Full::default());
    }
    let held = lock(held);
    let digest = match path.split_once("/manifests/") {
        Some((name, tag)) => match tag.starts_with("sha256:") {
            true => Some(tag.to_owned()),
            false => held.tags.get(&format!("{name}:{tag}")).cloned(),
        },
        None => path.rsplit('/').next().map(str::to_owned),
    };
    let found = digest.and_then(|digest| Some((held.blobs.get(&digest)?, digest)));
    let response = match found {
        Some(((kind, bytes), digest)) => Response::builder()
            .header("content-type", *kind)
            .header("docker-content-digest", digest)
            .body(Full::new(bytes.clone())),
        None => Response::builder()
            .status(StatusCode::NOT_FOUND)
            .body(Full::default()),
    };
    response.expect("a response")
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hash}")
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
