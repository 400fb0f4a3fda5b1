//! What a secret looks like when a program writes it down in other letters.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// A secret as it is, and as JSON, base64 and percent-encoding write it; some twice.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    forms.extend(quoted(secret));
    forms.extend(percent(secret));
    forms.extend(base64(secret.as_bytes()));
    forms
}

/// As JSON writes it, with what writers differ in: slashes, and what is not ASCII.
fn quoted(secret: &str) -> [String; 3] {
    let quoted = serde_json::to_string(secret).unwrap_or_default();
    let inner = quoted.get(1..quoted.len().saturating_sub(1));
    let inner = inner.unwrap_or_default().to_owned();
    let plain = inner.chars().fold(String::new(), |mut text, c| {
        match c.is_ascii() {
            true => text.push(c),
            false => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        text
    });
    let slashed = inner.replace('/', "\\/");
    [inner, plain, slashed]
}

/// As addresses and forms write it: with more or fewer letters left as they are, hexadecimal digits
/// of both sizes, and blanks as `+`.
fn percent(secret: &str) -> Vec<String> {
    let encode = |also: &[u8], is_upper: bool| {
        secret.bytes().fold(String::new(), |mut text, byte| {
            match byte {
                byte if byte.is_ascii_alphanumeric() || also.contains(&byte) => {
                    text.push(char::from(byte));
                }
                byte if is_upper => text.push_str(&format!("%{byte:02X}")),
                byte => text.push_str(&format!("%{byte:02x}")),
            }
            text
        })
    };
    let mut forms = Vec::new();
    for also in [&b"-._~"[..], b"-._*", b"-._~!'()*", b"-._~!'()*;,/?:@&=+$#"] {
        for is_upper in [true, false] {
            let form = encode(also, is_upper);
            forms.push(form.replace("%20", "+"));
            forms.push(form);
        }
    }
    forms
}

/// Alone, and the letters that it fills wherever it stands in a longer text, such as a name and a
/// password with a colon between them.
fn base64(secret: &[u8]) -> Vec<String> {
    let mut forms = vec![
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
    ];
    for before in 0..3 {
        let mut text = vec![0; before];
        text.extend_from_slice(secret);
        let first = (before * 8).div_ceil(6);
        let end = text.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            forms.extend(encoded.get(first..end).map(str::to_owned));
        }
    }
    forms
}
