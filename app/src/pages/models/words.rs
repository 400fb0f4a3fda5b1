//! Prices and abilities in words.

use domain::models::{Model, Price};

use crate::ui::grouped;

/// Micro-dollars for a million tokens as `$3.00`, `$0.075`.
pub fn dollars(usd_micros: u64) -> String {
    let whole = usd_micros / 1_000_000;
    let mut fraction = format!("{:06}", usd_micros % 1_000_000);
    while fraction.len() > 2 && fraction.ends_with('0') {
        fraction.pop();
    }
    format!("${}.{fraction}", grouped(whole))
}

/// What reading and writing a million tokens costs; `None` if nobody knows.
pub fn prices(model: &Model) -> Option<(String, String)> {
    let Price {
        input_usd_micros,
        output_usd_micros,
        ..
    } = model.facts.price?;
    let words = |price| match price {
        0 => "free".to_owned(),
        price => dollars(price),
    };
    Some((words(input_usd_micros), words(output_usd_micros)))
}

/// A number of tokens as `200 k` or `1 M`, rounded down.
pub fn tokens(count: u32) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{} k", count / 1_000),
        _ => {
            let tenths = count / 100_000;
            match tenths % 10 {
                0 => format!("{} M", tenths / 10),
                tenth => format!("{}.{tenth} M", tenths / 10),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_two_digits_or_as_many_as_they_need() {
        assert_eq!(dollars(3_000_000), "$3.00");
        assert_eq!(dollars(75_000), "$0.075");
        assert_eq!(dollars(1), "$0.000001");
        assert_eq!(dollars(1_250_500_000), "$1,250.50");
    }

    #[test]
    fn tokens_are_short() {
        assert_eq!(tokens(512), "512");
        assert_eq!(tokens(131_072), "131 k");
        assert_eq!(tokens(1_048_576), "1 M");
        assert_eq!(tokens(1_250_000), "1.2 M");
    }
}
