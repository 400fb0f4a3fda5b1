//! API keys of the signed-in person.

use async_trait::async_trait;
use domain::api_keys::{ApiKey, ApiKeys, CreateApiKey, CreatedApiKey};
use domain::audit::Deed;
use domain::{Action, Actor, ApiKeyId, Error, Page, Paged};
use store::audit::Author;

use crate::fault::OrFault;
use crate::{Services, Session, mint};

#[async_trait]
impl ApiKeys for Session {
    async fn list_api_keys(&self, page: Page) -> Result<Paged<ApiKey>, Error> {
        let mut tx = self.begin(Action::ManageOwnApiKeys).await?;
        tx.list_api_keys(self.actor.user_id, &page).await.or_fault()
    }

    async fn create_api_key(&self, input: CreateApiKey) -> Result<CreatedApiKey, Error> {
        self.allow(Action::ManageOwnApiKeys, Deed::ApiKeyCreate)
            .await?;
        let author = self.author();
        self.services.make_api_key(&self.actor, author, input).await
    }

    async fn delete_api_key(&self, id: ApiKeyId) -> Result<(), Error> {
        let mut change = self
            .change(Action::ManageOwnApiKeys, Deed::ApiKeyDelete)
            .await?;
        let user_id = self.actor.user_id;
        let name = change.delete_api_key(user_id, id).await.or_fault()?;
        let name = name.ok_or(Error::NotFound)?;
        change.announce_access(user_id).await?;
        change.commit(id.uuid(), &name).await?;
        Ok(())
    }
}

impl Services {
    /// Makes a key for an actor, who lends it no more than they have.
    pub(crate) async fn make_api_key(
        &self,
        actor: &Actor,
        author: Author,
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
            scopes: lend(actor, input.scopes)?,
            expires_at: input.expires_at,
            last_used_at: None,
            created_at: now,
        };
        let mut change = self
            .change_system(actor.workspace_id, author, Deed::ApiKeyCreate)
            .await?
            .into_tenant()
            .await?;
        change
            .create_api_key(&api_key, actor.user_id, &mint::hash(&key))
            .await
            .or_fault()?;
        change.commit(api_key.id.uuid(), &api_key.name).await?;
        Ok(CreatedApiKey { api_key, key })
    }
}

/// The scopes that a new key gets. One made with a scoped key is scoped, too.
fn lend(actor: &Actor, asked: Option<Vec<Action>>) -> Result<Option<Vec<Action>>, Error> {
    let is_limited = Action::ALL
        .into_iter()
        .any(|action| action.is_for_keys() && !actor.scopes.contains(action));
    let Some(asked) = asked else {
        let own = Action::ALL
            .into_iter()
            .filter(|action| actor.scopes.contains(*action));
        return Ok(is_limited.then(|| own.filter(|action| action.is_for_keys()).collect()));
    };
    if let Some(lacking) = asked.iter().find(|action| !actor.can(**action)) {
        let message = format!("you may not {} yourself", lacking.as_str());
        return Err(Error::invalid("scopes", message));
    }
    let mut scopes = vec![Action::Read];
    scopes.extend(asked.into_iter().filter(|action| *action != Action::Read));
    scopes.dedup();
    Ok(Some(scopes))
}
