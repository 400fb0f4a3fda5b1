//! Finished texts, rendered once and remembered by their content.

use std::sync::Arc;

use bytes::Bytes;
use domain::MessageId;
use domain::events::HtmlBlock;
use moka::sync::Cache;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::Blocks;
use super::render::{Code, render};

/// Bytes of HTML remembered in all.
const MAX_CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// What an entry weighs besides its HTML, roughly.
const OVERHEAD_BYTES: usize = 128;
/// Text rendered on the spot; more goes to a thread of its own.
const QUICK_BYTES: usize = 16 * 1024;

/// Renders Markdown and remembers the result. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Markdown {
    cache: Cache<[u8; 32], Arc<str>>,
}

impl Markdown {
    pub(crate) fn new() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_CACHE_BYTES)
            .weigher(|_, html: &Arc<str>| {
                u32::try_from(html.len() + OVERHEAD_BYTES).unwrap_or(u32::MAX)
            })
            .build();
        Self { cache }
    }

    /// HTML of finished texts.
    pub(crate) async fn render_all(&self, texts: Vec<&str>) -> Vec<Arc<str>> {
        let keys: Vec<[u8; 32]> = texts.iter().map(|text| key(text)).collect();
        let mut found: Vec<Option<Arc<str>>> = keys.iter().map(|key| self.cache.get(key)).collect();
        let missing = || {
            let both = texts.iter().zip(&found);
            both.filter_map(|(text, html)| html.is_none().then_some(*text))
        };
        let rendered = match missing().map(str::len).sum::<usize>() {
            0 => Vec::new(),
            bytes if bytes <= QUICK_BYTES => missing().map(whole).collect(),
            _ => {
                let texts: Vec<String> = missing().map(str::to_owned).collect();
                let work = move || texts.iter().map(|text| whole(text)).collect();
                tokio::task::spawn_blocking(work)
                    .await
                    .unwrap_or_else(|_| Vec::new())
            }
        };
        let mut rendered = rendered.into_iter();
        for (key, html) in keys.iter().zip(&mut found) {
            if html.is_none() {
                *html = rendered.next();
                if let Some(html) = html {
                    self.cache.insert(*key, html.clone());
                }
            }
        }
        // A text that defeats the renderer is not shown rather than shown wrongly.
        found.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// The frame that shows a finished message.
    pub(crate) async fn frame(&self, message_id: MessageId, text: &str) -> Bytes {
        let html = self.render_all(vec![text]).await;
        let html = html.first().map(|html| html.to_string());
        frame(&HtmlBlock {
            message_id,
            block: 0,
            html: html.unwrap_or_default(),
            is_whole: true,
        })
    }
}

/// HTML of a text that is still being written, as its page begins with it.
pub(crate) fn unfinished(text: &str) -> String {
    let mut blocks = Blocks::default();
    let finished = blocks.advance(text);
    let mut html: String = finished
        .iter()
        .map(|block| boxed(&render(block, Code::Highlighted)))
        .collect();
    html.push_str(&boxed(&render(&blocks.open(text), Code::Plain)));
    html
}

pub(super) fn frame(live: &HtmlBlock) -> Bytes {
    let json = serde_json::to_string(live).expect("plain data");
    format!("event: html_live\ndata: {json}\n\n").into()
}

fn whole(text: &str) -> Arc<str> {
    let html = match json_as_code(text) {
        Some(code) => render(&code, Code::Highlighted),
        None => render(text, Code::Highlighted),
    };
    boxed(&html).into()
}

/// The Markdown that shows an answer in JSON as code; `None` if it is something else.
fn json_as_code(text: &str) -> Option<String> {
    let json = text.trim();
    if !json.starts_with(['{', '[']) || serde_json::from_str::<IgnoredAny>(json).is_err() {
        return None;
    }
    let longest = json.split(|c| c != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or_default().max(2) + 1);
    Some(format!("{fence}json\n{json}\n{fence}"))
}

/// Every block stands in an element of its own, so that it can be replaced.
fn boxed(html: &str) -> String {
    format!(r#"<div class="md-block">{html}</div>"#)
}

fn key(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
