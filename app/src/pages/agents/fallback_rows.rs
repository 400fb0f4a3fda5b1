//! Which models stand in for the agent's own, as the form sends them.

#[cfg(feature = "ssr")]
use domain::{Error, FieldErrors, agents::ModelChoice};
use serde::{Deserialize, Serialize};

/// A row of the form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FallbackRow {
    /// Id of the connection; empty for none.
    pub connection_id: String,
    /// Name of the model there.
    pub model: String,
}

#[cfg(feature = "ssr")]
impl FallbackRow {
    /// The row of a chosen model.
    pub fn of(choice: &ModelChoice) -> Self {
        Self {
            connection_id: choice.connection_id.to_string(),
            model: choice.name.clone(),
        }
    }
}

/// In which row of the form each fallback stands; rows without a connection are left out.
#[cfg(feature = "ssr")]
#[derive(Debug)]
pub struct Rows(Vec<usize>);

#[cfg(feature = "ssr")]
impl Rows {
    /// The models that were chosen. One that is known keeps its settings, which have no field.
    pub fn read(
        rows: &[FallbackRow],
        known: &[ModelChoice],
        errors: &mut FieldErrors,
    ) -> (Vec<ModelChoice>, Self) {
        let mut choices = Vec::new();
        let mut places = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let id = row.connection_id.trim();
            if id.is_empty() {
                continue;
            }
            let Ok(connection_id) = id.parse() else {
                let field = format!("fallbacks[{index}].connection_id");
                errors.push(&field, "choose a connection");
                continue;
            };
            let name = row.model.trim();
            let same = known
                .iter()
                .find(|it| it.connection_id == connection_id && it.name == name);
            choices.push(same.cloned().unwrap_or_else(|| ModelChoice {
                connection_id,
                name: name.to_owned(),
                temperature: None,
                max_output_tokens: None,
            }));
            places.push(index);
        }
        (choices, Self(places))
    }

    /// An error under the names of the form's fields.
    pub fn in_form(&self, error: Error) -> Error {
        let Error::Invalid { mut fields } = error else {
            return error;
        };
        for wrong in &mut fields {
            if wrong.field.starts_with("tags[") {
                wrong.field = "tags".to_owned();
            }
            let Some((index, rest)) = wrong
                .field
                .strip_prefix("fallbacks[")
                .and_then(|rest| rest.split_once(']'))
            else {
                continue;
            };
            let row = index.parse::<usize>().ok();
            let Some(row) = row.and_then(|index| self.0.get(index)) else {
                continue;
            };
            // What is wrong with the whole stands below its name.
            let rest = if rest.is_empty() { ".name" } else { rest };
            wrong.field = format!("fallbacks[{row}]{rest}");
        }
        Error::Invalid { fields }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn errors_stand_in_the_row_that_was_typed() {
        let row = |id: &str| FallbackRow {
            connection_id: id.to_owned(),
            model: "small".to_owned(),
        };
        let typed = [row(""), row("01890000-0000-7000-8000-000000000001")];

        let (choices, rows) = Rows::read(&typed, &[], &mut FieldErrors::default());
        let error = rows.in_form(Error::invalid("fallbacks[0]", "is asked already"));

        assert_eq!(choices.len(), 1);
        assert_eq!(error.field("fallbacks[1].name"), Some("is asked already"));
    }
}
