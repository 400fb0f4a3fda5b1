//! Every mount point on one screen.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use app::Assets;
use app::session_cookie::SessionCookie;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, patch, post, put};
use http::StatusCode;
use mcp::gateway::GatewayService;
use metrics_exporter_prometheus::PrometheusHandle;
use services::Services;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::config::Config;
use crate::gateway::ShortWay;
use crate::guard::{Site, guard};
use crate::listener::Front;
use crate::rate_limit::RateLimit;
use crate::roles::{Role, Roles};
use crate::security_headers::SecurityHeaders;
use crate::{
    assets, client_metadata, gateway, internal, message_form, openapi, page_tasks, pages, renewal,
    request, rest, sign_in_return,
};

/// Largest body of a request.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// What a form adds to the file in it.
const FORM_BYTES: usize = 64 * 1024;
/// Longest time for an upload.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// What handlers share.
#[derive(Clone)]
pub struct AppState {
    /// The product's operations.
    pub services: Services,
    /// The session cookie's name and attributes.
    pub cookie: SessionCookie,
    /// Names of the built files.
    pub assets: Arc<Assets>,
    /// Requests a minute, per user.
    pub rate_limit: RateLimit,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Speaks the protocol of tools.
    pub gateway: GatewayService,
    /// Ends streams.
    pub stopping: CancellationToken,
}

/// All routes of the server, and the short way to one of them.
pub fn front(
    config: &Config,
    services: Services,
    metrics: PrometheusHandle,
    stopping: CancellationToken,
) -> Front {
    page_tasks::start();
    let public_url = config.public_url();
    let roles = config.roles;
    let (assets, asset_names) = assets::assets();
    let cookie = SessionCookie {
        is_secure: public_url.scheme() == "https",
    };
    let inside = roles
        .has(Role::McpManager)
        .then(|| internal::routes(services.clone(), stopping.clone()));
    let state = AppState {
        services,
        cookie,
        assets: Arc::new(asset_names),
        rate_limit: RateLimit::new(config.limits.requests_per_minute),
        metrics,
        gateway: gateway::service(&public_url, stopping.clone()),
        stopping,
    };
    let mut answers = Router::new()
        .route("/health", get(rest::health::health))
        .route("/health/db", get(rest::health::database))
        .route("/health/redis", get(rest::health::redis))
        .route("/metrics", get(rest::metrics::render));
    answers = match (roles.has(Role::Api), roles.has(Role::Web)) {
        (true, _) => answers
            .route("/docs", get(openapi::page))
            .nest("/api/v1", api(&state)),
        (false, is_web) => {
            let known = if is_web { downloads() } else { Router::new() };
            let known = known.route("/{*path}", any(rest::not_found));
            answers.nest("/api/v1", known)
        }
    };
    let (client_id, origin) = (config.client_metadata_url(), public_url.clone());
    let who_we_are = move || ready(client_metadata::show(client_id.as_ref(), &origin));
    answers = match roles.has(Role::Web) {
        true => answers
            // Server functions live beside the REST interface: /api/<name>.
            .route("/api/{*function}", post(pages::server_function))
            .route(
                "/policy-reports",
                post(rest::policy_reports::create)
                    .layer(DefaultBodyLimit::max(rest::policy_reports::MAX_BYTES)),
            )
            .route("/oauth/callback", get(sign_in_return::show))
            .route("/oauth/client-metadata.json", get(who_we_are))
            .fallback(pages::page),
        false => answers.fallback(rest::not_found),
    };
    let mut all = answers.layer(TimeoutLayer::with_status_code(
        StatusCode::GATEWAY_TIMEOUT,
        Duration::from_secs(config.limits.answer_seconds),
    ));
    // Pages follow conversations, too, and send files.
    let is_for_people = roles.has(Role::Api) || roles.has(Role::Web);
    if is_for_people {
        all = all.merge(Router::new().route(
            "/api/v1/conversations/{id}/events",
            get(rest::events::events),
        ));
    }
    if roles.has(Role::Api) {
        all = all
            .route("/mcp", any(gateway::all))
            .route("/mcp/{server}", any(gateway::one));
    }
    all = all.layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES));
    if is_for_people {
        all = all.merge(uploads(config, roles));
    }
    // `/mcp` is a route like the others, for what does not go this way.
    let short_way = roles
        .has(Role::Api)
        .then(|| ShortWay::new(state.clone(), &public_url));
    let mut all = all.with_state(state);
    if roles.has(Role::Web) {
        all = all.merge(assets);
    }
    let mut all = all
        .layer(CatchPanicLayer::custom(rest::panicked))
        .layer(from_fn_with_state(cookie, renewal::deliver))
        .layer(from_fn_with_state(Site::new(&public_url), guard));
    if let Some(inside) = inside {
        all = all.merge(inside.layer(CatchPanicLayer::custom(rest::panicked)));
    }
    let routes = all.layer(from_fn_with_state(
        SecurityHeaders::new(&public_url),
        request::identify,
    ));
    Front { routes, short_way }
}

/// What pages link to of the REST interface, for servers that have pages and not that.
fn downloads() -> Router<AppState> {
    use rest::{agents, conversations, files, usage};
    Router::new()
        .route("/agents/{id}/export", get(agents::export))
        .route("/conversations/{id}/export", get(conversations::export))
        .route("/files/{id}", get(files::get))
        .route("/usage/export", get(usage::export))
        .method_not_allowed_fallback(rest::method_not_allowed)
}

/// Routes with large bodies, which pass through in pieces.
fn uploads(config: &Config, roles: Roles) -> Router<AppState> {
    let file_bytes = usize::try_from(config.limits.file_bytes()).unwrap_or(usize::MAX);
    let mut routes = Router::new().route("/api/v1/files", post(rest::files::create));
    if roles.has(Role::Web) {
        // The message form, for browsers without scripts.
        routes = routes.route("/conversations/{id}/messages", post(message_form::post));
    }
    routes
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(
            file_bytes.saturating_add(FORM_BYTES),
        ))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            UPLOAD_TIMEOUT,
        ))
}

fn api(state: &AppState) -> Router<AppState> {
    use rest::{
        account, agents, api_keys, approvals, audit, budgets, conversations, files, invitations,
        mcp_servers, members, models, runs, usage,
    };
    Router::new()
        .route("/openapi.json", get(openapi::json))
        .route("/setup", post(account::set_up))
        .route(
            "/session",
            post(account::sign_in)
                .patch(account::switch_workspace)
                .delete(account::sign_out),
        )
        .route("/me", get(account::me).patch(account::update_profile))
        .route("/me/password", put(account::change_password))
        .route(
            "/sessions",
            get(account::list_sessions).delete(account::delete_other_sessions),
        )
        .route("/sessions/{id}", delete(account::delete_session))
        .route("/workspaces", post(account::create_workspace))
        .route("/workspaces/{id}", patch(account::update_workspace))
        .route("/members", get(members::list))
        .route(
            "/members/{id}",
            patch(members::update).delete(members::delete),
        )
        .route(
            "/invitations",
            get(invitations::list).post(invitations::create),
        )
        .route("/invitations/offer", post(invitations::find_offer))
        .route("/invitations/acceptance", post(invitations::accept))
        .route("/invitations/{id}", delete(invitations::delete))
        .route("/audit-events", get(audit::list))
        .route("/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/api-keys/{id}", delete(api_keys::delete))
        .route("/model-connections", get(models::list).post(models::create))
        .route(
            "/model-connections/{id}",
            get(models::get)
                .patch(models::update)
                .delete(models::delete),
        )
        .route("/model-connections/test", post(models::test_typed))
        .route("/model-connections/{id}/test", post(models::test))
        .route("/model-providers", get(models::list_providers))
        .route("/models", get(models::list_models))
        .route(
            "/models/{*id}",
            get(models::get_model)
                .patch(models::update_model)
                .delete(models::reset_model),
        )
        .route(
            "/mcp-servers",
            get(mcp_servers::list).post(mcp_servers::create),
        )
        .route(
            "/mcp-servers/{id}",
            get(mcp_servers::get)
                .patch(mcp_servers::update)
                .delete(mcp_servers::delete),
        )
        .route("/mcp-servers/{id}/restart", post(mcp_servers::restart))
        .route("/mcp-servers/{id}/stop", post(mcp_servers::stop))
        .route(
            "/mcp-servers/{id}/sign-in",
            post(mcp_servers::begin_sign_in).delete(mcp_servers::end_sign_in),
        )
        .route("/mcp-servers/{id}/logs", get(mcp_servers::list_logs))
        .route(
            "/mcp-servers/{id}/container",
            get(mcp_servers::get_container),
        )
        .route(
            "/mcp-catalog",
            get(mcp_servers::list_catalog).post(mcp_servers::create_catalog_entry),
        )
        .route(
            "/mcp-catalog/{key}",
            delete(mcp_servers::delete_catalog_entry),
        )
        .route("/mcp-servers/{id}/tools", get(mcp_servers::list_tools))
        .route(
            "/mcp-servers/{id}/tools/{name}/approval",
            post(mcp_servers::accept_tool),
        )
        .route("/agent-tags", get(agents::list_tags))
        .route("/agent-templates", get(agents::list_templates))
        .route("/agents", get(agents::list).post(agents::create))
        .route(
            "/agents/{id}",
            get(agents::get)
                .patch(agents::update)
                .delete(agents::delete),
        )
        .route("/agents/import", post(agents::import))
        .route(
            "/agents/{id}/draft",
            get(agents::get_draft)
                .patch(agents::update_draft)
                .delete(agents::discard_draft),
        )
        .route(
            "/agents/{id}/draft/publication",
            post(agents::publish_draft),
        )
        .route("/agents/{id}/duplicate", post(agents::duplicate))
        .route("/agents/{id}/export", get(agents::export))
        .route("/agents/{id}/changes", get(agents::list_changes))
        .route("/agents/{id}/versions", get(agents::list_versions))
        .route(
            "/agents/{id}/versions/{version}/restoration",
            post(agents::restore),
        )
        .route(
            "/conversations",
            get(conversations::list).post(conversations::create),
        )
        .route(
            "/conversations/{id}",
            get(conversations::get)
                .patch(conversations::update)
                .delete(conversations::delete),
        )
        .route(
            "/conversations/{id}/messages",
            get(conversations::list_messages).post(conversations::post_message),
        )
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}", get(approvals::get))
        .route("/approvals/{id}/decision", post(approvals::decide))
        .route("/budgets", get(budgets::list).post(budgets::create))
        .route(
            "/budgets/{id}",
            get(budgets::get)
                .patch(budgets::update)
                .delete(budgets::delete),
        )
        .route("/usage", get(usage::get))
        .route("/usage/calls", get(usage::calls))
        .route("/usage/export", get(usage::export))
        .route(
            "/conversations/{id}/messages/{message_id}/regeneration",
            post(conversations::regenerate),
        )
        .route("/conversations/{id}/files", get(conversations::list_files))
        .route("/conversations/{id}/export", get(conversations::export))
        .route("/files/{id}", get(files::get).delete(files::delete))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::get))
        .route("/runs/{id}/cancellation", post(runs::cancel))
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .layer(from_fn_with_state(state.clone(), rest::idempotency::replay))
}
