//! Changes are accepted from own pages and with keys, and from nowhere else.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::inputs;

use super::headers::between;
use crate::support::{TestApp, client, sign_in};

const ROUTER: &str = include_str!("../../../src/router.rs");

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
