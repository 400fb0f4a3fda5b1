//! The browser half: wakes the server-rendered page. Never grows.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// Called by the page's script once the module is loaded; ends when the page is awake.
///
/// # Errors
/// If the code of the page cannot be loaded; the page then works as without script.
#[wasm_bindgen]
pub async fn hydrate() -> Result<(), JsValue> {
    console_error_panic_hook::set_once();
    let loaded = app::load_first().await;
    loaded.map_err(|error| JsValue::from_str(&error.to_string()))?;
    leptos::mount::hydrate_body(app::App);
    wasm_bindgen_futures::spawn_local(app::load_rest());
    Ok(())
}
