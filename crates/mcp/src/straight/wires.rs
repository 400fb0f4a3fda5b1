//! Connections without TLS to one server, each driven by the very call that uses it: between a call
//! and its answer nobody else is woken.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use outbound::{DialError, Dialler};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use url::Url;

use crate::error::{CallError, ConnectError};

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);
/// How long the end of an answer is waited for, so that its connection can be used again.
const END_TIMEOUT: Duration = Duration::from_millis(50);
const MAX_IDLE: usize = 64;

type Stream = Pin<Box<dyn Duplex>>;

/// What bytes can be read from and written to.
trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// How a server is reached.
pub(crate) enum Dial {
    /// By a name or an address, which the guard of outbound connections checks each time.
    Tcp(Dialler),
    /// By a socket of this machine.
    Socket(PathBuf),
}

/// The connections to one server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Wires {
    inner: Arc<Inner>,
}

struct Inner {
    dial: Dial,
    host: String,
    port: u16,
    path: PathAndQuery,
    headers: HeaderMap,
    /// The one that was used last is the last.
    idle: Mutex<VecDeque<Idle>>,
}

/// A connection; whoever has it drives it.
struct Wire {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection<TokioIo<Stream>, Full<Bytes>>>>,
    has_ended: bool,
}

/// A connection that nobody uses, with what is left of the answer before.
struct Idle {
    wire: Wire,
    rest: Option<Incoming>,
    since: Instant,
}

/// The body of an answer, and the connection that it comes by.
pub(super) struct Exchange {
    wire: Option<Wire>,
    body: Incoming,
    home: Wires,
}

impl Wires {
    /// `None` for addresses that only the one HTTP client reaches: those with TLS.
    pub(crate) fn new(dial: Dial, url: &Url) -> Option<Self> {
        if url.scheme() != "http" {
            return None;
        }
        let host = url.host_str()?;
        let named = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&named).ok()?);
        let accepted = HeaderValue::from_static("text/event-stream, application/json");
        headers.insert(ACCEPT, accepted);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let agent = concat!("AgentArea/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let inner = Inner {
            dial,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default()?,
            path: path.parse().ok()?,
            headers,
            idle: Mutex::default(),
        };
        Some(Self {
            inner: Arc::new(inner),
        })
    }

    /// Adds headers to all requests.
    pub(super) fn with_headers<'a>(
        self,
        more: impl Iterator<Item = (&'a http::HeaderName, &'a HeaderValue)>,
    ) -> Self {
        let mut headers = self.inner.headers.clone();
        for (name, value) in more {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        let inner = match Arc::try_unwrap(self.inner) {
            Ok(inner) => Arc::new(Inner { headers, ..inner }),
            Err(shared) => shared,
        };
        Self { inner }
    }

    /// Posts a message and waits for the head of what answers it. Whatever was not sent, because a
    /// kept connection had ended, is sent by a new one.
    pub(super) async fn post(
        &self,
        body: Bytes,
        name: Option<HeaderValue>,
    ) -> Result<(http::response::Parts, Exchange), CallError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.inner.path.clone());
        *request.headers_mut() = self.inner.headers.clone();
        if let Some(name) = name {
            request.headers_mut().insert("mcp-name", name);
        }
        while let Some(mut wire) = self.inner.take() {
            match wire.send(request).await {
                Ok(response) => return Ok(self.exchange(wire, response)),
                Err(unsent) => request = unsent.ok_or_else(broke_off)?,
            }
        }
        let mut wire = Box::pin(self.inner.connect()).await?;
        match wire.send(request).await {
            Ok(response) => Ok(self.exchange(wire, response)),
            Err(_) => Err(broke_off()),
        }
    }

    fn exchange(
        &self,
        wire: Wire,
        response: Response<Incoming>,
    ) -> (http::response::Parts, Exchange) {
        let (head, body) = response.into_parts();
        let exchange = Exchange {
            wire: Some(wire),
            body,
            home: self.clone(),
        };
        (head, exchange)
    }
}

impl Inner {
    async fn connect(&self) -> Result<Wire, CallError> {
        let unreachable = |error: io::Error| {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            ConnectError::Unreachable(text.to_lowercase())
        };
        let stream: Stream = match &self.dial {
            Dial::Tcp(dialler) => match dialler.connect(&self.host, self.port).await {
                Ok(stream) => Box::pin(stream),
                Err(DialError::Refused(refused)) => return Err(ConnectError::from(refused).into()),
                Err(DialError::Failed(error)) => return Err(unreachable(error).into()),
            },
            Dial::Socket(path) => Box::pin(UnixStream::connect(path).await.map_err(unreachable)?),
        };
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|_| broke_off())?;
        Ok(Wire {
            sender,
            connection: Box::pin(connection),
            has_ended: false,
        })
    }

    /// A kept connection that can be used, the one used last first.
    fn take(&self) -> Option<Wire> {
        let mut idle = self.idle();
        if idle.front().is_some_and(|it| it.since.elapsed() > IDLE) {
            idle.pop_front();
        }
        let mut at = idle.len();
        while at > 0 {
            at -= 1;
            let kept = idle.get_mut(at)?;
            match kept.is_free() {
                Some(true) => return idle.remove(at).map(|it| it.wire),
                // Its answer has not ended yet.
                Some(false) if kept.since.elapsed() < END_TIMEOUT => {}
                _ => drop(idle.remove(at)),
            }
        }
        None
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    /// Lets the connection get on; whoever's `cx` it is, is woken when there is more to do.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.has_ended {
            self.has_ended = self.connection.as_mut().poll(cx).is_ready();
        }
    }

    /// Sends a request. The error is the request again if nothing of it was sent.
    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Option<Request<Full<Bytes>>>> {
        let sending = self.sender.try_send_request(request);
        tokio::pin!(sending);
        let sent = std::future::poll_fn(|cx| {
            self.drive(cx);
            // The connection is driven here and wakes this task; the rest need not do so again.
            match self.has_ended {
                true => sending.as_mut().poll(cx),
                false => sending
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop())),
            }
        });
        sent.await.map_err(|mut error| error.take_message())
    }
}

impl Idle {
    /// Whether it can be used now; `None` if never again.
    fn is_free(&mut self) -> Option<bool> {
        let mut quiet = Context::from_waker(Waker::noop());
        self.wire.drive(&mut quiet);
        while let Some(rest) = &mut self.rest {
            match Pin::new(rest).poll_frame(&mut quiet) {
                Poll::Pending => break,
                Poll::Ready(None) => self.rest = None,
                Poll::Ready(Some(frame)) => drop(frame.ok()?),
            }
            self.wire.drive(&mut quiet);
        }
        if self.wire.has_ended || self.since.elapsed() > IDLE {
            return None;
        }
        Some(self.rest.is_none() && self.wire.sender.is_ready())
    }
}

impl Exchange {
    /// The next piece of the body.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, CallError>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Exchange::next`].
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, CallError>>> {
        let Some(wire) = &mut self.wire else {
            return Poll::Ready(None);
        };
        loop {
            wire.drive(cx);
            let mut quiet = Context::from_waker(Waker::noop());
            let by = if wire.has_ended { &mut *cx } else { &mut quiet };
            match Pin::new(&mut self.body).poll_frame(by) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(_))) => {
                    self.wire = None;
                    return Poll::Ready(Some(Err(broke_off())));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }

    /// Keeps the connection for others; what is left of the answer is read by whoever takes it.
    pub(super) fn give_back(self) {
        let Some(wire) = self.wire.filter(|wire| !wire.has_ended) else {
            return;
        };
        let mut idle = self.home.inner.idle();
        if idle.len() < MAX_IDLE {
            idle.push_back(Idle {
                wire,
                rest: Some(self.body),
                since: Instant::now(),
            });
        }
    }
}

fn broke_off() -> CallError {
    CallError::Lost("the connection broke off".to_owned())
}
