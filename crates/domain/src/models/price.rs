//! What a model costs.

use serde::{Deserialize, Serialize};

use crate::FieldErrors;
use crate::runs::Usage;

/// Most that a price may be, micro-dollars for a million tokens: $ 10,000.
const MAX_USD_MICROS: u64 = 10_000_000_000;

/// Price of a million tokens, in micro-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For tokens that the model reads.
    pub input_usd_micros: u64,
    /// For tokens that it writes, thoughts included.
    pub output_usd_micros: u64,
    /// For tokens that the provider reads from its cache; `None` is the price of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_usd_micros: Option<u64>,
    /// For tokens that the provider writes to its cache; `None` is the price of reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_usd_micros: Option<u64>,
}

impl Price {
    /// What costs nothing: models on own machines.
    pub const FREE: Self = Self {
        input_usd_micros: 0,
        output_usd_micros: 0,
        cached_input_usd_micros: None,
        cache_write_usd_micros: None,
    };

    /// What this usage costs, in micro-dollars, rounded up so that nothing used is free.
    pub fn cost_usd_micros(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_input_tokens.min(usage.input_tokens);
        let written = usage.cache_written_tokens.min(usage.input_tokens - cached);
        let fresh = usage.input_tokens - cached - written;
        let input = self.input_usd_micros;
        let parts = [
            (fresh, input),
            (cached, self.cached_input_usd_micros.unwrap_or(input)),
            (written, self.cache_write_usd_micros.unwrap_or(input)),
            (usage.output_tokens, self.output_usd_micros),
        ];
        let per_million: u128 = parts
            .iter()
            .map(|&(tokens, price)| u128::from(tokens) * u128::from(price))
            .sum();
        u64::try_from(per_million.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// Checks every number.
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        let parts = [
            ("price.input_usd_micros", Some(self.input_usd_micros)),
            ("price.output_usd_micros", Some(self.output_usd_micros)),
            (
                "price.cached_input_usd_micros",
                self.cached_input_usd_micros,
            ),
            ("price.cache_write_usd_micros", self.cache_write_usd_micros),
        ];
        for (field, price) in parts {
            if price.is_some_and(|price| price > MAX_USD_MICROS) {
                errors.push(field, "must be at most 10000 dollars for a million tokens");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SONNET: Price = Price {
        input_usd_micros: 3_000_000,
        output_usd_micros: 15_000_000,
        cached_input_usd_micros: Some(300_000),
        cache_write_usd_micros: Some(3_750_000),
    };

    fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        }
    }

    #[test]
    fn cost_is_price_times_tokens_rounded_up() {
        assert_eq!(SONNET.cost_usd_micros(&usage(1_000, 200)), 6_000);
        assert_eq!(SONNET.cost_usd_micros(&usage(0, 0)), 0);
        let cheap = Price {
            input_usd_micros: 100_000,
            ..Price::FREE
        };
        assert_eq!(cheap.cost_usd_micros(&usage(1, 0)), 1);
        assert_eq!(Price::FREE.cost_usd_micros(&usage(9_000, 9_000)), 0);
    }

    #[test]
    fn tokens_of_the_cache_have_prices_of_their_own() {
        let usage = Usage {
            cached_input_tokens: 800,
            cache_written_tokens: 100,
            ..usage(1_000, 0)
        };

        // 100 × 3.00 + 800 × 0.30 + 100 × 3.75
        assert_eq!(SONNET.cost_usd_micros(&usage), 300 + 240 + 375);
    }

    #[test]
    fn wrong_counts_neither_overflow_nor_underflow() {
        let usage = Usage {
            input_tokens: 10,
            output_tokens: u64::MAX,
            cached_input_tokens: u64::MAX,
            cache_written_tokens: u64::MAX,
            ..Usage::default()
        };

        assert_eq!(SONNET.cost_usd_micros(&usage), u64::MAX);
    }
}
