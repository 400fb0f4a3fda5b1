//! Arithmetic.

use super::expression::{Value, evaluate};

/// Longest expression.
pub(super) const MAX_CHARS: usize = 500;
/// Digits that a fraction is given with; more would show the rounding of binary fractions.
const DIGITS: usize = 15;
/// From here on a fraction's digits before the point are rounded, too.
const ROUNDED_FROM: f64 = 1e15;
/// Below this a fraction is easier to read with an exponent.
const TINY: f64 = 1e-6;

/// The value of an expression.
///
/// # Errors
/// If it cannot be read or has no value.
pub(super) fn work_out(expression: &str) -> Result<String, String> {
    if expression.chars().count() > MAX_CHARS {
        return Err(format!(
            "the expression has more than {MAX_CHARS} characters"
        ));
    }
    match evaluate(expression)? {
        Value::Whole(value) => Ok(value.to_string()),
        Value::Real(value) if value.is_finite() => Ok(shown(value)),
        Value::Real(_) => {
            Err("the expression has no finite value; is there a division by zero?".to_owned())
        }
    }
}

fn shown(value: f64) -> String {
    let rounded: f64 = format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value);
    if rounded == 0.0 {
        return "0".to_owned();
    }
    match rounded.abs() {
        TINY..ROUNDED_FROM => rounded.to_string(),
        _ => format!("{rounded:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_right_and_readable() {
        for (expression, value) in [
            ("1+2*3", "7"),
            ("0.1 + 0.2", "0.3"),
            ("2**10", "1024"),
            ("(1.5 + 2) * 3 ^ 2", "31.5"),
            ("sqrt(2)", "1.4142135623731"),
            ("1/3", "0.333333333333333"),
            ("6 / 3", "2"),
            ("12345 * 6789", "83810205"),
            ("7 × 6 ÷ 2 − 1", "20"),
            ("17 % 5", "2"),
            ("5.5 % 2", "1.5"),
            ("-7 % 3", "-1"),
            ("-2^2", "-4"),
            ("(-2)^2", "4"),
            ("2^3^2", "512"),
            ("2^-1", "0.5"),
            ("2 * -3", "-6"),
            ("--3", "3"),
            ("1e3 + .5", "1000.5"),
            ("2.5E-2", "0.025"),
            ("123456789123456789 + 1", "123456789123456790"),
            ("99999999999 * 99999999999", "9999999999800000000001"),
            ("2^120", "1329227995784915872903807060280344576"),
            ("2^200", "1.60693804425899e60"),
            ("10 / 4", "2.5"),
            ("1e-9", "1e-9"),
            ("max(3, 9, 4) - min(2, 1)", "8"),
            ("round(2.5) + floor(-0.5) + ceil(0.2) + abs(-4)", "7"),
            ("ln(e) + log10(1000) + log2(8)", "7"),
            ("cos(0) + sin(pi)", "1"),
            ("2*π", "6.28318530717959"),
        ] {
            assert_eq!(work_out(expression).as_deref(), Ok(value), "{expression}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        for expression in [
            "1/0",
            "1 % 0",
            "1 +",
            "x + 1",
            "",
            "(((1",
            "1)",
            "1e400",
            "1 2",
            "2 3 +",
            "sqrt()",
            "sqrt(1, 2)",
            "1,000",
            "sqrt(-1)",
            "1..2",
        ] {
            assert!(work_out(expression).is_err(), "{expression}");
        }
        assert!(work_out(&"(".repeat(MAX_CHARS)).is_err());
        assert!(work_out(&"-".repeat(MAX_CHARS)).is_err());
    }
}
