//! A web server of fixed files that remembers what was asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::scripted_model::http::Request;
use crate::web_server::{Reply, WebServer};

/// A server; it goes with this value.
#[derive(Debug)]
pub struct FileServer {
    content: Arc<Mutex<Content>>,
    server: WebServer,
}

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, Reply>,
    asked: Vec<String>,
    held: Vec<String>,
}

impl FileServer {
    /// Starts a server without files at an address of this machine.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(address: &str) -> Self {
        let content = Arc::<Mutex<Content>>::default();
        let answering = content.clone();
        let answer = move |request: &Request| lock(&answering).answer(request);
        Self {
            content,
            server: WebServer::start(address, answer).await,
        }
    }

    /// Its host and port.
    pub fn authority(&self) -> &str {
        self.server.authority()
    }

    /// Puts a file where it is asked for, in place of any that was there; `headers` are told with
    /// it.
    pub fn put(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) {
        let file = headers
            .iter()
            .fold(Reply::new(200, body), |file, (name, value)| {
                file.with(name, value)
            });
        lock(&self.content).files.insert(path.to_owned(), file);
    }

    /// Leaves whoever asks for a path that begins like this without an answer.
    pub fn hold(&self, path: &str) {
        lock(&self.content).held.push(path.to_owned());
    }

    /// Every path that was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.content).asked.clone()
    }
}

impl Content {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        let path = request.path.split('?').next().unwrap_or_default();
        self.asked.push(path.to_owned());
        if self.held.iter().any(|held| path.starts_with(held)) {
            return None;
        }
        let found = self.files.get(path).cloned();
        Some(found.unwrap_or_else(|| Reply::new(404, "")))
    }
}

fn lock(content: &Mutex<Content>) -> MutexGuard<'_, Content> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}
