//! Reads the web through the guarded client.

use outbound::{Fetched, Outbound};
use url::Url;

/// Bytes read of one answer.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Columns that pages are set in as text.
const COLUMNS: usize = 100;

/// The text behind an address.
///
/// # Errors
/// If the address is refused, does not answer or has no text, in words for the model.
pub(super) async fn fetch(outbound: &Outbound, address: &str) -> Result<String, String> {
    let url = Url::parse(address.trim()).map_err(|error| format!("this is no address: {error}"))?;
    let fetched = outbound.fetch(url, MAX_BYTES).await;
    let fetched = fetched.map_err(|error| error.to_string())?;
    let text = text(&fetched)?;
    if !fetched.status.is_success() {
        let start: String = text.trim().chars().take(500).collect();
        return Err(format!("the server answered {}: {start}", fetched.status));
    }
    let note = match fetched.is_cut {
        true => format!("\n\n[only the first {} MiB were read]", MAX_BYTES >> 20),
        false => String::new(),
    };
    Ok(format!("{}\n\n{text}{note}", fetched.url))
}

fn text(fetched: &Fetched) -> Result<String, String> {
    let media_type = fetched.media_type.as_str();
    if media_type.contains("html") {
        return html2text::from_read(&fetched.body[..], COLUMNS)
            .map_err(|_| "the page cannot be read as text".to_owned());
    }
    let is_text = media_type.is_empty()
        || media_type.starts_with("text/")
        || ["json", "xml", "javascript", "yaml", "csv"]
            .iter()
            .any(|kind| media_type.contains(kind));
    match is_text {
        true => Ok(String::from_utf8_lossy(&fetched.body).into_owned()),
        false => Err(format!("this is no text but {media_type}")),
    }
}
