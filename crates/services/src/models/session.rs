//! Model connections as people manage them.

use async_trait::async_trait;
use domain::audit::Deed;
use domain::models::{
    ConnectionTest, CreateModelConnection, FoundServer, Model, ModelConnection, ModelFacts,
    ModelFault, Models, Provider, TestModelConnection, UpdateModel, UpdateModelConnection,
};
use domain::{Action, ConnectionId, Error, FieldErrors, Page, Paged, Secret, expose};
use futures::future::join_all;
use store::TenantTx;
use store::models::StoredConnection;

use super::pool::Connected;
use super::{address, catalog, found, listing, probe};
use crate::fault::OrFault;
use crate::{Session, mint};

#[async_trait]
impl Models for Session {
    async fn list_model_connections(&self, page: Page) -> Result<Paged<ModelConnection>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let paged = tx.list_model_connections(&page).await.or_fault()?;
        Ok(Paged {
            items: paged
                .items
                .into_iter()
                .map(|stored| stored.connection)
                .collect(),
            next: paged.next,
        })
    }

    async fn get_model_connection(&self, id: ConnectionId) -> Result<ModelConnection, Error> {
        let mut tx = self.begin(Action::Read).await?;
        Ok(get(&mut tx, id).await?.connection)
    }

    async fn create_model_connection(
        &self,
        input: CreateModelConnection,
    ) -> Result<ModelConnection, Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionCreate)
            .await?;
        input.validate()?;
        let base_url = address::clean(input.kind, input.base_url.as_deref())?;
        let now = mint::now();
        let mut stored = StoredConnection {
            connection: ModelConnection {
                id: mint::id(),
                name: input.name.trim().to_owned(),
                kind: input.kind,
                base_url,
                has_api_key: false,
                created_at: now,
                updated_at: now,
            },
            secret_id: None,
        };
        if let Some(api_key) = input.api_key {
            self.put_key(&mut tx, &mut stored, api_key).await?;
        }
        name_conflict(tx.create_model_connection(&stored).await)?;
        let connection = stored.connection;
        tx.commit(connection.id.uuid(), &connection.name).await?;
        Ok(connection)
    }

    async fn update_model_connection(
        &self,
        id: ConnectionId,
        input: UpdateModelConnection,
    ) -> Result<ModelConnection, Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionUpdate)
            .await?;
        let mut stored = get(&mut tx, id).await?;
        let kind = stored.connection.kind;
        let former_secret = stored.secret_id;
        if let Some(name) = input.name {
            let mut errors = FieldErrors::default();
            errors.line("name", &name, 80);
            errors.finish()?;
            stored.connection.name = name.trim().to_owned();
        }
        if let Some(base_url) = input.base_url {
            let base_url = address::clean(kind, Some(&base_url))?;
            let is_another = !address::is_same_server(&base_url, &stored.connection.base_url);
            if is_another && former_secret.is_some() && input.api_key.is_none() {
                return Err(another_server());
            }
            stored.connection.base_url = base_url;
        }
        stored.connection.updated_at = mint::now();
        if let Some(api_key) = input.api_key {
            self.put_key(&mut tx, &mut stored, api_key).await?;
        }
        name_conflict(tx.update_model_connection(&stored).await)?;
        if let (Some(former), None) = (former_secret, stored.secret_id) {
            tx.delete_secret(former).await.or_fault()?;
        }
        let connection = stored.connection;
        tx.commit(id.uuid(), &connection.name).await?;
        self.services.connection_changed(id);
        Ok(connection)
    }

    async fn delete_model_connection(&self, id: ConnectionId) -> Result<(), Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionDelete)
            .await?;
        let stored = get(&mut tx, id).await?;
        let users = tx.list_agents_using(id).await.or_fault()?;
        if !users.is_empty() {
            return Err(Error::conflict(format!(
                "these agents use it: {}; give them another model first",
                users.join(", ")
            )));
        }
        tx.delete_model_connection(id).await.or_fault()?;
        if let Some(secret_id) = stored.secret_id {
            tx.delete_secret(secret_id).await.or_fault()?;
        }
        tx.commit(id.uuid(), &stored.connection.name).await?;
        self.services.connection_changed(id);
        Ok(())
    }

    async fn test_model_connection(&self, id: ConnectionId) -> Result<ConnectionTest, Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionTest)
            .await?;
        let stored = get(&mut tx, id).await?;
        let in_use = tx.find_model_in_use(id).await.or_fault()?;
        let connected = self
            .services
            .models
            .connected(&mut tx, id)
            .await
            .or_fault()?;
        tx.commit(id.uuid(), &stored.connection.name).await?;
        Ok(match connected {
            Ok(connected) => probe::test(&connected, in_use).await,
            Err(error) => ConnectionTest {
                ok: false,
                latency_ms: 0,
                error: Some(ModelFault {
                    kind: error.kind,
                    message: error.message,
                }),
            },
        })
    }

    async fn try_model_connection(
        &self,
        input: TestModelConnection,
    ) -> Result<ConnectionTest, Error> {
        let mut tx = self
            .change(Action::ManageModels, Deed::ModelConnectionTest)
            .await?;
        let (connected, in_use) = self.typed(&mut tx, input).await?;
        let connection = &connected.connection;
        tx.commit(connection.id.uuid(), &connection.name).await?;
        Ok(probe::test(&connected, in_use).await)
    }

    async fn list_models(&self) -> Result<Paged<Model>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let connections = tx
            .list_model_connections(&Page::first(100))
            .await
            .or_fault()?;
        let mut connected = Vec::new();
        for stored in connections.items {
            let id = stored.connection.id;
            let found = self.services.models.connected(&mut tx, id).await;
            connected.extend(found.or_fault()?);
        }
        drop(tx);
        let lists = connected.iter().map(|connected| listing::list(connected));
        Ok(Paged {
            items: join_all(lists).await.into_iter().flatten().collect(),
            next: None,
        })
    }

    async fn get_model(&self, id: ConnectionId, name: &str) -> Result<Model, Error> {
        let mut tx = self.begin(Action::Read).await?;
        UpdateModel::default().validate(name)?;
        self.described(&mut tx, id, name).await
    }

    async fn update_model(
        &self,
        id: ConnectionId,
        name: &str,
        input: UpdateModel,
    ) -> Result<Model, Error> {
        let mut tx = self.change(Action::ManageModels, Deed::ModelUpdate).await?;
        get(&mut tx, id).await?;
        input.validate(name)?;
        let now = mint::now();
        tx.put_edited_model(id, name, &input, now)
            .await
            .or_fault()?;
        tx.touch_model_connection(id, now).await.or_fault()?;
        let model = self.described(&mut tx, id, name).await?;
        tx.commit(id.uuid(), name).await?;
        Ok(model)
    }

    async fn reset_model(&self, id: ConnectionId, name: &str) -> Result<Model, Error> {
        let mut tx = self.change(Action::ManageModels, Deed::ModelUpdate).await?;
        get(&mut tx, id).await?;
        UpdateModel::default().validate(name)?;
        tx.delete_edited_model(id, name).await.or_fault()?;
        tx.touch_model_connection(id, mint::now())
            .await
            .or_fault()?;
        let model = self.described(&mut tx, id, name).await?;
        tx.commit(id.uuid(), name).await?;
        Ok(model)
    }

    async fn list_providers(&self) -> Result<Vec<Provider>, Error> {
        if !self.actor.can(Action::Read) {
            return Err(Error::Forbidden);
        }
        Ok(catalog::providers().to_vec())
    }

    async fn find_model_servers(&self) -> Result<Vec<FoundServer>, Error> {
        // It tells what runs on the server's machine.
        if !self.actor.can(Action::ManageModels) {
            return Err(Error::Forbidden);
        }
        Ok(found::find(&self.services.models.outbound).await)
    }
}

impl Session {
    /// A connection as it is typed, and a model of it that is in use.
    async fn typed(
        &self,
        tx: &mut TenantTx,
        input: TestModelConnection,
    ) -> Result<(Connected, Option<String>), Error> {
        let (saved, in_use) = match input.id {
            Some(id) => {
                let found = tx.find_model_connection(id).await.or_fault()?;
                let found = found.ok_or_else(|| {
                    Error::invalid("id", "there is no such connection in this workspace")
                })?;
                let in_use = tx.find_model_in_use(id).await.or_fault()?;
                (Some(found), in_use)
            }
            None => (None, None),
        };
        let kind = saved.as_ref().map(|saved| saved.connection.kind);
        let kind = kind
            .or(input.kind)
            .ok_or_else(|| Error::invalid("kind", "is required"))?;
        let old_url = saved
            .as_ref()
            .and_then(|saved| saved.connection.base_url.clone());
        let text = input
            .base_url
            .as_deref()
            .filter(|url| !url.trim().is_empty());
        let base_url = address::clean(kind, text.or(old_url.as_deref()))?;
        let api_key = match input.api_key {
            Some(key) => {
                let key = Secret::new(expose(&key).trim());
                check_key(&key)?;
                let is_given = !expose(&key).is_empty();
                is_given.then(|| key.into_inner())
            }
            None => match saved.as_ref().and_then(|saved| saved.secret_id) {
                Some(_) if !address::is_same_server(&base_url, &old_url) => {
                    return Err(another_server());
                }
                Some(id) => tx.find_secret(&self.services.vault, id).await.or_fault()?,
                None => None,
            },
        };
        let now = mint::now();
        let connection = ModelConnection {
            id: input.id.unwrap_or_else(mint::id),
            name: input.name.unwrap_or_default().chars().take(80).collect(),
            kind,
            base_url,
            has_api_key: api_key.is_some(),
            created_at: now,
            updated_at: now,
        };
        let connected = self.services.models.untried(connection, api_key);
        let connected = connected.ok_or_else(|| Error::invalid("base_url", "is required"))?;
        Ok((connected, in_use))
    }

    /// A model as it is described now, inside a change of it too.
    async fn described(
        &self,
        tx: &mut TenantTx,
        id: ConnectionId,
        name: &str,
    ) -> Result<Model, Error> {
        let connected = self.services.models.connected(tx, id).await.or_fault()?;
        let connected = connected.map_err(|_| Error::NotFound)?;
        Ok(listing::model(&connected, name, ModelFacts::default()))
    }

    /// Stores a key, or removes the stored one if the new one is empty.
    async fn put_key(
        &self,
        tx: &mut TenantTx,
        stored: &mut StoredConnection,
        api_key: Secret,
    ) -> Result<(), Error> {
        let api_key = Secret::new(expose(&api_key).trim());
        if expose(&api_key).is_empty() {
            stored.secret_id = None;
        } else {
            check_key(&api_key)?;
            let id = stored.secret_id.unwrap_or_else(mint::id);
            let now = stored.connection.updated_at;
            tx.put_secret(&self.services.vault, id, &api_key.into_inner(), now)
                .await
                .or_fault()?;
            stored.secret_id = Some(id);
        }
        stored.connection.has_api_key = stored.secret_id.is_some();
        Ok(())
    }
}

async fn get(tx: &mut TenantTx, id: ConnectionId) -> Result<StoredConnection, Error> {
    tx.find_model_connection(id)
        .await
        .or_fault()?
        .ok_or(Error::NotFound)
}

/// A key goes to nobody but the server that it was given for.
fn another_server() -> Error {
    Error::invalid(
        "api_key",
        "must be given again, because the address is that of another server",
    )
}

/// A key travels in a header.
fn check_key(api_key: &Secret) -> Result<(), Error> {
    let text = expose(api_key);
    if text.len() > 1_000 || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Error::invalid(
            "api_key",
            "must be at most 1000 visible ASCII characters",
        ));
    }
    Ok(())
}

fn name_conflict(result: store::Result<()>) -> Result<(), Error> {
    match result {
        Err(store::Error::Constraint(name)) if name == "model_connections_name_key" => Err(
            Error::conflict("another connection has this name; choose a different one"),
        ),
        other => other.or_fault(),
    }
}
