//! The built browser half, inside this program.

use app::Assets;
use axum::Router;
use memory_serve::CacheControl;

/// Serves every file under its own name and, for ever cached, under a name with its hash.
/// Gives the names for the pages as well.
pub fn assets<S: Clone + Send + Sync + 'static>() -> (Router<S>, Assets) {
    let files = memory_serve::load!()
        .index_file(None)
        .cache_control(CacheControl::NoCache)
        .enable_hashed_routes(true);
    let manifest = files.manifest();
    let hashed = |plain: &str| manifest.get(plain).unwrap_or(plain).to_owned();
    let names = Assets {
        css: hashed("/pkg/agentarea.css"),
        js: hashed("/pkg/agentarea.js"),
        wasm: hashed("/pkg/agentarea.wasm"),
    };
    (files.into_router(), names)
}
