//! The HTML document around the app.

use http::request::Parts;
use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::App;
use crate::context::cookie;
use crate::layout::{NAV, THEME};
use crate::parts::Part;

/// Addresses of the built files, which the server may have hashed.
#[derive(Clone, Debug)]
pub struct Assets {
    /// Style sheet.
    pub css: String,
    /// JavaScript of the browser half; the files beside it are found by their names.
    pub js: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// Main WebAssembly of the browser half.
    pub wasm: String,
    /// Names of its parts, each with the addresses of its files.
    pub parts: Vec<(String, Vec<String>)>,
}

impl Default for Assets {
    /// What `cargo leptos` writes.
    fn default() -> Self {
        Self {
            css: "/pkg/agentarea.css".to_owned(),
            js: "/pkg/agentarea.js".to_owned(),
            imports: Vec::new(),
            wasm: "/pkg/agentarea.wasm".to_owned(),
            parts: Vec::new(),
        }
    }
}

impl Assets {
    /// All the WebAssembly that the page at a path needs.
    fn needed_at(&self, path: &str) -> Vec<String> {
        let name = Part::of(path).name();
        let part = self.parts.iter().find(|(part, _)| part == name);
        let files = part.map(|(_, files)| files.as_slice()).unwrap_or_default();
        [&self.wasm].into_iter().chain(files).cloned().collect()
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
const TRUSTED_TYPES: &str =
    "window.trustedTypes?.createPolicy('default', { createHTML: (html) => html });";

#[component]
fn Hydration(assets: Assets) -> impl IntoView {
    let nonce = use_nonce();
    // `{:?}` of a path of ours is a JavaScript string as well.
    let script = format!(
        "import({:?}).then((m) => m.default({{ module_or_path: {:?} }}).then(() => m.hydrate()))\
         .then(() => performance.mark(\"hydrated\"));",
        assets.js, assets.wasm
    );
    let path = use_context::<Parts>().map(|parts| parts.uri.path().to_owned());
    let preloads = assets.needed_at(&path.unwrap_or_default());
    let preloads = preloads.into_iter().map(|href| {
        view! {
            <link
                rel="preload"
                href=href
                r#as="fetch"
                r#type="application/wasm"
                crossorigin="anonymous"
            />
        }
    });
    let imports = [assets.js].into_iter().chain(assets.imports).map(|href| {
        view! { <link rel="modulepreload" href=href nonce=nonce.clone() /> }
    });
    view! {
        <script nonce=nonce.clone()>{TRUSTED_TYPES}</script>
        {imports.collect_view()}
        {preloads.collect_view()}
        <script type="module" nonce=nonce>
            {script}
        </script>
    }
}

fn preference(name: &str, allowed: &[&'static str]) -> Option<&'static str> {
    let value = cookie(name)?;
    allowed.iter().copied().find(|allowed| *allowed == value)
}
