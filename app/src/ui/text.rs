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

/// Dollars as typed, in micro-dollars; exact, and `None` if it is no amount.
#[cfg(feature = "ssr")]
pub fn micros(text: &str) -> Option<u64> {
    let text = text.trim().trim_start_matches('$').trim().replace(',', "");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 6 {
        return None;
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction)
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
