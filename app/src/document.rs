//! The HTML document around the app.

use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::App;
use crate::context::cookie;
use crate::layout::{NAV, THEME};

/// Addresses of the built files, which the server may have hashed.
#[derive(Clone, Debug)]
pub struct Assets {
    /// Style sheet.
    pub css: String,
    /// JavaScript of the browser half.
    pub js: String,
    /// WebAssembly of the browser half.
    pub wasm: String,
}

impl Default for Assets {
    /// What `cargo leptos` writes.
    fn default() -> Self {
        Self {
            css: "/pkg/agentarea.css".to_owned(),
            js: "/pkg/agentarea.js".to_owned(),
            wasm: "/pkg/agentarea.wasm".to_owned(),
        }
    }
}

/// The whole document. Theme and sidebar come from cookies, so that nothing flashes.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let assets = use_context::<Assets>().unwrap_or_default();
    let theme = preference(THEME, &["light", "dark"]);
    let nav = preference(NAV, &["rail"]);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme data-nav=nav>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="stylesheet" href=assets.css.clone() />
                <AutoReload options=options />
                <Hydration assets=assets />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// Leptos makes elements of HTML texts, and answers come as HTML that the server has sanitised; so
/// these may. No text becomes a script or the address of one: that has no policy.
const TRUSTED_TYPES: &str = "window.trustedTypes?.createPolicy('default', { createHTML: (html) => html });";

#[component]
fn Hydration(assets: Assets) -> impl IntoView {
    let nonce = use_nonce();
    // `{:?}` of a path of ours is a JavaScript string as well.
    let script = format!(
        "import({:?}).then((m) => m.default({{ module_or_path: {:?} }}).then(() => m.hydrate()));",
        assets.js, assets.wasm
    );
    view! {
        <script nonce=nonce.clone()>{TRUSTED_TYPES}</script>
        <link rel="modulepreload" href=assets.js nonce=nonce.clone() />
        <link
            rel="preload"
            href=assets.wasm
            r#as="fetch"
            r#type="application/wasm"
            crossorigin="anonymous"
        />
        <script type="module" nonce=nonce>
            {script}
        </script>
    }
}

fn preference(name: &str, allowed: &[&'static str]) -> Option<&'static str> {
    let value = cookie(name)?;
    allowed.iter().copied().find(|allowed| *allowed == value)
}
