//! Collects every wrong field of an input, so that a form shows them all at once.

use crate::{Error, FieldError};

/// Wrong fields found so far.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Notes a wrong field.
    pub fn push(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError {
            field: field.to_owned(),
            message: message.into(),
        });
    }

    /// Checks a line of text: not blank, at most `max` characters, no control characters.
    pub fn line(&mut self, field: &str, text: &str, max: usize) {
        if text.trim().is_empty() {
            self.push(field, "is required");
        } else if text.chars().any(char::is_control) {
            self.push(field, "must be one line without control characters");
        } else {
            self.at_most(field, text, max);
        }
    }

    /// Checks a longer text, which may be empty: at most `max` characters, no NUL.
    pub fn text(&mut self, field: &str, text: &str, max: usize) {
        if text.contains('\0') {
            self.push(field, "must not contain NUL characters");
        } else {
            self.at_most(field, text, max);
        }
    }

    /// Ends the check.
    ///
    /// # Errors
    /// `Invalid` with every field noted, if there are any.
    pub fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid { fields: self.0 })
        }
    }

    fn at_most(&mut self, field: &str, text: &str, max: usize) {
        let length = text.chars().count();
        if length > max {
            self.push(
                field,
                format!("must have at most {max} characters; this has {length}"),
            );
        }
    }
}
