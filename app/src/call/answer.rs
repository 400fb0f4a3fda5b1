//! An answer of any type.

use std::sync::Arc;

use domain::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// What answers are made of.
pub trait Datum: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Datum for T {}

/// An answer without its type. Cloning it is cheap.
#[derive(Clone)]
pub struct Answer {
    json: Arc<RawValue>,
    /// What the JSON was made of, where that is at hand.
    #[cfg(feature = "ssr")]
    value: Option<Arc<dyn std::any::Any + Send + Sync>>,
}

impl Answer {
    /// Keeps a value with its JSON.
    ///
    /// # Errors
    /// `Unavailable` if the value has no JSON.
    #[cfg(feature = "ssr")]
    pub fn of<T: Datum>(value: T) -> Result<Self, Error> {
        let json = serde_json::value::to_raw_value(&value).map_err(unreadable)?;
        Ok(Self {
            json: json.into(),
            value: Some(Arc::new(value)),
        })
    }

    /// Takes JSON as it was sent.
    ///
    /// # Errors
    /// `Unavailable` if it is none.
    #[cfg(not(feature = "ssr"))]
    pub fn from_json(json: String) -> Result<Self, Error> {
        let json = RawValue::from_string(json).map_err(unreadable)?;
        Ok(Self { json: json.into() })
    }

    /// The value.
    ///
    /// # Errors
    /// `Unavailable` if the answer is of another type, as from a server of another version.
    pub fn read<T: Datum>(&self) -> Result<T, Error> {
        #[cfg(feature = "ssr")]
        if let Some(value) = self.value.as_ref().and_then(|value| value.downcast_ref()) {
            return Ok(T::clone(value));
        }
        serde_json::from_str(self.json.get()).map_err(unreadable)
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            json: Box::<RawValue>::deserialize(deserializer)?.into(),
            #[cfg(feature = "ssr")]
            value: None,
        })
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::unavailable(format!("the answer cannot be read: {error}"))
}
