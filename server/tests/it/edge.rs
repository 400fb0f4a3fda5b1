//! What is refused before any handler sees it, and what every answer carries.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::{TestDb, inputs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Program, TestApp, client, sign_in};

const ROUTER: &str = include_str!("../../src/router.rs");
const FORM: &str = "application/x-www-form-urlencoded";

/// B13: a page of another site can make a browser send a cookie, and nothing comes of it.
#[tokio::test]
async fn no_change_with_a_cookie_is_accepted_from_elsewhere() {
    let app = TestApp::start().await;
    let cookie = sign_in(&app, inputs::ADA).await;
    let before = state(&app).await;
    let mut targets = mutating_routes();
    let routes = targets.len();
    targets.extend(server_functions(&app, &cookie).await);
    assert!(routes >= 14, "the router was not understood: {targets:?}");
    assert!(
        targets.len() >= routes + 2,
        "no server functions: {targets:?}"
    );

    let own = app.origin();
    let port = own.rsplit(':').next().expect("a port").to_owned();
    let json_type = ("content-type", "application/json".to_owned());
    let origin = |value: &str| vec![json_type.clone(), ("origin", value.to_owned())];
    let fetch = |site: &str| {
        vec![
            json_type.clone(),
            ("origin", own.clone()),
            ("sec-fetch-site", site.to_owned()),
        ]
    };
    let variants = [
        vec![json_type.clone()],
        vec![],
        vec![("content-type", "text/plain".to_owned())],
        vec![("content-type", FORM.to_owned())],
        vec![("content-type", "multipart/form-data; boundary=x".to_owned())],
        origin("null"),
        origin(""),
        origin("https://evil.example"),
        origin(&format!("http://evil.localhost:{port}")),
        origin(&format!("http://evil.127.0.0.1:{port}")),
        origin(&format!("{own}.evil.example")),
        origin(&format!("https://127.0.0.1:{port}")),
        origin("http://127.0.0.1:1"),
        origin(&format!("{own}/")),
        fetch("cross-site"),
        fetch("same-site"),
        fetch("none"),
        [
            origin(&own),
            vec![("origin", "https://evil.example".to_owned())],
        ]
        .concat(),
    ];
    // A page's form has the path of its REST route, which can be read.
    let readable: Vec<String> = targets
        .iter()
        .filter(|(_, _, can_get)| *can_get)
        .map(|(_, path, _)| path.clone())
        .collect();
    let mut sent = 0;
    for (method, path, _) in &targets {
        for headers in &variants {
            let status = send(&app, method.clone(), path, &cookie, headers).await;
            sent += 1;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path} {headers:?}");
        }
        let get = send(&app, Method::GET, path, &cookie, &[]).await;
        assert!(
            get == StatusCode::METHOD_NOT_ALLOWED
                || (readable.contains(path) && !get.is_server_error()),
            "GET {path}: {get}"
        );
    }
    let own_page = vec![
        ("origin", own.clone()),
        ("content-type", "text/plain".to_owned()),
    ];
    let plain = send(&app, Method::POST, "/api/v1/api-keys", &cookie, &own_page).await;
    assert_eq!(plain, StatusCode::UNSUPPORTED_MEDIA_TYPE);

    println!("{sent} requests to {} targets", targets.len());
    assert_eq!(state(&app).await, before);
    let still_here = client().get(app.url("/api/v1/me")).header("cookie", cookie);
    let still_here = still_here.send().await.expect("an answer").status();
    assert_eq!(still_here, StatusCode::OK);
}

#[tokio::test]
async fn changes_from_own_pages_and_with_keys_are_accepted() {
    let app = TestApp::start().await;
    let cookie = sign_in(&app, inputs::ADA).await;
    let port = app.origin().rsplit(':').next().expect("a port").to_owned();
    let change = |headers: Vec<(&'static str, String)>| {
        let mut change = client().post(app.url("/api/v1/api-keys"));
        for (name, value) in headers {
            change = change.header(name, value);
        }
        let change = change.json(&json!({"name": "mine"})).send();
        async move { change.await.expect("an answer").status() }
    };

    let by_cookie = ("cookie", cookie.clone());
    for own in [
        ("origin", app.origin()),
        ("origin", format!("http://localhost:{port}")),
        ("sec-fetch-site", "same-origin".to_owned()),
    ] {
        let status = change(vec![by_cookie.clone(), own.clone()]).await;
        assert_eq!(status, StatusCode::CREATED, "{own:?}");
    }
    let key = ("authorization", format!("Bearer {}", app.key));
    let foreign = ("origin", "https://evil.example".to_owned());
    let with_key = change(vec![key.clone(), foreign.clone()]).await;
    let with_both = change(vec![key, by_cookie.clone()]).await;
    let with_basic = change(vec![
        ("authorization", "Basic YTpi".to_owned()),
        by_cookie,
        foreign,
    ])
    .await;

    assert_eq!(with_key, StatusCode::CREATED);
    assert_eq!(with_both, StatusCode::CREATED);
    assert_eq!(with_basic, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn foreign_page_cannot_sign_its_visitors_in() {
    let app = TestApp::start().await;
    let sign_in = |headers: Vec<(&'static str, String)>| {
        let mut sign_in = client().post(app.url("/api/v1/session"));
        for (name, value) in headers {
            sign_in = sign_in.header(name, value);
        }
        let sign_in = sign_in.json(&inputs::sign_in(inputs::ADA)).send();
        async move { sign_in.await.expect("an answer") }
    };

    for foreign in [
        ("origin", "null".to_owned()),
        ("origin", "https://evil.example".to_owned()),
        ("sec-fetch-site", "cross-site".to_owned()),
        ("sec-fetch-site", "same-site".to_owned()),
    ] {
        let answer = sign_in(vec![foreign.clone()]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{foreign:?}");
        assert!(!answer.headers().contains_key("set-cookie"));
    }
    let program = sign_in(vec![]).await.status();
    let own_page = sign_in(vec![("origin", app.origin())]).await.status();
    let set_up = client().post(app.url("/api/v1/setup"));
    let set_up = set_up.header("origin", "https://evil.example");
    let set_up = set_up.json(&inputs::set_up()).send().await;

    assert_eq!(program, StatusCode::CREATED);
    assert_eq!(own_page, StatusCode::CREATED);
    assert_eq!(set_up.expect("an answer").status(), StatusCode::FORBIDDEN);
}

/// B14: other names are refused, and what proxies are said to have seen changes nothing.
#[tokio::test]
async fn fifty_spellings_of_a_host_lead_nowhere() {
    let app = TestApp::start().await;
    let host = app.origin().trim_start_matches("http://").to_owned();
    let port = host.rsplit(':').next().expect("a port").to_owned();
    let body = inputs::sign_in(inputs::ADA).to_string();
    let post = |extra: &str| {
        format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: {host}\r\n{extra}content-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\n{headers}connection: close\r\n\r\n")
    };

    let mut count = 0;
    let names = [
        "evil.example".to_owned(),
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("evil.example:{port}"),
        format!("{host}."),
        format!("127.0.0.1.:{port}"),
        format!("localhost.:{port}"),
        format!("evil.{host}"),
        format!("{host}.evil.example"),
        format!("{host}@evil.example"),
        format!("evil.example@{host}"),
        format!("user:word@{host}"),
        format!("{host}#evil.example"),
        format!("{host}/evil.example"),
        format!("{host}?evil.example"),
        format!("{host}\\evil.example"),
        format!("{host},evil.example"),
        format!("{host} evil.example"),
        format!("{host};evil.example"),
        format!("{host}:80"),
        format!("{host}0"),
        format!("0{host}"),
        format!("127.0.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f.1:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[::]:{port}"),
        format!("lоcalhost:{port}"),
        format!("localhost\u{ff0e}:{port}"),
        format!("１２７.0.0.1:{port}"),
        format!("{host}%00"),
        format!("http://{host}"),
        String::new(),
    ];
    for name in &names {
        let answer = raw(
            &app,
            get("/sign-in", &format!("host: {name}\r\n")).as_bytes(),
        )
        .await;
        assert_refused(&answer, name);
        count += 1;
    }
    let own = format!("host: {host}\r\n");
    for (target, headers) in [
        ("/sign-in", String::new()),
        ("/sign-in", format!("{own}{own}")),
        ("/sign-in", format!("{own}host: evil.example\r\n")),
        ("/sign-in", format!("host: evil.example\r\n{own}")),
        ("http://evil.example/sign-in", own.clone()),
        ("http://evil.example/api/v1/me", own.clone()),
        ("https://evil.example:443/", own.clone()),
        (&*format!("http://user@{host}/sign-in"), own.clone()),
        (&*format!("http://{host}@evil.example/sign-in"), own.clone()),
        (
            &*format!("http://{host}/sign-in"),
            "host: evil.example\r\n".to_owned(),
        ),
        (&*format!("http://{host}.evil.example/"), own.clone()),
        ("http://evil.example/health/../sign-in", own.clone()),
        ("/health/../sign-in", "host: evil.example\r\n".to_owned()),
        ("/health/x", "host: evil.example\r\n".to_owned()),
    ] {
        let answer = raw(&app, get(target, &headers).as_bytes()).await;
        assert_refused(&answer, &format!("{target} {headers}"));
        count += 1;
    }
    for extra in [
        "x-forwarded-host: evil.example\r\n",
        "x-forwarded-host: evil.example\r\nx-forwarded-proto: https\r\n",
        "x-forwarded-proto: https\r\nx-forwarded-port: 443\r\n",
        "x-forwarded-server: evil.example\r\nx-host: evil.example\r\n",
        "forwarded: for=6.6.6.6;host=evil.example;proto=https\r\n",
        "x-original-url: /evil.example\r\nx-rewrite-url: /evil.example\r\n",
        "x-forwarded-prefix: //evil.example\r\n",
        "x-forwarded-for: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\n",
    ] {
        let headers = format!("{own}{extra}");
        let home = raw(&app, get("/", &headers).as_bytes()).await;
        let page = raw(&app, get("/sign-in?next=/agents", &headers).as_bytes()).await;
        let signed_in = raw(&app, post(extra).as_bytes()).await;

        let location = header(&home, "location").expect("a redirect");
        assert!(
            location.starts_with('/') && !location.starts_with("//"),
            "{location}"
        );
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        let cookie = header(&signed_in, "set-cookie").expect("a cookie");
        assert!(
            cookie.starts_with("agentarea=") && !cookie.contains("Secure"),
            "{extra}"
        );
        for answer in [home, page, signed_in] {
            assert!(!answer.contains("evil"), "{extra}: {answer}");
            assert!(!answer.contains("6.6.6.6"), "{extra}: {answer}");
            assert!(!answer.to_lowercase().contains("strict-transport-security"));
        }
        count += 1;
    }

    assert!(count >= 50, "{count}");
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let app = TestApp::start().await;
    let cookie = sign_in(&app, inputs::ADA).await;
    let stranger = client();
    let html = stranger.get(app.url("/sign-in")).send().await;
    let html = html.expect("an answer").text().await.expect("text");
    let script = between(&html, "\"/pkg/", "\"").expect("a built file");
    let key = |request: reqwest::RequestBuilder| request.bearer_auth(&app.key);
    let get = |path: &str| stranger.get(app.url(path));

    for (name, request) in [
        ("page", get("/sign-in")),
        ("redirect", get("/")),
        ("private page", get("/agents").header("cookie", &cookie)),
        ("no page", get("/nowhere")),
        ("answer", key(get("/api/v1/me"))),
        (
            "created",
            key(stranger.post(app.url("/api/v1/api-keys"))).json(&json!({"name": "x"})),
        ),
        ("missing", key(get("/api/v1/nothing"))),
        ("unauthenticated", get("/api/v1/me")),
        ("wrong method", key(stranger.put(app.url("/api/v1/me")))),
        (
            "wrong type",
            key(stranger.post(app.url("/api/v1/agents"))).body("x"),
        ),
        (
            "refused",
            stranger
                .post(app.url("/api/v1/agents"))
                .header("cookie", &cookie),
        ),
        ("other host", get("/").header("host", "evil.example")),
        (
            "too large",
            key(stranger.post(app.url("/api/v1/agents"))).body(vec![b' '; 3 << 20]),
        ),
        ("health", get("/health")),
        ("metrics", get("/metrics")),
        ("no function", stranger.post(app.url("/api/nothing"))),
        ("built file", get(&format!("/pkg/{script}"))),
        ("picture", get("/favicon.svg")),
    ] {
        let answer = request.send().await.expect("an answer");
        let headers = answer.headers();
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(headers[header], value, "{name}: {header}");
        }
        assert!(!headers.contains_key("strict-transport-security"), "{name}");
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'"), "{name}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{name}: {policy}"
        );
        let is_file = matches!(name, "built file" | "picture");
        assert_eq!(headers["cache-control"] == "no-store", !is_file, "{name}");
        assert!(headers.contains_key("x-request-id"), "{name}");
    }
}

#[tokio::test]
async fn https_site_stays_on_https() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_PUBLIC_URL", "https://agents.example.com");
    program.start().await;

    let answer = client().get(program.url("/sign-in"));
    let answer = answer.header("host", "agents.example.com").send().await;
    let by_address = client().get(program.url("/sign-in")).send().await;

    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert!(answer.headers().contains_key("strict-transport-security"));
    let by_address = by_address.expect("an answer").status();
    assert_eq!(by_address, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn what_is_too_large_is_told_in_the_one_format() {
    let app = TestApp::start().await;
    let host = app.origin().trim_start_matches("http://").to_owned();
    let big = client()
        .post(app.url("/api/v1/agents"))
        .bearer_auth(&app.key);
    let big = big.header("content-type", "application/json");

    let big = big.body(vec![b' '; 3 << 20]).send().await;
    let big = Answer::read(big.expect("an answer")).await;
    let filler = "x".repeat(70 * 1024);
    let headers = format!("GET /health HTTP/1.1\r\nhost: {host}\r\nx-filler: {filler}\r\n\r\n");
    let headers = raw(&app, headers.as_bytes()).await;
    let filler = "x".repeat(60 * 1024);
    let fits = format!(
        "GET /health HTTP/1.1\r\nhost: {host}\r\nx-filler: {filler}\r\nconnection: close\r\n\r\n"
    );
    let fits = raw(&app, fits.as_bytes()).await;

    assert_eq!(big.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(big.headers["content-type"], "application/problem+json");
    assert_eq!(big.body["status"], 413);
    assert_eq!(
        big.body["request_id"],
        big.headers["x-request-id"].to_str().expect("text")
    );
    assert!(headers.starts_with("HTTP/1.1 431"), "{headers}");
    assert!(fits.starts_with("HTTP/1.1 200"), "{fits}");
}

#[tokio::test]
async fn trusted_proxies_must_be_addresses() {
    for (value, is_fine) in [
        ("10.0.0.0/8, ::1", true),
        ("", true),
        ("proxy.example", false),
    ] {
        let mut program = Program::new(Some("postgres://nobody@127.0.0.1:1/none".to_owned()));
        program.set("AGENTAREA_SERVER__TRUSTED_PROXIES", value);

        let output = program.command(&["serve", "--check"]).output();

        let output = output.expect("run serve");
        let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert_eq!(output.status.success(), is_fine, "{value}: {told}");
        assert_eq!(told.contains("trusted_proxies"), !is_fine, "{told}");
    }
}

/// Every route of the router that changes something, with ids that name nothing; and whether it can
/// be read as well.
fn mutating_routes() -> Vec<(Method, String, bool)> {
    let mut routes = Vec::new();
    for piece in ROUTER.split(".route(").skip(1) {
        let piece = piece.split(".fallback").next().expect("a piece");
        let path = between(piece, "\"", "\"").expect("a path");
        // Reports change nothing; see policy.rs.
        if path.contains("{*") || path == "/policy-reports" {
            continue;
        }
        let handlers = piece.split_once(&format!("\"{path}\"")).expect("a path").1;
        let path = match path.starts_with("/api/") {
            true => path.to_owned(),
            false => format!("/api/v1{path}"),
        };
        let path = path.replace("{version}", "1");
        let path = fill(&path, &uuid::Uuid::nil().to_string());
        for (name, method) in [
            ("post(", Method::POST),
            ("put(", Method::PUT),
            ("patch(", Method::PATCH),
            ("delete(", Method::DELETE),
        ] {
            if handlers.contains(name) {
                routes.push((method, path.clone(), handlers.contains("get(")));
            }
        }
    }
    routes
}

/// Puts an id in place of every `{name}`.
fn fill(path: &str, id: &str) -> String {
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| match segment.starts_with('{') {
            true => id,
            false => segment,
        })
        .collect();
    segments.join("/")
}

/// Server functions that the pages' forms post to.
async fn server_functions(app: &TestApp, cookie: &str) -> Vec<(Method, String, bool)> {
    let mut functions = BTreeSet::new();
    for page in ["/", "/sign-in", "/agents/new", "/models", "/conversations"] {
        for cookie in ["", cookie] {
            let html = client().get(app.url(page)).header("cookie", cookie);
            let html = html.send().await.expect("an answer").text().await;
            for piece in html.expect("text").split("action=\"/api/").skip(1) {
                let name = piece.split('"').next().expect("a name");
                functions.insert(format!("/api/{name}"));
            }
        }
    }
    functions
        .into_iter()
        .map(|path| (Method::POST, path, false))
        .collect()
}

async fn send(
    app: &TestApp,
    method: Method,
    path: &str,
    cookie: &str,
    headers: &[(&str, String)],
) -> StatusCode {
    let mut req = app.client.request(method.clone(), app.url(path));
    req = req.header("cookie", cookie);
    for (name, value) in headers {
        req = req.header(*name, value);
    }
    if method != Method::GET {
        req = req.body("{}");
    }
    req.send().await.expect("an answer").status()
}

/// What Ada's workspace consists of.
async fn state(app: &TestApp) -> Vec<String> {
    let mut state = Vec::new();
    for path in [
        "/agents",
        "/api-keys",
        "/conversations",
        "/model-connections",
        "/runs",
    ] {
        let mut body = app.get(path).await.body;
        for item in body["items"].as_array_mut().into_iter().flatten() {
            item.as_object_mut().map(|item| item.remove("last_used_at"));
        }
        state.push(body.to_string());
    }
    state
}

fn assert_refused(answer: &str, name: &str) {
    let is_refused = answer.starts_with("HTTP/1.1 421") || answer.starts_with("HTTP/1.1 400");
    assert!(is_refused, "{name:?}: {answer}");
    assert!(!answer.contains("evil"), "{name:?}: {answer}");
}

/// Sends bytes; gives everything that comes back until the server closes.
async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let address = app.origin().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer));
    let _ = read.await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end)?.0)
}
