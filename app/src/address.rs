//! Addresses inside the dashboard.

use std::fmt::Write;

/// The sign-in page that leads back to `next`.
pub fn sign_in_path(next: &str) -> String {
    if next == "/" || next.is_empty() {
        return "/sign-in".to_owned();
    }
    format!("/sign-in?next={}", encode(next))
}

/// `text` as a value in a query.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// `next` if it is a page of ours, else the home page.
pub fn local_path(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.chars().all(|c| c.is_ascii_graphic());
    if is_local { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_address_leads_home() {
        for next in [
            "https://evil.example",
            "//evil.example",
            "/\\evil",
            "",
            "/a\nb",
        ] {
            assert_eq!(local_path(next), "/", "{next:?}");
        }
    }

    #[test]
    fn query_survives_the_sign_in() {
        assert_eq!(
            sign_in_path("/runs?after=a&b"),
            "/sign-in?next=/runs%3Fafter%3Da%26b"
        );
    }
}
