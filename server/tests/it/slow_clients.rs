//! L4: clients who stall hold nobody up and are got rid of.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::support::{TestApp, client, median};

/// Slow clients of each of the three kinds.
const EACH: usize = 167;
/// When the last of them must be gone.
const PATIENCE: Duration = Duration::from_secs(15);
/// When a connection that nobody asks anything on must be gone.
const IDLE: Duration = Duration::from_secs(140);
/// How long proxies in front keep one.
const PROXIES: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slowness {
    Headers,
    Body,
    Reading,
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_slow_clients_are_closed_and_hold_nobody_up() {
    let app = TestApp::start().await;
    let file = large_file(&app).await;
    let address: SocketAddr = app.origin()[7..].parse().expect("an address");
    let calm = usual_p95(&app, 3).await;

    let mut clients = JoinSet::new();
    for slowness in [Slowness::Headers, Slowness::Body, Slowness::Reading] {
        for _ in 0..EACH {
            let file = file.clone();
            clients.spawn(async move { (slowness, be_slow(slowness, address, &file).await) });
        }
    }
    let honest = tokio::spawn(send_slowly_but_steadily(address));
    let busy = usual_p95(&app, 9).await;
    let mut longest = [Duration::ZERO; 3];
    while let Some(done) = clients.join_next().await {
        let (slowness, lasted) = done.expect("no panic");
        let longest = &mut longest[slowness as usize];
        *longest = (*longest).max(lasted);
    }
    let honest = honest.await.expect("no panic");
    let after = usual_p95(&app, 3).await;

    println!("p95 {calm:?}, with slow clients {busy:?}, after {after:?}; closed after {longest:?}");
    for lasted in longest {
        assert!(
            lasted > Duration::from_secs(5),
            "not slow at all: {longest:?}"
        );
        assert!(lasted <= PATIENCE, "closed too late: {longest:?}");
    }
    // Before and after, since other work on the machine comes and goes.
    let allowed = (calm.max(after) * 2).max(Duration::from_millis(50));
    assert!(busy <= allowed, "p95 went from {calm:?} to {busy:?}");
    assert!(honest.starts_with("HTTP/1.1 401"), "cut off: {honest:?}");
}

/// Proxies in front keep connections for minutes and send on them what people ask next.
#[tokio::test]
async fn connection_is_kept_between_requests_but_not_before_the_first() {
    let app = TestApp::start().await;
    let address = &app.origin()[7..];
    let request = format!("GET /favicon.svg HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let mut kept = TcpStream::connect(address).await.expect("connect");
    ask_on(&mut kept, &request).await;
    let mut silent = TcpStream::connect(address).await.expect("connect");
    let started = Instant::now();

    let ended = tokio::time::timeout(PATIENCE, silent.read(&mut [0; 1])).await;

    assert!(
        matches!(ended, Ok(Ok(0) | Err(_))),
        "still open or answered: {ended:?}"
    );
    assert!(started.elapsed() > Duration::from_secs(5));
    ask_on(&mut kept, &request).await;
}

#[tokio::test]
async fn connection_that_is_idle_after_a_request_is_closed() {
    let app = TestApp::start().await;
    let address = &app.origin()[7..];
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let request = format!("GET /favicon.svg HTTP/1.1\r\nhost: {address}\r\n\r\n");
    ask_on(&mut stream, &request).await;
    let started = Instant::now();

    let ended = tokio::time::timeout(IDLE, stream.read(&mut [0; 1])).await;

    assert!(
        matches!(ended, Ok(Ok(0) | Err(_))),
        "still open or answered: {ended:?}"
    );
    assert!(started.elapsed() > PROXIES, "closed before any proxy would");
}

/// Sends a request and reads its answer.
async fn ask_on(stream: &mut TcpStream, request: &str) {
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut answer = Vec::new();
    while !answer.ends_with(b"</svg>\n") && !answer.ends_with(b"</svg>") {
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer)).await;
        let read = read.expect("an answer in time").expect("an answer");
        assert!(read > 0, "closed after {answer:?}");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

/// Stays slow until the server has had enough; gives how long it took.
async fn be_slow(slowness: Slowness, address: SocketAddr, file: &str) -> Duration {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(address).await.expect("connect");
    let started = Instant::now();
    let begin = match slowness {
        Slowness::Headers => format!("GET /sign-in HTTP/1.1\r\nhost: {address}\r\nx-slow: "),
        Slowness::Body => format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n{{"
        ),
        Slowness::Reading => format!("GET {file} HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(40),
    };
    stream.write_all(begin.as_bytes()).await.expect("begun");
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    for ticks in 0.. {
        tick.tick().await;
        assert!(
            started.elapsed() < 2 * PATIENCE,
            "{slowness:?} was not closed"
        );
        let is_closed = match slowness {
            // What was sent before stays unread, so a reset shows only as the socket's error.
            Slowness::Reading => stream.take_error().expect("the socket").is_some(),
            _ if ticks % 5 == 0 && stream.write_all(b"x").await.is_err() => true,
            _ => match stream.try_read(&mut [0; 1024]) {
                Ok(read) => read == 0,
                Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
            },
        };
        if is_closed {
            break;
        }
    }
    started.elapsed()
}

/// Sends a body of 1 MB at 64 KB/s, which takes longer than a stalled one is waited for.
async fn send_slowly_but_steadily(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let (chunk, chunks) = (vec![b' '; 16 * 1024], 60);
    let credentials = br#"{"email": "nobody@example.com", "password": "wrong password"}"#;
    let length = chunk.len() * chunks + credentials.len();
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    for _ in 0..chunks {
        tick.tick().await;
        stream.write_all(&chunk).await.expect("sent");
    }
    stream.write_all(credentials).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// What of so many seconds is usual as the 95th percentile of four people's requests.
async fn usual_p95(app: &TestApp, seconds: usize) -> Duration {
    let mut each = Vec::new();
    for _ in 0..seconds {
        each.push(p95(app, Duration::from_secs(1)).await);
    }
    median(each)
}

async fn p95(app: &TestApp, time: Duration) -> Duration {
    let mut people = JoinSet::new();
    for _ in 0..4 {
        let (url, key) = (app.url("/api/v1/me"), app.key.clone());
        people.spawn(async move {
            let (client, started) = (client(), Instant::now());
            let mut times = Vec::new();
            while started.elapsed() < time {
                let asked = Instant::now();
                let answer = client.get(&url).bearer_auth(&key).send().await;
                let answer = answer.expect("an answer");
                assert!(answer.status().is_success());
                answer.bytes().await.expect("a body");
                times.push(asked.elapsed());
            }
            times
        });
    }
    let mut times = people.join_all().await.concat();
    times.sort();
    times[times.len() * 95 / 100]
}

/// Address of the built WASM, the largest file there is.
async fn large_file(app: &TestApp) -> String {
    let html = app.client.get(app.url("/sign-in")).send().await;
    let html = html.expect("an answer").text().await.expect("text");
    let end = html.find(".wasm").expect("a WASM file") + ".wasm".len();
    let start = html[..end].rfind("/pkg/").expect("its folder");
    html[start..end].to_owned()
}
