//! A connection to one tool server.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use outbound::Outbound;
use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RoleClient, RunningService};
use rmcp::transport::IntoTransport;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::ask::LogLine;
use crate::error::{ConnectError, short};
use crate::handler::Handler;
use crate::lines::Lines;
use crate::listening;
use crate::question::Question;
use crate::sign_in::{self, GrantKeeper};
use crate::straight::{Dial, Straight, Wires};

/// Largest message of a server that is read.
pub(crate) const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// Most of an error page that is read.
const MAX_ERROR_BYTES: usize = 4 * 1024;
/// Requests to one server at once; more wait.
const MAX_REQUESTS: usize = 64;
/// The same where a relay carries each on a stream of its own; some are left for streams of news.
const MAX_SOCKET_REQUESTS: usize = 48;
/// Longest time until a server is ready to be asked.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time for a goodbye.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a server is that speaks HTTP.
#[derive(Clone)]
pub struct HttpEndpoint {
    /// Its address.
    pub url: Url,
    /// Headers of every request, secret.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What a person got by signing in there.
    pub grant: Option<Arc<dyn GrantKeeper>>,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it calls itself.
    pub title: Option<String>,
    /// Revision of the protocol that was agreed upon.
    pub protocol_version: String,
}

/// A step of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// How far it is.
    pub progress: f64,
    /// Where it ends, if that is known.
    pub total: Option<f64>,
    /// What is happening.
    pub message: Option<String>,
}

/// How a tool is called.
pub struct CallOptions<'a> {
    /// How long to wait.
    pub patience: Patience,
    /// Ends the call.
    pub cancel: &'a CancellationToken,
    /// Is told of each step; must not block.
    pub on_progress: Option<&'a (dyn Fn(Progress) + Send + Sync)>,
    /// Is told what the server logs about this request, where that is plain; must not block.
    pub on_log: Option<&'a (dyn Fn(LogLine) + Send + Sync)>,
    /// Is given what a server of 2025 asks back; must not block. Without it nothing is answered.
    pub on_question: Option<&'a (dyn Fn(Question) + Send + Sync)>,
}

/// How long a call may take; while somebody thinks about a question of the server, no time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Longest silence: each step that the server tells of begins it anew.
    pub silence: Duration,
    /// Longest time in all.
    pub longest: Duration,
}

/// A connection to one tool server. Dropping it ends the session on the server, too.
pub struct Connection {
    pub(crate) service: RunningService<RoleClient, Handler>,
    profile: Profile,
    listening: Option<AbortHandle>,
    /// The way of calls that need no more than their own exchange.
    pub(crate) straight: Option<Straight>,
}

impl Connection {
    /// Connects by Streamable HTTP, within 20 s. The newest revision is tried first.
    ///
    /// # Errors
    /// Says what a person can do about it.
    pub async fn open_http(
        outbound: &Outbound,
        endpoint: HttpEndpoint,
    ) -> Result<Self, ConnectError> {
        let client = outbound.client(&endpoint.url)?;
        let mut headers = HashMap::new();
        for (name, mut value) in endpoint.headers {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut config = StreamableHttpClientTransportConfig::with_uri(endpoint.url.as_str())
            .custom_headers(headers)
            .max_sse_event_size(MAX_MESSAGE_BYTES)
            .max_json_response_size(MAX_MESSAGE_BYTES)
            .max_error_response_size(MAX_ERROR_BYTES)
            .max_concurrent_requests(MAX_REQUESTS);
        config.allow_stateless = true;
        let Some(keeper) = endpoint.grant else {
            let wires = Wires::new(Dial::Tcp(outbound.dialler()), &endpoint.url);
            return Self::open_plain(client, wires, config).await;
        };
        let authorized = sign_in::authorized(outbound, &endpoint.url, client, keeper).await;
        let client = authorized.map_err(|error| ConnectError::SignInNeeded(error.to_string()))?;
        newest_first(|mode| {
            let (client, config) = (client.clone(), config.clone());
            Self::open(
                StreamableHttpClientTransport::with_client(client, config),
                mode,
            )
        })
        .await
    }

    /// Connects by Streamable HTTP through a socket of this machine, within 20 s. `path` is the
    /// endpoint's, `port` is told as that of the host.
    ///
    /// # Errors
    /// Says what a person can do about it.
    pub async fn open_socket(socket: &Path, port: u16, path: &str) -> Result<Self, ConnectError> {
        let client = reqwest::Client::builder()
            .unix_socket(socket)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| ConnectError::Unreachable("no HTTP client can be made".to_owned()))?;
        // Servers that look at the host take themselves for what people try out on their machine.
        let url = format!("http://localhost:{port}{path}");
        let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
            .max_sse_event_size(MAX_MESSAGE_BYTES)
            .max_json_response_size(MAX_MESSAGE_BYTES)
            .max_error_response_size(MAX_ERROR_BYTES)
            .max_concurrent_requests(MAX_SOCKET_REQUESTS);
        config.allow_stateless = true;
        let dial = Dial::Socket(socket.to_owned());
        let wires = url.parse().ok().and_then(|url| Wires::new(dial, &url));
        Self::open_plain(client, wires, config).await
    }

    async fn open_plain(
        client: reqwest::Client,
        wires: Option<Wires>,
        config: StreamableHttpClientTransportConfig,
    ) -> Result<Self, ConnectError> {
        let mut opened = newest_first(|mode| {
            let (client, config) = (client.clone(), config.clone());
            Self::open(
                StreamableHttpClientTransport::with_client(client, config),
                mode,
            )
        })
        .await?;
        if opened.is_modern() {
            opened.straight = Some(Straight::new(client, wires, &config));
        }
        Ok(opened)
    }

    /// Connects by a pair of byte streams, one message a line, within 20 s.
    ///
    /// # Errors
    /// Says what a person can do about it.
    pub async fn open_stream<R, W>(read: R, write: W) -> Result<Self, ConnectError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let transport = AsyncRwTransport::<RoleClient, _, _>::new_client(Lines::new(read), write)
            .with_max_line_length(MAX_MESSAGE_BYTES);
        Self::open(transport, automatic()).await
    }

    async fn open<T, E, A>(
        transport: T,
        lifecycle: ClientLifecycleMode,
    ) -> Result<Self, ConnectError>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let opening = Handler::default().serve_with_lifecycle(transport, lifecycle);
        let service = tokio::time::timeout(CONNECT_TIMEOUT, opening)
            .await
            .map_err(|_| ConnectError::Timeout {
                seconds: CONNECT_TIMEOUT.as_secs(),
            })??;
        let Some(info) = service.peer_info() else {
            return Err(ConnectError::not_mcp("it says nothing of itself"));
        };
        let profile = Profile {
            title: info.server_info.as_ref().map(|server| {
                let name = server.title.as_deref().unwrap_or(&server.name);
                short(name).chars().take(80).collect()
            }),
            protocol_version: info.protocol_version.as_str().chars().take(20).collect(),
        };
        let listening = listening::listen(&service);
        Ok(Self {
            service,
            profile,
            listening,
            straight: None,
        })
    }

    /// What the server says of itself.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Whether the server, or the way to it, is gone.
    pub fn is_closed(&self) -> bool {
        self.service.is_closed() || self.service.is_transport_closed()
    }

    /// Returns once the server has said that its lists have changed; notices since the last wait
    /// count as one. Safe to cancel.
    pub async fn changed(&self) {
        self.service.service().changed.notified().await;
    }

    /// Ends the session, within 5 s.
    pub async fn close(mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
        let _ = self.service.close_with_timeout(CLOSE_TIMEOUT).await;
    }

    /// Whether the server says that it has prompts, and resources.
    pub(crate) fn has_offers(&self) -> (bool, bool) {
        let info = self.service.peer_info();
        info.map_or((false, false), |info| {
            let has = &info.capabilities;
            (has.prompts.is_some(), has.resources.is_some())
        })
    }

    pub(crate) fn has_tools(&self) -> bool {
        let info = self.service.peer_info();
        info.is_some_and(|info| info.capabilities.tools.is_some())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.profile).finish()
    }
}

impl fmt::Debug for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("HttpEndpoint")
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// The newest revision, and the handshake of those before if the server does not know it.
fn automatic() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
    }
}

/// Connects; once more by the handshake alone if what was answered makes no sense: some servers
/// answer everything that they do not know, with nothing.
async fn newest_first<F>(
    open: impl Fn(ClientLifecycleMode) -> F,
) -> Result<Connection, ConnectError>
where
    F: Future<Output = Result<Connection, ConnectError>>,
{
    let first = match open(automatic()).await {
        Err(error @ ConnectError::Protocol(_)) => error,
        opened => return opened,
    };
    open(ClientLifecycleMode::Initialize)
        .await
        .map_err(|_| first)
}
