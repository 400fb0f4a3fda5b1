//! A tool server that wants people to sign in, and the authorization server where they do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

type Fields = HashMap<String, String>;

/// Both servers, on one port; they end when dropped.
pub struct Provider {
    pub origin: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    origin: String,
    state: Mutex<Memory>,
}

#[derive(Default)]
pub struct Memory {
    /// Whom answers come from, if that is somebody else.
    pub wrong_issuer: Option<String>,
    /// How long tokens are said to live, seconds.
    pub expires_in: u64,
    pub access: Vec<String>,
    pub refresh: Vec<String>,
    pub registrations: u32,
    pub exchanges: u32,
    pub refreshes: u32,
    /// Authorization headers of requests to the tool server.
    pub shown: Vec<String>,
    codes: HashMap<String, Fields>,
    made: u32,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let origin = format!("http://{address}");
        let shared = Arc::new(Shared {
            origin: origin.clone(),
            state: Mutex::new(Memory {
                expires_in: 3600,
                ..Memory::default()
            }),
        });
        let app = Router::new()
            .route("/mcp", post(tools))
            .route("/.well-known/oauth-protected-resource/mcp", get(resource))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/register", post(register))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(shared.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("serve");
        });
        Self {
            origin,
            shared,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.shared.lock()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn make(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-opensesame-{}", self.made)
    }

    fn tokens(&mut self) -> Value {
        let (access, refresh) = (self.make("access"), self.make("refresh"));
        self.access.push(access.clone());
        self.refresh.push(refresh.clone());
        json!({"access_token": access, "refresh_token": refresh, "token_type": "Bearer",
            "expires_in": self.expires_in})
    }
}

async fn resource(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let origin = &shared.origin;
    Json(json!({"resource": format!("{origin}/mcp"), "authorization_servers": [origin]}))
}

async fn metadata(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let origin = &shared.origin;
    Json(json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "registration_endpoint": format!("{origin}/register"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn register(State(shared): State<Arc<Shared>>, Json(asked): Json<Value>) -> Response {
    shared.lock().registrations += 1;
    let client = json!({"client_id": "the-client", "client_name": asked["client_name"],
        "redirect_uris": asked["redirect_uris"]});
    (StatusCode::CREATED, Json(client)).into_response()
}

/// The person agrees at once.
async fn authorize(State(shared): State<Arc<Shared>>, Query(asked): Query<Fields>) -> Redirect {
    let mut memory = shared.lock();
    let code = memory.make("code");
    let issuer = memory.wrong_issuer.clone();
    let issuer = issuer.unwrap_or_else(|| shared.origin.clone());
    let mut back: url::Url = asked["redirect_uri"].parse().expect("a URL");
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &asked["state"])
        .append_pair("iss", &issuer);
    memory.codes.insert(code, asked);
    Redirect::to(back.as_str())
}

async fn token(State(shared): State<Arc<Shared>>, Form(asked): Form<Fields>) -> Response {
    let field = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let mut memory = shared.lock();
    let is_granted = match field("grant_type").as_str() {
        "authorization_code" => {
            memory.exchanges += 1;
            memory.codes.remove(&field("code")).is_some_and(|begun| {
                let challenge = Sha256::digest(field("code_verifier"));
                URL_SAFE_NO_PAD.encode(challenge) == begun["code_challenge"]
                    && field("redirect_uri") == begun["redirect_uri"]
                    && field("resource") == begun["resource"]
                    && field("client_id") == "the-client"
            })
        }
        "refresh_token" => {
            memory.refreshes += 1;
            let shown = field("refresh_token");
            let before = memory.refresh.len();
            // Each is good once.
            memory.refresh.retain(|known| *known != shown);
            memory.refresh.len() < before
        }
        _ => false,
    };
    match is_granted {
        true => Json(memory.tokens()).into_response(),
        false => {
            let error = Json(json!({"error": "invalid_grant"}));
            (StatusCode::BAD_REQUEST, error).into_response()
        }
    }
}

/// The tool server: one tool, for those with a token.
async fn tools(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> Response {
    let shown = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let shown = shown.unwrap_or_default().to_owned();
    let mut memory = shared.lock();
    memory.shown.push(shown.clone());
    let token = shown.strip_prefix("Bearer ").unwrap_or_default();
    if !memory.access.iter().any(|known| known == token) {
        let place = format!("{}/.well-known/oauth-protected-resource/mcp", shared.origin);
        let challenge = format!("Bearer resource_metadata=\"{place}\"");
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
    }
    let id = message["id"].clone();
    if id.is_null() {
        return StatusCode::ACCEPTED.into_response();
    }
    let mut result = match message["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({"supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "guarded", "version": "1"}}}),
        "tools/list" => json!({"tools": [{"name": "whoami", "description": "Says who asks",
            "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}}]}),
        "tools/call" => json!({"content": [{"type": "text", "text": "somebody"}]}),
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            let body = Json(json!({"jsonrpc": "2.0", "id": id, "error": error}));
            return (StatusCode::NOT_FOUND, body).into_response();
        }
    };
    result["resultType"] = "complete".into();
    result["ttlMs"] = 0.into();
    result["cacheScope"] = "private".into();
    Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
}
