//! Sessions of clients of 2025: they can be told of changes and asked for input.
//!
//! A session lives in one process. Whatever another process is asked in its name is answered without
//! it, so a client behind a load balancer loses notices and questions, never an answer.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::asking::lock;
use super::in_session::Owned;
use super::parked::Parked;
use super::{Caller, Gateway, straight};

/// Sessions of one process; clients beyond that do without. Each takes some 60 KiB.
const MAX_SESSIONS: usize = 1_000;
/// Those of one caller: others shall have sessions, too.
const MAX_OF_ONE: usize = MAX_SESSIONS / 4;
/// How long an unused session is kept.
const IDLE: Duration = Duration::from_secs(4 * 60 * 60);
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The first revision without sessions.
const MODERN: &str = "2026-07-28";

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Takes requests that carry a [`Caller`]. Cheap to clone.
#[derive(Clone)]
pub struct GatewayService {
    inner: Arc<Inner>,
}

struct Inner {
    plain: StreamableHttpService<Gateway, NeverSessionManager>,
    sessions: StreamableHttpService<Gateway, LocalSessionManager>,
    manager: Arc<LocalSessionManager>,
    /// Begins the ids of this process's sessions.
    process: String,
    /// Whose session it is, by its id here.
    owners: Mutex<HashMap<String, Arc<Owned>>>,
    max_body_bytes: usize,
    /// The names it is known by; any if there are none.
    hosts: Vec<String>,
    parked: Parked,
}

impl GatewayService {
    /// `hosts` and `origins` are those that the gateway is known by; requests that name others are
    /// refused. `process` tells this process from others, in letters and digits.
    pub fn new(
        hosts: Vec<String>,
        origins: Vec<String>,
        max_body_bytes: usize,
        process: String,
        stopping: CancellationToken,
    ) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts.clone())
            .with_allowed_origins(origins)
            .enforce_origin_validation()
            .with_max_request_body_bytes(max_body_bytes)
            .with_cancellation_token(stopping);
        let mut manager = LocalSessionManager::default();
        let mut kept = SessionConfig::default();
        kept.keep_alive = Some(IDLE);
        kept.sse_retry = None;
        manager.session_config = kept;
        let manager = Arc::new(manager);
        let plain = config
            .clone()
            .with_legacy_session_mode(false)
            .with_json_response(true);
        let parked = Parked::new(&process);
        let (kept, own) = (parked.clone(), parked.clone());
        let inner = Inner {
            plain: StreamableHttpService::new(
                move || Ok(Gateway::without_session(parked.clone())),
                Arc::new(NeverSessionManager::default()),
                plain,
            ),
            sessions: StreamableHttpService::new(
                move || Ok(Gateway::with_session(kept.clone())),
                manager.clone(),
                config.with_legacy_session_mode(true).with_sse_retry(None),
            ),
            manager,
            process,
            owners: Mutex::default(),
            max_body_bytes,
            hosts,
            parked: own,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Answers a request, whatever revision it is of.
    //
    // rmcp's futures are in boxes: all who wait for this one would move them with it, and most
    // messages do without.
    pub async fn handle<B>(&self, mut req: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: fmt::Display + Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let session = req.headers().get(SESSION).cloned();
        if let Some(session) = session {
            let name = session.to_str().unwrap_or_default();
            let Some(id) = self.inner.own(name) else {
                // Another process keeps it.
                req.headers_mut().remove(SESSION);
                return Box::pin(self.inner.plain.handle(req)).await;
            };
            let owned = identity(&req).and_then(|who| self.inner.owned(id, &who));
            let (Ok(value), Some(owned)) = (HeaderValue::from_str(id), owned) else {
                return empty(StatusCode::NOT_FOUND);
            };
            if req.method() == Method::POST {
                return self.within(id.to_owned(), owned, req).await;
            }
            req.headers_mut().insert(SESSION, value);
            return Box::pin(self.inner.sessions.handle(req)).await;
        }
        let is_modern = req.headers().get(VERSION).is_some_and(|it| it == MODERN);
        if is_modern
            && req.method() == Method::POST
            && straight::is_expected(req.headers(), &self.inner.hosts)
        {
            return self.straight(req).await;
        }
        if is_modern || req.method() != Method::POST {
            return Box::pin(self.inner.plain.handle(req)).await;
        }
        self.begin(req).await
    }

    /// A request that can be answered at once, if its body says so, too.
    async fn straight<B>(&self, req: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: fmt::Display + Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = req.into_parts();
        let body = match self.inner.read(body).await {
            Ok(body) => body,
            Err(status) => return empty(status),
        };
        let caller = parts.extensions.get::<Caller>().cloned();
        let (Some(Caller(caller)), Some(asked)) = (caller, straight::read(&parts.headers, &body))
        else {
            let req = Request::from_parts(parts, Full::new(body));
            return Box::pin(self.inner.plain.handle(req)).await;
        };
        asked.answer(caller, &self.inner.parked).await
    }

    /// A message in a session of this process.
    async fn within<B>(&self, id: String, owned: Arc<Owned>, req: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: fmt::Display + Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, body) = req.into_parts();
        let body = match self.inner.read(body).await {
            Ok(body) => body,
            Err(status) => return empty(status),
        };
        if straight::is_usual(&parts.headers, &self.inner.hosts)
            && let Some(Caller(caller)) = parts.extensions.get::<Caller>()
            && self.inner.is_open(&id).await
        {
            if let Some(call) = owned.read(&parts.headers, &body) {
                return call.answer(caller.clone(), owned).await;
            }
            if owned.hear(&body) {
                return empty(StatusCode::ACCEPTED);
            }
        }
        let Ok(id) = HeaderValue::from_str(&id) else {
            return empty(StatusCode::NOT_FOUND);
        };
        parts.headers.insert(SESSION, id);
        let req = Request::from_parts(parts, Full::new(body));
        Box::pin(self.inner.sessions.handle(req)).await
    }

    /// A message without a session, which may begin one.
    async fn begin<B>(&self, req: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: fmt::Display + Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let who = identity(&req);
        let (parts, body) = req.into_parts();
        let body = match self.inner.read(body).await {
            Ok(body) => body,
            Err(status) => return empty(status),
        };
        let begins = is_initialize(&body);
        let message = body.clone();
        let req = Request::from_parts(parts, Full::new(body));
        let who = match who {
            Some(who) if begins && self.inner.has_room(&who).await => who,
            _ => return Box::pin(self.inner.plain.handle(req)).await,
        };
        let mut answer = Box::pin(self.inner.sessions.handle(req)).await;
        let id = answer
            .headers()
            .get(SESSION)
            .and_then(|it| it.to_str().ok());
        if let Some(id) = id.map(str::to_owned) {
            let name = format!("{}-{id}", self.inner.process);
            let owned = Arc::new(Owned::new(who, &message));
            lock(&self.inner.owners).insert(id, owned);
            if let Ok(value) = HeaderValue::from_str(&name) {
                answer.headers_mut().insert(SESSION, value);
            }
        }
        answer
    }
}

impl Inner {
    /// The whole of a body, or what is answered instead.
    async fn read<B>(&self, body: B) -> Result<Bytes, StatusCode>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let body = Limited::new(body, self.max_body_bytes);
        match body.collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(StatusCode::PAYLOAD_TOO_LARGE)
            }
            Err(_) => Err(StatusCode::BAD_REQUEST),
        }
    }

    /// The id of a session of this process, by its name outside.
    fn own<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(&self.process)?.strip_prefix('-')
    }

    /// A session of that caller.
    fn owned(&self, id: &str, who: &str) -> Option<Arc<Owned>> {
        let owned = lock(&self.owners).get(id).cloned();
        owned.filter(|owned| owned.who == who)
    }

    /// Whether a session has not ended.
    async fn is_open(&self, id: &str) -> bool {
        self.manager.sessions.read().await.contains_key(id)
    }

    /// Whether one more session of a caller can be kept; forgets the owners of those that ended.
    async fn has_room(&self, who: &str) -> bool {
        let sessions = self.manager.sessions.read().await;
        let mut owners = lock(&self.owners);
        owners.retain(|id, _| sessions.contains_key(id.as_str()));
        let own = owners.values().filter(|owned| owned.who == who).count();
        sessions.len() < MAX_SESSIONS && own < MAX_OF_ONE
    }
}

impl fmt::Debug for GatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayService").finish_non_exhaustive()
    }
}

fn identity<B>(req: &Request<B>) -> Option<String> {
    let caller = req.extensions().get::<Caller>();
    caller.map(|Caller(caller)| caller.identity())
}

/// Whether a message asks to begin a session.
fn is_initialize(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        method: std::borrow::Cow<'a, str>,
    }
    let needle = b"\"initialize\"";
    body.windows(needle.len()).any(|window| window == needle)
        && serde_json::from_slice::<Message<'_>>(body)
            .is_ok_and(|message| message.method == "initialize")
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()).boxed());
    *answer.status_mut() = status;
    answer
}
