//! What one client can take: connections, time, memory.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use testkit::scripted_model::Answer as Scripted;
use testkit::{CrashableDb, ScriptedModel, TestDb, check_gapless};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Program, TestApp, client, eventually};

/// Connections that an address may open in these tests.
const LIMIT: usize = 8;

#[tokio::test]
async fn one_address_opens_so_many_connections_and_no_more() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set(
        "AGENTAREA_LIMITS__CONNECTIONS_PER_ADDRESS",
        &LIMIT.to_string(),
    );
    program.start().await;
    let address: SocketAddr = program.address.parse().expect("an address");

    let mut answered = Vec::new();
    let mut refused = 0;
    for _ in 0..3 * LIMIT {
        match ask(address).await {
            Some(connection) => answered.push(connection),
            None => refused += 1,
        }
    }
    let open = answered.len();
    drop(answered);
    let begun = Instant::now();
    while ask(address).await.is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "no place is given back"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // The start of the server itself may still hold one.
    assert!((LIMIT - 1..=LIMIT).contains(&open), "{open} connections");
    assert_eq!(refused, 3 * LIMIT - open);
}

/// Asks on a connection of its own, which stays open; `None` if it is refused.
async fn ask(address: SocketAddr) -> Option<TcpStream> {
    let mut connection = TcpStream::connect(address).await.ok()?;
    let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.ok()?;
    let mut status = [0; 12];
    connection.read_exact(&mut status).await.ok()?;
    assert_eq!(&status, b"HTTP/1.1 200");
    Some(connection)
}

#[tokio::test]
async fn answer_that_takes_too_long_is_504_in_the_one_format() {
    let db = CrashableDb::start().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_LIMITS__ANSWER_SECONDS", "3");
    let app = TestApp::on(program).await;
    let before = app.get("/agents").await;

    db.pause();
    let since = Instant::now();
    let answer = app.get("/agents").await;
    let took = since.elapsed();
    db.resume();
    let is_well = eventually(async || app.get("/agents").await.status == StatusCode::OK);
    assert!(is_well.await, "it does not recover");

    assert_eq!(before.status, StatusCode::OK);
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.body["status"], 504);
    assert_eq!(answer.body["detail"], "the answer took too long");
    let request_id = answer.headers["x-request-id"].to_str().expect("text");
    assert_eq!(answer.body["request_id"], request_id);
}

/// Workers that look at the queue at the same moments, and what a workspace may have running.
const WORKERS: usize = 3;
const RUNS: usize = 2;

#[tokio::test]
async fn workspace_has_no_more_runs_at_once_however_many_workers_look_at_one_moment() {
    let db = TestDb::create().await;
    let program = |roles: &str| {
        let mut program = Program::new(Some(db.url()));
        program.set("AGENTAREA_ROLES", roles);
        program.set("AGENTAREA_LIMITS__RUNS_PER_WORKSPACE", &RUNS.to_string());
        program
    };
    let app = TestApp::on(program("api")).await;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(app.beside(program("worker")).await);
    }
    let model = ScriptedModel::start().await;
    model.always(Scripted::numbered(4).paced(Duration::from_millis(10)));
    let agent = app.create_agent(&model).await;

    for _ in 0..6 {
        let mut conversations = Vec::new();
        for _ in 0..16 {
            conversations.push(app.create_conversation(&agent).await);
        }
        ask_all(&app, &conversations).await;
    }

    // Each running run is at its model nearly all the time.
    assert_eq!(model.most_open_streams(), RUNS);
}

#[tokio::test]
async fn workspace_has_no_more_runs_at_once_however_many_are_asked_for_at_one_moment() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_LIMITS__RUNS_PER_WORKSPACE", &RUNS.to_string());
    let app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::numbered(4).paced(Duration::from_millis(10)));
    let agent = app.create_agent(&model).await;
    let mut conversations = Vec::new();
    for _ in 0..16 {
        conversations.push(app.create_conversation(&agent).await);
    }

    // The first messages find conversations of which nothing is known, and the others such that
    // were answered here.
    for _ in 0..4 {
        ask_all(&app, &conversations).await;
    }

    assert_eq!(model.most_open_streams(), RUNS);
}

/// Asks in all conversations at one moment, and waits for all answers.
async fn ask_all(app: &TestApp, conversations: &[String]) {
    let asked = conversations.iter().map(|id| app.ask(id, "count"));
    futures::future::join_all(asked).await;
    for conversation in conversations {
        let log = app.log(conversation).await;
        assert_eq!(log.last().expect("an end").event, "run_completed");
    }
}

/// Pieces of an answer, larger together than what sockets hold.
const PIECES: usize = 128;
const PIECE_BYTES: usize = 60 * 1024;
/// When those who do not read must be gone, and how much more memory they may cost meanwhile than
/// the same answer does without them.
const CLOSED_WITHIN: Duration = Duration::from_secs(20);
const MEMORY_KIB: u64 = 384 * 1024;
/// How many do not read. An answer kept for each of them would be 480 MiB.
const ASLEEP: usize = 64;

#[tokio::test]
async fn reader_who_stops_reading_a_stream_is_dropped_and_delays_nobody() {
    let mut app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let pieces = (0..PIECES).map(|n| format!("{n:>PIECE_BYTES$}")).collect();
    model.always(Scripted::of(pieces).paced(Duration::from_millis(10)));
    let agent = app.create_agent(&model).await;
    let undisturbed = app.create_conversation(&agent).await;
    app.ask(&undisturbed, "tell me everything").await;
    check_gapless(&app.log(&undisturbed).await).expect("no gap");
    let conversation = app.create_conversation(&agent).await;
    let path = format!("/api/v1/conversations/{conversation}/events");
    let mut asleep = Vec::new();
    for _ in 0..ASLEEP {
        asleep.push(open_stream(&app, &path).await);
    }
    let resident = resident_kib(app.program().id());

    app.ask(&conversation, "tell me everything").await;
    let begun = Instant::now();
    let log = app.log(&conversation).await;
    let told = begun.elapsed();
    let grown = resident_kib(app.program().id()).saturating_sub(resident);
    for stream in &asleep {
        while stream.take_error().expect("the socket").is_none() {
            assert!(begun.elapsed() < told + CLOSED_WITHIN, "still open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    println!(
        "told in {told:?}, all closed after {:?}, {grown} KiB",
        begun.elapsed()
    );

    check_gapless(&log).expect("no gap");
    assert_eq!(log.last().expect("events").event, "run_completed");
    assert!(begun.elapsed() > Duration::from_secs(5), "nobody was slow");
    assert!(grown < MEMORY_KIB, "{grown} KiB");
    let health = client().get(app.url("/health")).send().await;
    assert_eq!(health.expect("an answer").status(), StatusCode::OK);
}

/// Opens a stream that nobody reads.
async fn open_stream(app: &TestApp, path: &str) -> TcpStream {
    let address: SocketAddr = app.origin()[7..].parse().expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(address).await.expect("connect");
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\r\n",
        app.key
    );
    stream.write_all(request.as_bytes()).await.expect("asked");
    stream
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}
