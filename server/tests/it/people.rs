//! People who ask: by cookie or key, in one workspace or another.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::inputs;

use crate::openapi;
use crate::support::{Answer, TestApp, client};

/// Somebody with a way to prove who they are.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// `Cookie` header: session and, after a sign-in, device.
    pub cookie: Option<String>,
    /// API key.
    pub key: Option<String>,
    /// `X-Workspace-Id` header.
    pub workspace: Option<String>,
    /// Id of the account.
    pub id: String,
}

impl Person {
    /// Somebody who proves nothing.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// The holder of a key.
    pub fn with_key(key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..Self::default()
        }
    }

    /// The same person asking about another workspace.
    pub fn asking_about(&self, workspace: &str) -> Self {
        Self {
            workspace: Some(workspace.to_owned()),
            ..self.clone()
        }
    }

    /// Sends a request below `/api/v1` as a browser on this site would.
    pub async fn send(
        &self,
        app: &TestApp,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let origin = app.url("");
        let mut req = client()
            .request(method.clone(), app.url(&format!("/api/v1{path}")))
            .header("origin", origin);
        if let Some(cookie) = &self.cookie {
            req = req.header("cookie", cookie);
        }
        if let Some(key) = &self.key {
            req = req.bearer_auth(key);
        }
        if let Some(workspace) = &self.workspace {
            req = req.header("x-workspace-id", workspace);
        }
        if let Some(body) = body {
            req = req.json(body);
        }
        let answer = Answer::read(req.send().await.expect("an answer")).await;
        openapi::check(&method, path, answer.status, &answer.headers, &answer.body);
        answer
    }

    /// Uploads a file.
    pub async fn upload(&self, app: &TestApp, name: &str, content: &[u8]) -> Answer {
        let (content_type, body) = form(name, content);
        let mut req = client()
            .post(app.url("/api/v1/files"))
            .header("origin", app.url(""))
            .header("content-type", content_type)
            .body(body);
        if let Some(cookie) = &self.cookie {
            req = req.header("cookie", cookie);
        }
        if let Some(key) = &self.key {
            req = req.bearer_auth(key);
        }
        if let Some(workspace) = &self.workspace {
            req = req.header("x-workspace-id", workspace);
        }
        Answer::read(req.send().await.expect("an answer")).await
    }

    pub async fn get(&self, app: &TestApp, path: &str) -> Answer {
        self.send(app, Method::GET, path, None).await
    }

    pub async fn post(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        self.send(app, Method::POST, path, Some(&body)).await
    }

    pub async fn patch(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        self.send(app, Method::PATCH, path, Some(&body)).await
    }

    pub async fn put(&self, app: &TestApp, path: &str, body: Value) -> Answer {
        self.send(app, Method::PUT, path, Some(&body)).await
    }

    pub async fn delete(&self, app: &TestApp, path: &str) -> Answer {
        self.send(app, Method::DELETE, path, None).await
    }

    /// Signs in from a new browser.
    pub async fn sign_in(app: &TestApp, email: &str) -> Self {
        let answer = Self::nobody()
            .post(app, "/session", inputs::sign_in(email))
            .await;
        Self::from_sign_in(&answer)
    }

    /// Whoever an answer with cookies made.
    pub fn from_sign_in(answer: &Answer) -> Self {
        assert!(answer.status.is_success(), "{}", answer.body);
        Self {
            cookie: Some(cookies(answer)),
            id: text(&answer.body["user"]["id"]),
            ..Self::default()
        }
    }

    /// Invites somebody, who accepts with the usual password.
    pub async fn invites(&self, app: &TestApp, email: &str, role: &str) -> Self {
        let input = json!({"email": email, "role": role});
        let invited = self.post(app, "/invitations", input).await;
        let token = token(&invited);
        let input = json!({"token": token, "password": inputs::PASSWORD});
        let accepted = Self::nobody()
            .post(app, "/invitations/acceptance", input)
            .await;
        Self::from_sign_in(&accepted)
    }

    /// A key of this person, limited to `scopes` unless they are `null`.
    pub async fn makes_key(&self, app: &TestApp, scopes: Value) -> Self {
        let input = json!({"name": "a key", "scopes": scopes});
        let made = self.post(app, "/api-keys", input).await;
        assert!(made.status.is_success(), "{}", made.body);
        Self {
            id: text(&made.body["id"]),
            ..Self::with_key(&text(&made.body["key"]))
        }
    }
}

/// A form with one file: its content type and its body.
pub fn form(name: &str, content: &[u8]) -> (String, Vec<u8>) {
    let name = name.replace('"', "%22").replace(['\r', '\n'], " ");
    let head = format!(
        "--boundary-of-a-test\r\ncontent-disposition: form-data; name=\"file\"; \
         filename=\"{name}\"\r\ncontent-type: text/html\r\n\r\n"
    );
    let body = [head.as_bytes(), content, b"\r\n--boundary-of-a-test--\r\n"].concat();
    let content_type = "multipart/form-data; boundary=boundary-of-a-test".to_owned();
    (content_type, body)
}

/// Token of a created invitation's link.
pub fn token(invited: &Answer) -> String {
    let link = invited.body["link"].as_str().expect("a link");
    link.rsplit('/').next().expect("a token").to_owned()
}

/// The cookies that an answer sets, as a browser sends them back.
pub fn cookies(answer: &Answer) -> String {
    let pairs: Vec<&str> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|header| header.to_str().ok()?.split(';').next())
        .collect();
    pairs.join("; ")
}

/// A text of an answer.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
