//! What came back.

use reqwest::StatusCode;
use serde_json::Value;

/// An answer: status, headers and JSON body (`null` if there is none).
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("a body");
        Self {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    /// Id of a created object.
    pub fn created(self) -> String {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.body);
        self.body["id"].as_str().expect("an id").to_owned()
    }

    /// The fields that a 422 names.
    pub fn wrong_fields(&self) -> Vec<&str> {
        assert_eq!(
            self.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            self.body
        );
        let errors = self.body["errors"].as_array().expect("errors");
        errors
            .iter()
            .filter_map(|error| error["field"].as_str())
            .collect()
    }
}
