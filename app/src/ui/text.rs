//! Words and numbers in the interface's form.

/// First letter upper case, full stop at the end: an error as a sentence.
pub fn sentence(text: &str) -> String {
    let mut sentence = capitalized(text.trim());
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// First letter upper case.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// `text`, or `fallback` if it is empty.
pub fn or<'a>(text: &'a str, fallback: &'a str) -> &'a str {
    if text.is_empty() { fallback } else { text }
}

/// `1204` as `1,204`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Micro-dollars as `$0.084`; `–` for nothing.
pub fn price(usd_micros: u64) -> String {
    match usd_micros {
        0 => "–".to_owned(),
        micros => format!("${}.{:03}", micros / 1_000_000, micros % 1_000_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_reads_as_a_sentence() {
        assert_eq!(sentence("sign in first"), "Sign in first.");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_204_000), "1,204,000");
    }
}
