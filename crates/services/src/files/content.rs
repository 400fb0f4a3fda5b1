//! What a file is, told by its bytes alone. The name only tells text types from each other, and
//! what the client declares counts for nothing.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::MAX_TEXT_CHARS;

/// Bytes looked at for signatures.
const HEAD_BYTES: usize = 16;
/// Bytes of text kept: what [`MAX_TEXT_CHARS`] can be at most.
const MAX_TEXT_BYTES: usize = MAX_TEXT_CHARS * 4;

pub(super) const PDF: &str = "application/pdf";
const UNKNOWN: &str = "application/octet-stream";

/// What is found out while a content passes by.
#[derive(Default)]
pub(super) struct Content {
    size_bytes: u64,
    hash: Sha256,
    head: Vec<u8>,
    text: TextCheck,
}

/// The result.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) media_type: &'static str,
    pub(super) size_bytes: u64,
    pub(super) sha256: [u8; 32],
    /// What it says, if it is text; cut to what agents read.
    pub(super) text: Option<String>,
}

impl Content {
    pub(super) fn add(&mut self, bytes: &Bytes) {
        self.size_bytes += bytes.len() as u64;
        self.hash.update(bytes);
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
        self.text.add(bytes);
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(super) fn finish(self, name: &str) -> Findings {
        let signed = by_signature(&self.head);
        let text = match signed {
            None => self.text.finish(),
            Some(_) => None,
        };
        let media_type = match (signed, &text) {
            (Some(media_type), _) => media_type,
            (None, Some(_)) => text_type(name),
            (None, None) => UNKNOWN,
        };
        Findings {
            media_type,
            size_bytes: self.size_bytes,
            sha256: self.hash.finalize().into(),
            text: text.map(|text| cut(&text)),
        }
    }
}

fn by_signature(head: &[u8]) -> Option<&'static str> {
    let is_webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
    match head {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        _ if is_webp => Some("image/webp"),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(PDF),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some("application/zip"),
        [0x1f, 0x8b, ..] => Some("application/gzip"),
        _ => None,
    }
}

/// Markup of any kind is plain text, so that no browser ever renders it.
fn text_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "md" | "markdown" => "text/markdown",
        "csv" => "text/csv",
        "json" => "application/json",
        _ => "text/plain",
    }
}

/// The beginning that agents read.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

/// Whether bytes are UTF-8 without control characters, and how they begin.
#[derive(Default)]
struct TextCheck {
    is_binary: bool,
    /// The beginning of a character whose end has not come.
    partial: Vec<u8>,
    kept: String,
}

impl TextCheck {
    fn add(&mut self, bytes: &[u8]) {
        if self.is_binary {
            return;
        }
        let joined;
        let bytes = match self.partial.is_empty() {
            true => bytes,
            false => {
                joined = [&self.partial, bytes].concat();
                &joined
            }
        };
        let (text, rest) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, &[][..]),
            Err(error) if error.error_len().is_none() => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).unwrap_or_default(), rest)
            }
            Err(_) => return self.give_up(),
        };
        if text.chars().any(is_binary) {
            return self.give_up();
        }
        let room = MAX_TEXT_BYTES.saturating_sub(self.kept.len());
        self.kept.push_str(&text[..text.floor_char_boundary(room)]);
        self.partial = rest.to_vec();
    }

    fn give_up(&mut self) {
        *self = Self {
            is_binary: true,
            ..Self::default()
        };
    }

    fn finish(self) -> Option<String> {
        let is_text = !self.is_binary && self.partial.is_empty();
        is_text.then(|| {
            self.kept
                .strip_prefix('\u{feff}')
                .map(str::to_owned)
                .unwrap_or(self.kept)
        })
    }
}

fn is_binary(c: char) -> bool {
    c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, chunks: &[&[u8]]) -> Findings {
        let mut content = Content::default();
        for chunk in chunks {
            content.add(&Bytes::copy_from_slice(chunk));
        }
        content.finish(name)
    }

    #[test]
    fn bytes_say_what_a_file_is_and_its_name_does_not() {
        for (name, content, media_type) in [
            (
                "a.html",
                &b"<html><script>alert(1)</script>"[..],
                "text/plain",
            ),
            ("a.svg", b"<svg onload='alert(1)'/>", "text/plain"),
            ("a.png", b"no image", "text/plain"),
            ("a.txt", b"\x89PNG\r\n\x1a\n...", "image/png"),
            ("a.gif", b"GIF89a...", "image/gif"),
            ("a.jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
            ("a", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            ("a.txt", b"%PDF-1.7\n", "application/pdf"),
            ("report.docx", b"PK\x03\x04...", "application/zip"),
            ("a.MD", b"# Title", "text/markdown"),
            ("a.csv", b"a,b\n1,2\n", "text/csv"),
            ("a.json", b"{}", "application/json"),
            ("a.txt", b"a\0b", "application/octet-stream"),
            ("a.txt", b"caf\xe9", "application/octet-stream"),
            ("empty", b"", "text/plain"),
        ] {
            assert_eq!(findings(name, &[content]).media_type, media_type, "{name}");
        }
    }

    #[test]
    fn characters_may_be_split_between_chunks() {
        let text = "Größe: 12 €\n".as_bytes();

        let chunks: Vec<&[u8]> = text.chunks(1).collect();
        let found = findings("a.txt", &chunks);
        let broken = findings("a.txt", &[&text[..text.len() - 2]]);

        assert_eq!(found.text.as_deref(), Some("Größe: 12 €\n"));
        assert_eq!(found.size_bytes, text.len() as u64);
        assert_eq!(broken.text, None);
    }

    #[test]
    fn only_the_beginning_of_a_long_text_is_kept() {
        let long = "é".repeat(300_000);

        let found = findings("a.txt", &[long.as_bytes(), long.as_bytes()]);

        let text = found.text.expect("a text");
        assert_eq!(text.chars().count(), MAX_TEXT_CHARS);
        assert_eq!(found.size_bytes, 1_200_000);
    }
}
