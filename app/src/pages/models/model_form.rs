//! What the form of a model sends: text as typed, turned into values or into field errors.

use domain::models::{Model, Price};
#[cfg(feature = "ssr")]
use domain::{Error, FieldErrors, models::UpdateModel};
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::money::micros;
use crate::money::typed;

/// The form as typed. Prices are dollars for a million tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelForm {
    /// For reading.
    pub input_price: String,
    /// For writing.
    pub output_price: String,
    /// For reading from the cache.
    pub cached_price: String,
    /// For writing to the cache.
    pub cache_write_price: String,
    /// Tokens that fit.
    pub context_window: String,
    /// Longest answer in tokens.
    pub max_output_tokens: String,
    /// `yes`, `no` or nothing.
    pub supports_tools: String,
    /// `yes`, `no` or nothing.
    pub supports_vision: String,
    /// `yes`, `no` or nothing.
    pub supports_reasoning: String,
    /// `yes`, `no` or nothing.
    pub supports_json_schema: String,
}

impl ModelForm {
    /// The form of what is known.
    pub fn of(model: &Model) -> Self {
        let facts = &model.facts;
        let price = facts.price.as_ref();
        let money =
            |pick: fn(&Price) -> Option<u64>| price.and_then(pick).map_or_else(String::new, typed);
        let number = |number: Option<u32>| number.map_or_else(String::new, |n| n.to_string());
        let answer = |answer: Option<bool>| match answer {
            Some(true) => "yes".to_owned(),
            Some(false) => "no".to_owned(),
            None => String::new(),
        };
        Self {
            input_price: money(|price| Some(price.input_usd_micros)),
            output_price: money(|price| Some(price.output_usd_micros)),
            cached_price: money(|price| price.cached_input_usd_micros),
            cache_write_price: money(|price| price.cache_write_usd_micros),
            context_window: number(facts.context_window),
            max_output_tokens: number(facts.max_output_tokens),
            supports_tools: answer(facts.supports_tools),
            supports_vision: answer(facts.supports_vision),
            supports_reasoning: answer(facts.supports_reasoning),
            supports_json_schema: answer(facts.supports_json_schema),
        }
    }
}

#[cfg(feature = "ssr")]
impl ModelForm {
    /// The values that were typed.
    ///
    /// # Errors
    /// `Invalid` naming each field that is no number.
    pub fn values(self) -> Result<UpdateModel, Error> {
        let mut errors = FieldErrors::default();
        let mut money = |field: &str, text: &str| {
            let micros = (!text.trim().is_empty()).then(|| micros(text));
            if micros == Some(None) {
                errors.push(field, "must be an amount such as 2.50");
            }
            micros.flatten()
        };
        let input = money("price.input_usd_micros", &self.input_price);
        let output = money("price.output_usd_micros", &self.output_price);
        let cached = money("price.cached_input_usd_micros", &self.cached_price);
        let written = money("price.cache_write_usd_micros", &self.cache_write_price);
        let mut tokens = |field: &str, text: &str| {
            let text = text.trim().replace(',', "");
            let number = (!text.is_empty()).then(|| text.parse::<u32>().ok());
            if number == Some(None) {
                errors.push(field, "must be a whole number");
            }
            number.flatten()
        };
        let context_window = tokens("context_window", &self.context_window);
        let max_output_tokens = tokens("max_output_tokens", &self.max_output_tokens);
        errors.finish()?;
        let price = match (input, output) {
            (None, None) => None,
            (Some(input_usd_micros), Some(output_usd_micros)) => Some(Price {
                input_usd_micros,
                output_usd_micros,
                cached_input_usd_micros: cached,
                cache_write_usd_micros: written,
            }),
            (None, Some(_)) => return Err(Error::invalid("price.input_usd_micros", "is required")),
            (Some(_), None) => {
                return Err(Error::invalid("price.output_usd_micros", "is required"));
            }
        };
        Ok(UpdateModel {
            context_window,
            max_output_tokens,
            supports_tools: answer(&self.supports_tools),
            supports_vision: answer(&self.supports_vision),
            supports_reasoning: answer(&self.supports_reasoning),
            supports_json_schema: answer(&self.supports_json_schema),
            price,
        })
    }
}

#[cfg(feature = "ssr")]
fn answer(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn one_price_needs_the_other() {
        let form = ModelForm {
            input_price: "1".into(),
            ..ModelForm::default()
        };

        let error = form.values().expect_err("is invalid");

        assert_eq!(error.field("price.output_usd_micros"), Some("is required"));
    }

    #[test]
    fn an_empty_form_says_nothing() {
        let values = ModelForm::default().values().expect("is valid");

        assert_eq!(values, UpdateModel::default());
    }
}
