//! As much of S3 as the product uses: one bucket, in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::scripted_model::http::Request;
use crate::web_server::{Reply, WebServer};

/// Name of the bucket.
pub const BUCKET: &str = "agents";

/// A server with an empty bucket. It goes with this value.
#[derive(Debug)]
pub struct Bucket {
    shared: Arc<Mutex<Content>>,
    server: WebServer,
}

#[derive(Debug, Default)]
struct Content {
    objects: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    is_down: bool,
}

impl Bucket {
    /// Starts the server.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start() -> Self {
        let shared = Arc::<Mutex<Content>>::default();
        let answering = shared.clone();
        let answer = move |request: &Request| Some(lock(&answering).answer(request));
        Self {
            shared,
            server: WebServer::start("127.0.0.1", answer).await,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        let authority = self.server.authority();
        authority.parse().expect("an address and a port")
    }

    /// Variables for a program that uses the bucket.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            (
                "AWS_ENDPOINT_URL",
                format!("http://{}", self.server.authority()),
            ),
            ("AWS_ACCESS_KEY_ID", "AKIATEST".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-bucket".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
        ]
    }

    /// Keys of the objects, in order.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.shared).objects.keys().cloned().collect()
    }

    /// Uploads in parts that are neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        lock(&self.shared).uploads.len()
    }

    /// Answers everything with 503 from now on, or no longer.
    pub fn set_down(&self, is_down: bool) {
        lock(&self.shared).is_down = is_down;
    }
}

fn lock(shared: &Mutex<Content>) -> MutexGuard<'_, Content> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Content {
    fn answer(&mut self, request: &Request) -> Reply {
        if self.is_down {
            return Reply::new(503, "");
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let in_bucket = path.trim_start_matches('/').strip_prefix(BUCKET);
        let key = decoded(in_bucket.unwrap_or_default().trim_start_matches('/'));
        let is_signed = request
            .header("authorization")
            .is_some_and(|it| it.contains("AKIATEST"));
        if in_bucket.is_none() || !is_signed {
            return Reply::new(403, "<Error><Code>AccessDenied</Code></Error>");
        }
        let upload = parameter(query, "uploadId");
        let part = parameter(query, "partNumber").and_then(|number| number.parse().ok());
        match (request.method.as_str(), upload, part) {
            ("PUT", Some(upload), Some(part)) => match self.uploads.get_mut(&upload) {
                Some(parts) => {
                    parts.insert(part, request.body.clone());
                    tagged(Reply::new(200, ""), &format!("part-{part}"))
                }
                None => Reply::new(404, "<Error><Code>NoSuchUpload</Code></Error>"),
            },
            ("PUT", ..) => {
                self.objects.insert(key, request.body.clone());
                tagged(Reply::new(200, ""), "whole")
            }
            ("POST", Some(upload), _) => {
                let parts = self.uploads.remove(&upload).unwrap_or_default();
                self.objects
                    .insert(key.clone(), parts.into_values().flatten().collect());
                let xml = format!(
                    "<CompleteMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{key}</Key>\
                     <ETag>\"parts\"</ETag></CompleteMultipartUploadResult>"
                );
                Reply::new(200, xml)
            }
            ("POST", None, _) if query.split('&').any(|it| it.starts_with("uploads")) => {
                let upload = format!("upload-{}", self.uploads.len() + self.objects.len());
                self.uploads.insert(upload.clone(), BTreeMap::new());
                let xml = format!(
                    "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{key}</Key>\
                     <UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                );
                Reply::new(200, xml)
            }
            ("POST", ..) => self.delete_many(&String::from_utf8_lossy(&request.body)),
            ("DELETE", Some(upload), _) => {
                self.uploads.remove(&upload);
                Reply::new(204, "")
            }
            ("DELETE", ..) => {
                self.objects.remove(&key);
                Reply::new(204, "")
            }
            ("GET", ..) if key.is_empty() => {
                self.list(&parameter(query, "prefix").unwrap_or_default())
            }
            ("GET" | "HEAD", ..) => match self.objects.get(&key) {
                Some(content) => tagged(Reply::new(200, content.clone()), "whole"),
                None => Reply::new(404, "<Error><Code>NoSuchKey</Code></Error>"),
            },
            _ => Reply::new(405, ""),
        }
    }

    fn delete_many(&mut self, xml: &str) -> Reply {
        let mut deleted = String::new();
        for part in xml.split("<Key>").skip(1) {
            let key = part.split("</Key>").next().unwrap_or_default();
            self.objects.remove(key);
            deleted += &format!("<Deleted><Key>{key}</Key></Deleted>");
        }
        Reply::new(200, format!("<DeleteResult>{deleted}</DeleteResult>"))
    }

    fn list(&self, prefix: &str) -> Reply {
        let mut found = String::new();
        for (key, content) in self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
        {
            found += &format!(
                "<Contents><Key>{key}</Key><LastModified>2026-11-25T22:00:00.000Z</LastModified>\
                 <ETag>\"whole\"</ETag><Size>{}</Size></Contents>",
                content.len()
            );
        }
        let xml = format!(
            "<ListBucketResult><Name>{BUCKET}</Name><IsTruncated>false</IsTruncated>{found}\
             </ListBucketResult>"
        );
        Reply::new(200, xml)
    }
}

/// A reply with what is told of an object.
fn tagged(reply: Reply, tag: &str) -> Reply {
    reply
        .with("etag", &format!("\"{tag}\""))
        .with("last-modified", "Wed, 25 Nov 2026 22:00:00 GMT")
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name);
    found.next().map(|(_, value)| decoded(value))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let escaped = escaped.and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
