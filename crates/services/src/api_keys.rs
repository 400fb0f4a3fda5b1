//! API keys of the signed-in person.

use async_trait::async_trait;
use domain::api_keys::{ApiKey, ApiKeys, CreateApiKey, CreatedApiKey};
use domain::{Action, Actor, ApiKeyId, Error, Page, Paged};

use crate::fault::OrFault;
use crate::{Services, Session, mint};

#[async_trait]
impl ApiKeys for Session {
    async fn list_api_keys(&self, page: Page) -> Result<Paged<ApiKey>, Error> {
        let mut tx = self.begin(Action::ManageOwnApiKeys).await?;
        tx.list_api_keys(self.actor.user_id, &page).await.or_fault()
    }

    async fn create_api_key(&self, input: CreateApiKey) -> Result<CreatedApiKey, Error> {
        self.actor.require(Action::ManageOwnApiKeys)?;
        create(&self.services, &self.actor, input).await
    }

    async fn delete_api_key(&self, id: ApiKeyId) -> Result<(), Error> {
        let mut tx = self.begin(Action::ManageOwnApiKeys).await?;
        if !tx.delete_api_key(self.actor.user_id, id).await.or_fault()? {
            return Err(Error::NotFound);
        }
        tx.commit().await.or_fault()?;
        self.services.principals.clear();
        Ok(())
    }
}

/// Makes a key for an actor.
pub(crate) async fn create(
    services: &Services,
    actor: &Actor,
    input: CreateApiKey,
) -> Result<CreatedApiKey, Error> {
    input.validate()?;
    let now = mint::now();
    if input.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(Error::invalid("expires_at", "must be in the future"));
    }
    let key = format!("aa_{}", mint::token());
    let api_key = ApiKey {
        id: mint::id(),
        name: input.name.trim().to_owned(),
        prefix: key.chars().take(8).collect(),
        expires_at: input.expires_at,
        last_used_at: None,
        created_at: now,
    };
    let mut tx = services.store.begin(actor.workspace_id).await.or_fault()?;
    tx.create_api_key(&api_key, actor.user_id, &mint::hash(&key))
        .await
        .or_fault()?;
    tx.commit().await.or_fault()?;
    Ok(CreatedApiKey { api_key, key })
}
