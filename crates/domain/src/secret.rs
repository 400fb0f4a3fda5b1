//! Write-only values.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// A secret on its way in: readable from input, never printed.
///
/// It serializes in clear only so that the browser can send a form; no answer type holds one.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The wrapped value, still guarded.
    pub fn into_inner(self) -> SecretString {
        self.0
    }
}

/// Reads a secret; the one place to search for.
pub fn expose(secret: &Secret) -> &str {
    secret.0.expose_secret()
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        expose(self) == expose(other)
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}
