//! The listener, and what it has seen.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::answer::Answer;
use super::dialect::Dialect;
use super::http::{Connection, Request};
use super::reply::{self, After};

/// The models that `GET /models` lists.
pub const MODELS: [&str; 2] = ["scripted-large", "scripted-small"];

/// Longest wait for something that should happen; past it the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request for a completion, as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The path, with what follows it.
    pub path: String,
    /// The body; `Null` if it was no JSON.
    pub body: Value,
    /// Names in lower case, values as sent.
    pub headers: Vec<(String, String)>,
}

/// A model server on a free loopback port. Dropping it ends it and its connections.
///
/// Without a script every answer is the text `ok`.
#[derive(Debug)]
pub struct ScriptedModel {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    script: Mutex<Script>,
    request_count: watch::Sender<usize>,
    open_streams: watch::Sender<usize>,
    most_open_streams: AtomicUsize,
}

#[derive(Debug)]
struct Script {
    always: Answer,
    next: VecDeque<Answer>,
    next_for: HashMap<String, VecDeque<Answer>>,
    seen: Vec<Seen>,
    refuses: Option<fn(&Seen) -> Option<u16>>,
}

impl ScriptedModel {
    /// Starts the server.
    ///
    /// # Panics
    /// If no loopback port is free.
    pub async fn start() -> Self {
        Self::start_at(0).await
    }

    /// Starts the server at a port of this machine.
    ///
    /// # Panics
    /// If the port is not free.
    pub async fn start_at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .expect("the loopback port is free");
        let address = listener.local_addr().expect("a bound socket has a name");
        let shared = Arc::new(Shared {
            script: Mutex::new(Script {
                always: Answer::text("ok"),
                next: VecDeque::new(),
                next_for: HashMap::new(),
                seen: Vec::new(),
                refuses: None,
            }),
            request_count: watch::Sender::new(0),
            open_streams: watch::Sender::new(0),
            most_open_streams: AtomicUsize::new(0),
        });
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            acceptor,
        }
    }

    /// Address for a model connection; ends in `/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Address for connections whose paths bring their own version: Anthropic's and Gemini's.
    pub fn root_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `host:port`, as allow-lists want it.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Gives this answer to every request that no queued answer takes.
    pub fn always(&self, answer: Answer) {
        self.shared.script().always = answer;
    }

    /// Refuses requests with the status that this gives, whatever the script says.
    pub fn refuse(&self, refuses: fn(&Seen) -> Option<u16>) {
        self.shared.script().refuses = Some(refuses);
    }

    /// Queues an answer for one request.
    pub fn next(&self, answer: Answer) {
        self.shared.script().next.push_back(answer);
    }

    /// Queues an answer for one request that asks for this model.
    pub fn next_for(&self, model: &str, answer: Answer) {
        let mut script = self.shared.script();
        let queue = script.next_for.entry(model.to_owned()).or_default();
        queue.push_back(answer);
    }

    /// Bodies of the completion requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Value> {
        let script = self.shared.script();
        script.seen.iter().map(|seen| seen.body.clone()).collect()
    }

    /// The completion requests so far with their headers, in order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.script().seen.clone()
    }

    /// Number of completion requests so far.
    pub fn request_count(&self) -> usize {
        *self.shared.request_count.borrow()
    }

    /// Number of completion requests being answered now.
    pub fn open_streams(&self) -> usize {
        *self.shared.open_streams.borrow()
    }

    /// Waits until at least `count` completion requests have come.
    ///
    /// # Panics
    /// After 30 s.
    pub async fn wait_for_requests(&self, count: usize) {
        wait(&self.shared.request_count, "requests", |n| n >= count).await;
    }

    /// Most requests that were ever being answered at once.
    pub fn most_open_streams(&self) -> usize {
        self.shared.most_open_streams.load(Ordering::Relaxed)
    }

    /// Waits until exactly `count` requests are being answered; 0 proves that a client hung up.
    ///
    /// # Panics
    /// After 30 s.
    pub async fn wait_for_open_streams(&self, count: usize) {
        wait(&self.shared.open_streams, "open streams", |n| n == count).await;
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl Seen {
    /// The value of a header, asked for in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request and takes its answer, in one step so that both keep the same order.
    fn take_answer(&self, request: &Request, body: Value) -> Answer {
        let mut script = self.script();
        let model = body["model"].as_str().unwrap_or_default().to_owned();
        let seen = Seen {
            path: request.path.clone(),
            body,
            headers: request.headers.clone(),
        };
        let refused = script.refuses.and_then(|refuses| refuses(&seen));
        script.seen.push(seen);
        if let Some(status) = refused {
            return Answer::status(status);
        }
        let of_model = script.next_for.get_mut(&model);
        let next = of_model.and_then(VecDeque::pop_front);
        next.or_else(|| script.next.pop_front())
            .unwrap_or_else(|| script.always.clone())
    }
}

async fn wait(counter: &watch::Sender<usize>, what: &str, is_reached: impl Fn(usize) -> bool) {
    let mut counter = counter.subscribe();
    let reached = counter.wait_for(|n| is_reached(*n));
    if tokio::time::timeout(PATIENCE, reached).await.is_err() {
        panic!(
            "{what} of the scripted model stayed at {}",
            *counter.borrow()
        );
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Owns the connections, so that they end with the server.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A client that hangs up is no fault of the test.
            let _ended = serve(stream, &shared).await;
        });
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection::new(stream);
    while let Some(request) = connection.read_request().await? {
        let path = request.path.split('?').next().unwrap_or_default();
        let after = match (request.method.as_str(), path) {
            ("POST", path) if Dialect::of(path).is_some() => {
                let dialect = Dialect::of(path).unwrap_or(Dialect::Chat);
                complete(&mut connection, &request, dialect, shared).await?
            }
            ("GET", path) if path.ends_with("/models") => {
                // Gemini's list beside the others': each client reads its own.
                let models = MODELS.map(|id| json!({"id": id, "object": "model"}));
                let named = MODELS.map(|id| json!({"name": format!("models/{id}")}));
                let list = json!({"object": "list", "data": models, "models": named});
                reply::send_json(&mut connection, &Answer::text(""), &list).await?
            }
            _ => {
                let nothing = json!({"error": {"message": "no such path"}});
                reply::send_json(&mut connection, &Answer::status(404), &nothing).await?
            }
        };
        if matches!(after, After::Close) {
            break;
        }
    }
    Ok(())
}

async fn complete(
    connection: &mut Connection,
    request: &Request,
    dialect: Dialect,
    shared: &Shared,
) -> std::io::Result<After> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let answer = shared.take_answer(request, body.clone());
    shared.open_streams.send_modify(|n| {
        *n += 1;
        shared.most_open_streams.fetch_max(*n, Ordering::Relaxed);
    });
    let _open = OpenStream(shared);
    shared.request_count.send_modify(|n| *n += 1);
    reply::send(connection, &answer, dialect, &body).await
}

/// Counts a stream as open while it lives, whichever way it ends.
struct OpenStream<'a>(&'a Shared);

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        self.0.open_streams.send_modify(|n| *n -= 1);
    }
}
