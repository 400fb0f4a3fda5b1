//! The dashboard: server-rendered pages and their server functions.

use std::sync::{Arc, LazyLock};

use app::context::{CurrentEntrance, CurrentPlatform};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::Error;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY,
    LOCATION,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::{provide_context, use_context};
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;
use leptos_axum::ResponseOptions;

use crate::authentication::{authenticate, client};
use crate::page_tasks::Panicked;
use crate::problem::Problem;
use crate::router::{AppState, MAX_BODY_BYTES};

/// Renders a page for whoever asks.
pub async fn page(State(state): State<AppState>, req: Request) -> Response {
    if !matches!(*req.method(), Method::GET | Method::HEAD) {
        let detail = "nothing can be sent to this address".to_owned();
        return Problem::Http(StatusCode::METHOD_NOT_ALLOWED, detail).into_response();
    }
    let (parts, body) = req.into_parts();
    let visitor = match visitor(&state, &parts).await {
        Ok(visitor) => visitor,
        Err(error) => return Problem::from(error).into_response(),
    };
    let req = Request::from_parts(parts, body);
    let names = app::Assets::clone(&state.assets);
    let panicked = Panicked::default();
    let context = panicked.clone();
    let render = leptos_axum::render_app_async_with_context(
        move || {
            visitor.provide();
            provide_context(context.clone());
            provide_context(names.clone());
            protect_page();
        },
        || app::shell(options()),
    );
    let rendered = tokio::select! {
        rendered = render(req) => rendered,
        () = panicked.happened() => {
            let fault = anyhow::anyhow!("panic in a task of a page");
            Problem::from(services::internal(&fault)).into_response()
        }
    };
    let mut response = private(rendered);
    if response.headers().contains_key(LOCATION) && response.status() == StatusCode::OK {
        // Leptos leaves the status to its own client when a page is not asked for as HTML.
        *response.status_mut() = StatusCode::FOUND;
    }
    response
}

/// Answers a server function. They belong to the pages; programs with a key have `/api/v1`.
pub async fn server_function(State(state): State<AppState>, req: Request<Body>) -> Response {
    let (parts, body) = req.into_parts();
    if parts.headers.contains_key(AUTHORIZATION) {
        return Problem::from(Error::Unauthenticated).into_response();
    }
    let visitor = match visitor(&state, &parts).await {
        Ok(visitor) => visitor,
        Err(error) => return Problem::from(error).into_response(),
    };
    let req = Request::from_parts(parts, body);
    let answer = leptos_axum::handle_server_fns_with_context(move || visitor.provide(), req).await;
    private(with_status(answer.into_response()).await)
}

/// Leptos answers every failed function with 500; the status says what it was.
async fn with_status(response: Response) -> Response {
    let has_failed = response.status() == StatusCode::INTERNAL_SERVER_ERROR
        && response.headers().contains_key(SERVER_FN_ERROR_HEADER);
    if !has_failed {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if let Ok(error) = serde_json::from_slice::<Error>(&body) {
        parts.status = Problem::from(error).status();
    }
    Response::from_parts(parts, Body::from(body))
}

/// What pages and server functions find in their context.
#[derive(Clone)]
struct Visitor {
    platform: CurrentPlatform,
    entrance: CurrentEntrance,
    cookie: app::session_cookie::SessionCookie,
}

impl Visitor {
    fn provide(&self) {
        provide_context(self.platform.clone());
        provide_context(self.entrance.clone());
        provide_context(self.cookie);
    }
}

async fn visitor(state: &AppState, parts: &Parts) -> Result<Visitor, Error> {
    let platform = match authenticate(parts, state).await {
        Ok(session) => CurrentPlatform(Some(Arc::new(session))),
        Err(Error::Unauthenticated) => CurrentPlatform(None),
        Err(error) => return Err(error),
    };
    Ok(Visitor {
        platform,
        entrance: CurrentEntrance(Arc::new(
            state.services.entrance(client(parts, state.cookie)),
        )),
        cookie: state.cookie,
    })
}

/// Where browsers report to, by the name that policies use.
const REPORTING_ENDPOINTS: HeaderName = HeaderName::from_static("reporting-endpoints");
const ENDPOINTS: HeaderValue = HeaderValue::from_static("policy=\"/policy-reports\"");
/// Text that becomes a script is reported, not yet refused. Text that becomes HTML passes through
/// the page's own policy (`app/src/document.rs`).
const TRUSTED_TYPES: HeaderValue = HeaderValue::from_static(
    "require-trusted-types-for 'script'; trusted-types default; report-to policy",
);

/// Only scripts with this answer's nonce run, and nothing is loaded from elsewhere.
fn protect_page() {
    let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else {
        return;
    };
    let reload = reload_source();
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; \
         style-src 'self' 'nonce-{nonce}'; img-src 'self' blob:; font-src 'self'; \
         connect-src 'self'{reload}; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'; report-to policy"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(CONTENT_SECURITY_POLICY, policy);
    }
    response.insert_header(CONTENT_SECURITY_POLICY_REPORT_ONLY, TRUSTED_TYPES);
    response.insert_header(REPORTING_ENDPOINTS, ENDPOINTS);
}

/// Where pages hear from `cargo leptos watch` that they are to be loaded again; nowhere without it.
fn reload_source() -> &'static str {
    static SOURCE: LazyLock<String> = LazyLock::new(|| match std::env::var("LEPTOS_WATCH") {
        Ok(_) => format!(" ws://*:{}", options().reload_port),
        Err(_) => String::new(),
    });
    &SOURCE
}

/// What Leptos is told of the site.
fn options() -> LeptosOptions {
    LeptosOptions::builder().output_name("agentarea").build()
}

/// Pages show what one person may see: no cache in between keeps them.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
    );
    response
}
