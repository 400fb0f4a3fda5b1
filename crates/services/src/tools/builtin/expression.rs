//! Reads and works out expressions of arithmetic. Whole numbers stay exact as long as they fit.

use std::iter::Peekable;
use std::str::Chars;

/// What an expression comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// An exact whole number.
    Whole(i128),
    /// Any other.
    Real(f64),
}

/// ```text
/// sum     = product { ("+" | "-") product }
/// product = signed { ("*" | "/" | "%") signed }
/// signed  = ("-" | "+") signed | power
/// power   = atom [ "^" signed ]
/// atom    = number | constant | function "(" sum { "," sum } ")" | "(" sum ")"
/// ```
struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
}

/// The value of an expression.
///
/// # Errors
/// What cannot be read of it.
pub(super) fn evaluate(expression: &str) -> Result<Value, String> {
    let expression = expression.replace("**", "^");
    let mut reader = Reader {
        rest: expression.chars().peekable(),
    };
    let value = reader.sum()?;
    match reader.peek() {
        None => Ok(value),
        Some(other) => Err(format!("there is a “{other}” where an operator should be")),
    }
}

impl Reader<'_> {
    /// The next character that is no blank.
    fn peek(&mut self) -> Option<char> {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        self.rest.peek().copied()
    }

    /// Takes the next character if it is one of these.
    fn take(&mut self, wanted: &[char]) -> Option<char> {
        let next = self.peek()?;
        self.rest.next_if(|_| wanted.contains(&next))
    }

    fn sum(&mut self) -> Result<Value, String> {
        let mut value = self.product()?;
        while let Some(operator) = self.take(&['+', '-', '−']) {
            let other = self.product()?;
            value = match operator {
                '+' => value.with(other, i128::checked_add, |a, b| a + b),
                _ => value.with(other, i128::checked_sub, |a, b| a - b),
            };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<Value, String> {
        let mut value = self.signed()?;
        while let Some(operator) = self.take(&['*', '×', '·', '/', '÷', '%']) {
            let other = self.signed()?;
            value = match operator {
                '/' | '÷' => value.with(other, divide_exactly, |a, b| a / b),
                '%' => value.with(other, i128::checked_rem, |a, b| a % b),
                _ => value.with(other, i128::checked_mul, |a, b| a * b),
            };
        }
        Ok(value)
    }

    fn signed(&mut self) -> Result<Value, String> {
        match self.take(&['-', '−', '+']) {
            None => self.power(),
            Some('+') => self.signed(),
            Some(_) => {
                let value = self.signed()?;
                Ok(Value::Whole(0).with(value, i128::checked_sub, |_, b| -b))
            }
        }
    }

    fn power(&mut self) -> Result<Value, String> {
        let base = self.atom()?;
        if self.take(&['^']).is_none() {
            return Ok(base);
        }
        let exponent = self.signed()?;
        let exactly = |base: i128, exponent: i128| base.checked_pow(exponent.try_into().ok()?);
        Ok(base.with(exponent, exactly, f64::powf))
    }

    fn atom(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some('(') => {
                self.rest.next();
                let value = self.sum()?;
                self.close()?;
                Ok(value)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_alphabetic() => self.named(),
            Some(other) => Err(format!("there is a “{other}” where a number should be")),
            None => Err("the expression ends where a number should be".to_owned()),
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let mut text = String::new();
        let is_part = |c: &char| c.is_ascii_digit() || *c == '.';
        while let Some(c) = self.rest.next_if(is_part) {
            text.push(c);
        }
        let mut ahead = self.rest.clone();
        if ahead.next_if(|c| matches!(c, 'e' | 'E')).is_some() {
            let sign = ahead.next_if(|c| matches!(c, '+' | '-'));
            if ahead.peek().is_some_and(char::is_ascii_digit) {
                text.push('e');
                text.extend(sign);
                while let Some(c) = ahead.next_if(char::is_ascii_digit) {
                    text.push(c);
                }
                self.rest = ahead;
            }
        }
        if let Ok(whole) = text.parse() {
            return Ok(Value::Whole(whole));
        }
        let real = text.parse().map(Value::Real);
        real.map_err(|_| format!("“{text}” is no number"))
    }

    fn named(&mut self) -> Result<Value, String> {
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric()) {
            name.extend(c.to_lowercase());
        }
        match name.as_str() {
            "pi" | "π" => return Ok(Value::Real(std::f64::consts::PI)),
            "tau" | "τ" => return Ok(Value::Real(std::f64::consts::TAU)),
            "e" => return Ok(Value::Real(std::f64::consts::E)),
            _ => {}
        }
        if self.take(&['(']).is_none() {
            return Err(format!("“{name}” is not known"));
        }
        let mut values = Vec::new();
        if self.peek() != Some(')') {
            values.push(self.sum()?);
            while self.take(&[',']).is_some() {
                values.push(self.sum()?);
            }
        }
        self.close()?;
        call(&name, &values)
    }

    fn close(&mut self) -> Result<(), String> {
        let closed = self.take(&[')']);
        closed.map(drop).ok_or("a “)” is missing".to_owned())
    }
}

/// What a function gives.
fn call(name: &str, values: &[Value]) -> Result<Value, String> {
    let extreme = |is_better: fn(f64, f64) -> bool| {
        let better = |best: Value, next: &Value| match is_better(next.real(), best.real()) {
            true => *next,
            false => best,
        };
        let (first, others) = values.split_first()?;
        Some(others.iter().fold(*first, better))
    };
    match name {
        "max" => return extreme(|a, b| a > b).ok_or(wants(name, "at least one value")),
        "min" => return extreme(|a, b| a < b).ok_or(wants(name, "at least one value")),
        _ => {}
    }
    let function: fn(f64) -> f64 = match name {
        "abs" => f64::abs,
        "floor" => f64::floor,
        "ceil" => f64::ceil,
        "round" => f64::round,
        "trunc" => f64::trunc,
        "sign" | "signum" => |x| if x == 0.0 { 0.0 } else { x.signum() },
        "sqrt" => f64::sqrt,
        "cbrt" => f64::cbrt,
        "exp" => f64::exp,
        "ln" | "log" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        _ => return Err(format!("there is no function “{name}”")),
    };
    let [value] = values else {
        return Err(wants(name, "one value"));
    };
    match (name, value) {
        ("floor" | "ceil" | "round" | "trunc", Value::Whole(_)) => Ok(*value),
        ("abs", Value::Whole(whole)) => Ok(whole
            .checked_abs()
            .map_or(Value::Real(value.real().abs()), Value::Whole)),
        _ => Ok(Value::Real(function(value.real()))),
    }
}

fn wants(name: &str, what: &str) -> String {
    format!("“{name}” wants {what}")
}

/// A quotient without a remainder.
fn divide_exactly(a: i128, b: i128) -> Option<i128> {
    (a.checked_rem(b)? == 0).then(|| a / b)
}

impl Value {
    fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }

    /// Exactly, if both are whole and so is what comes of it.
    fn with(
        self,
        other: Self,
        exactly: impl Fn(i128, i128) -> Option<i128>,
        nearly: impl Fn(f64, f64) -> f64,
    ) -> Self {
        let exact = match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => exactly(a, b),
            _ => None,
        };
        match exact {
            Some(whole) => Self::Whole(whole),
            None => Self::Real(nearly(self.real(), other.real())),
        }
    }
}
