//! Amounts of money as people type them.

/// Micro-dollars as a person would type them.
pub fn typed(usd_micros: u64) -> String {
    let mut text = format!("{}.{:06}", usd_micros / 1_000_000, usd_micros % 1_000_000);
    while text.ends_with('0') {
        text.pop();
    }
    text.trim_end_matches('.').to_owned()
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

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, expected) in [
            ("2.50", Some(2_500_000)),
            ("$ 1,000", Some(1_000_000_000)),
            (".075", Some(75_000)),
            ("0", Some(0)),
            ("0.000001", Some(1)),
            ("0.0000001", None),
            ("-1", None),
            ("two", None),
            (".", None),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
        assert_eq!(typed(2_500_000), "2.5");
        assert_eq!(typed(10_000_000), "10");
    }
}
