//! The built browser half, inside this program.

use app::Assets;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue};
use memory_serve::{CacheControl, MemoryServe};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tower::ServiceExt;

/// What `scripts/build.sh` says of the browser half: a line with its folder, then a line for each
/// part with its name and files. Empty if it was not built, or built by `cargo leptos`.
const LIST: &str = include_str!(concat!(env!("OUT_DIR"), "/browser.txt"));

/// Serves every file under its own name and, for ever cached, under a name with its hash.
/// Gives the names for the pages as well.
pub fn assets<S: Clone + Send + Sync + 'static>() -> (Router<S>, Assets) {
    let files = files();
    let mut names = browser_half(LIST).unwrap_or_default();
    if let Some(hashed) = files.manifest().get(&names.css) {
        names.css = hashed.to_owned();
    }
    let folder = folder(LIST).map(|folder| format!("{folder}/"));
    let files = files
        .enable_gzip(false)
        .into_router()
        .layer(from_fn(zip))
        .layer(from_fn(move |req: Request, next: Next| {
            let is_lasting = folder
                .as_ref()
                .is_some_and(|folder| req.uri().path().starts_with(folder));
            keep(is_lasting, req, next)
        }));
    (files, names)
}

fn files() -> MemoryServe {
    memory_serve::load!()
        .index_file(None)
        .cache_control(CacheControl::NoCache)
        .enable_hashed_routes(true)
}

/// The files are compressed by brotli in this program. Browsers that take only gzip, as all do
/// without TLS, get them from a second copy; making it takes a quarter of a second, so that is done
/// for the first of them and not before the server is ready.
async fn zip(req: Request, next: Next) -> Response {
    static ZIPPED: OnceCell<Router> = OnceCell::const_new();
    if !takes_only_gzip(req.headers()) {
        return next.run(req).await;
    }
    let make = || async { spawn_blocking(|| files().enable_brotli(false).into_router()).await };
    match ZIPPED.get_or_try_init(make).await {
        Ok(files) => match files.clone().oneshot(req).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(error) => {
            tracing::error!(%error, "files cannot be compressed");
            next.run(req).await
        }
    }
}

fn takes_only_gzip(headers: &HeaderMap) -> bool {
    let takes = |encoding: &str| {
        let lists = headers.get_all(ACCEPT_ENCODING).into_iter();
        let mut named = lists.filter_map(|list| list.to_str().ok());
        named.any(|list| {
            let mut names = list.split(',').filter_map(|it| it.split(';').next());
            names.any(|name| name.trim().eq_ignore_ascii_case(encoding))
        })
    };
    takes("gzip") && !takes("br")
}

fn folder(list: &str) -> Option<&str> {
    list.lines().next()
}

/// The files name each other, so they keep their names and their folder has the hash.
fn browser_half(list: &str) -> Option<Assets> {
    let folder = folder(list)?;
    let file = |name: &str| format!("{folder}/{name}");
    let parts = list.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace();
        let part = words.next()?;
        Some((part.to_owned(), words.map(file).collect()))
    });
    Some(Assets {
        js: file("agentarea.js"),
        imports: vec![file("__wasm_split.js")],
        wasm: file("agentarea.wasm"),
        parts: parts.collect(),
        ..Assets::default()
    })
}

/// What has a hash in its address never changes.
async fn keep(is_lasting: bool, req: Request, next: Next) -> Response {
    let mut response = next.run(req).await;
    if is_lasting && response.status().is_success() {
        let lasting = HeaderValue::from_static("max-age=31536000, immutable");
        response.headers_mut().insert(CACHE_CONTROL, lasting);
    }
    response
}
