//! Somebody who asks the API and reads whole answers.

use reqwest::Method;
use serde_json::Value;

use crate::support::{Program, client};

/// Somebody with an API key.
pub(super) struct Asker<'a> {
    pub(super) program: &'a Program,
    pub(super) key: String,
}

impl Asker<'_> {
    pub(super) async fn get(&self, path: &str) -> String {
        self.send(Method::GET, path, None, "").await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        once: &str,
    ) -> String {
        let mut req = client()
            .request(method, self.program.url(&format!("/api/v1{path}")))
            .bearer_auth(&self.key);
        if !once.is_empty() {
            req = req.header("idempotency-key", once);
        }
        if let Some(body) = body {
            req = req.json(body);
        }
        req.send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("text")
    }
}
