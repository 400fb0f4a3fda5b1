//! Arithmetic.

/// Longest expression.
pub(super) const MAX_CHARS: usize = 500;
/// Digits that a result is given with; more would show the rounding of binary fractions.
const DIGITS: usize = 15;

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
    let expression = expression
        .replace("**", "^")
        .replace('×', "*")
        .replace('÷', "/");
    let value: f64 = exmex::eval_str(&expression)
        .map_err(|error| format!("the expression cannot be read: {error}"))?;
    if !value.is_finite() {
        return Err("the expression has no finite value; is there a division by zero?".to_owned());
    }
    Ok(shown(value))
}

fn shown(value: f64) -> String {
    let rounded: f64 = format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value);
    match rounded == 0.0 {
        true => "0".to_owned(),
        false => rounded.to_string(),
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
            ("-2^2", "4"),
            ("12345 * 6789", "83810205"),
        ] {
            let shown = work_out(expression).expect(expression);
            assert!(shown.starts_with(value), "{expression} = {shown}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        for expression in ["1/0", "1 +", "x + 1", "", "(((1", "1e400"] {
            assert!(work_out(expression).is_err(), "{expression}");
        }
    }
}
