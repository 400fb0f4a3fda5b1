//! Keys for programs.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Action, ApiKeyId, Error, FieldErrors, Page, Paged, Timestamp};

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// The id.
    pub id: ApiKeyId,
    /// What it is for, in the owner's words.
    pub name: String,
    /// The key's first characters, to tell keys apart.
    pub prefix: String,
    /// What it may be used for; `None` means whatever its owner may.
    pub scopes: Option<Vec<Action>>,
    /// When it stops working; `None` means never.
    pub expires_at: Option<Timestamp>,
    /// Last use, at most a minute old; `None` means never used.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new key; the only answer that ever holds its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedApiKey {
    /// The stored part.
    #[serde(flatten)]
    pub api_key: ApiKey,
    /// The key itself, `aa_…`, shown once.
    pub key: String,
}

/// Input for a new key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// What it is for, at most 80 characters.
    pub name: String,
    /// What it shall be used for, reading always included; `None` means whatever the actor may.
    #[serde(default)]
    pub scopes: Option<Vec<Action>>,
    /// When it shall stop working.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// The actor's own keys in the workspace.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Lists the keys, newest first.
    async fn list_api_keys(&self, page: Page) -> Result<Paged<ApiKey>, Error>;

    /// Makes a key. It can never do more than its owner, nor than the key that made it.
    ///
    /// # Errors
    /// `Invalid` for a wrong name, scopes that the actor lacks, or an expiry in the past.
    async fn create_api_key(&self, input: CreateApiKey) -> Result<CreatedApiKey, Error>;

    /// Deletes a key; it stops working at once, in other processes within a second.
    ///
    /// # Errors
    /// `NotFound` if there is no such key of the actor.
    async fn delete_api_key(&self, id: ApiKeyId) -> Result<(), Error>;
}

impl CreateApiKey {
    /// Checks every field that needs no clock.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        errors.line("name", &self.name, 80);
        for scope in self.scopes.iter().flatten() {
            if !scope.is_for_keys() {
                errors.push("scopes", format!("{} is not for API keys", scope.as_str()));
            }
        }
        errors.finish()
    }
}
