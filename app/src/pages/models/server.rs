//! Server functions of the models pages.

use domain::models::{
    ConnectionKind, ConnectionTest, FoundServer, Model, ModelConnection, Provider,
};
use domain::{ConnectionId, Error, Secret};
#[cfg(feature = "ssr")]
use domain::{
    Page, expose,
    models::{CreateModelConnection, TestModelConnection, UpdateModelConnection},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pages::models::model_form::ModelForm;

/// Key that stands for a server of no known provider.
#[cfg(feature = "ssr")]
const CUSTOM: &str = "custom";

/// What the page for a new connection shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The providers to choose from; none once one is chosen.
    pub providers: Vec<Provider>,
    /// What was chosen.
    pub chosen: Option<Chosen>,
    /// What was searched for.
    pub wanted: String,
}

/// A choice that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// The provider; `None` for a server of no known one.
    pub provider: Option<Provider>,
}

/// The providers, or the chosen one of them.
#[server]
pub async fn get_choice(provider: String, wanted: String) -> Result<Choice, Error> {
    let providers = crate::context::platform()?.list_providers().await?;
    let chosen = match provider.as_str() {
        "" => None,
        CUSTOM => Some(Chosen { provider: None }),
        key => Some(Chosen {
            provider: Some(
                providers
                    .iter()
                    .find(|provider| provider.key == key)
                    .cloned()
                    .ok_or(Error::NotFound)?,
            ),
        }),
    };
    Ok(Choice {
        providers: if chosen.is_some() {
            Vec::new()
        } else {
            providers
        },
        chosen,
        wanted,
    })
}

/// Model servers that run on the server's machine.
#[server]
pub async fn find_servers() -> Result<Vec<FoundServer>, Error> {
    crate::context::platform()?.find_model_servers().await
}

/// One model, by `<connection id>/<name>`.
#[server]
pub async fn get_model(id: String) -> Result<Model, Error> {
    let (connection, name) = parts(&id)?;
    crate::context::platform()?
        .get_model(connection, name)
        .await
}

/// Says what a model costs and can do, and shows the list.
#[server]
pub async fn save_model(id: String, input: ModelForm) -> Result<(), Error> {
    let (connection, name) = parts(&id)?;
    let values = input.values()?;
    crate::context::platform()?
        .update_model(connection, name, values)
        .await?;
    crate::context::go_to("/models");
    Ok(())
}

/// Goes back to what the catalog says, and shows the list.
#[server]
pub async fn reset_model(id: String) -> Result<(), Error> {
    let (connection, name) = parts(&id)?;
    crate::context::platform()?
        .reset_model(connection, name)
        .await?;
    crate::context::go_to("/models");
    Ok(())
}

/// The workspace's connections, newest first, at most 100.
#[server]
pub async fn list_connections() -> Result<Vec<ModelConnection>, Error> {
    let platform = crate::context::platform()?;
    Ok(platform
        .list_model_connections(Page::first(100))
        .await?
        .items)
}

/// One connection.
#[server]
pub async fn get_connection(id: ConnectionId) -> Result<ModelConnection, Error> {
    crate::context::platform()?.get_model_connection(id).await
}

/// Models of every connection that answers within 5 s.
#[server]
pub async fn list_models() -> Result<Vec<Model>, Error> {
    Ok(crate::context::platform()?.list_models().await?.items)
}

/// Makes a connection and shows the list; or tries out what was typed and saves nothing.
#[server]
pub async fn create_connection(
    name: String,
    kind: ConnectionKind,
    base_url: String,
    api_key: Secret,
    #[server(default)] test: bool,
) -> Result<Option<ConnectionTest>, Error> {
    // The form hides these for the built-in model, with whatever was typed before.
    let is_remote = kind != ConnectionKind::Local;
    let input = CreateModelConnection {
        name,
        kind,
        base_url: filled(base_url).filter(|_| is_remote),
        api_key: Some(api_key).filter(|key| is_remote && !expose(key).is_empty()),
    };
    let platform = crate::context::platform()?;
    if test {
        let typed = TestModelConnection {
            id: None,
            name: Some(input.name),
            kind: Some(kind),
            base_url: input.base_url,
            api_key: input.api_key,
        };
        return told(platform.try_model_connection(typed).await?).map(Some);
    }
    platform.create_model_connection(input).await?;
    crate::context::go_to("/models");
    Ok(None)
}

/// Changes a connection and shows the list; or tries out what was typed and saves nothing. An empty
/// key leaves the stored one.
#[server]
pub async fn update_connection(
    id: ConnectionId,
    name: String,
    #[server(default)] base_url: String,
    #[server(default)] api_key: Option<Secret>,
    #[server(default)] remove_key: bool,
    #[server(default)] test: bool,
) -> Result<Option<ConnectionTest>, Error> {
    let typed_key = api_key.filter(|key| !expose(key).is_empty());
    let input = UpdateModelConnection {
        name: Some(name),
        base_url: filled(base_url),
        api_key: if remove_key {
            Some(Secret::new(""))
        } else {
            typed_key
        },
    };
    let platform = crate::context::platform()?;
    if test {
        let typed = TestModelConnection {
            id: Some(id),
            name: input.name,
            kind: None,
            base_url: input.base_url,
            api_key: input.api_key,
        };
        return told(platform.try_model_connection(typed).await?).map(Some);
    }
    platform.update_model_connection(id, input).await?;
    crate::context::go_to("/models");
    Ok(None)
}

/// Deletes a connection and shows the list.
#[server]
pub async fn delete_connection(id: ConnectionId) -> Result<(), Error> {
    crate::context::platform()?
        .delete_model_connection(id)
        .await?;
    crate::context::go_to("/models");
    Ok(())
}

/// Asks the server behind a connection.
#[server]
pub async fn test_connection(id: ConnectionId) -> Result<ConnectionTest, Error> {
    crate::context::platform()?.test_model_connection(id).await
}

/// How a test went; a plain form learns it from the page that it goes back to.
#[cfg(feature = "ssr")]
fn told(test: ConnectionTest) -> Result<ConnectionTest, Error> {
    if crate::context::is_plain_form() {
        match &test.error {
            Some(fault) => return Err(Error::conflict(fault.message.clone())),
            None => crate::context::go_back_with("tested", test.latency_ms),
        }
    }
    Ok(test)
}

#[cfg(feature = "ssr")]
fn filled(text: String) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(feature = "ssr")]
fn parts(id: &str) -> Result<(ConnectionId, &str), Error> {
    let (connection, name) = id.split_once('/').ok_or(Error::NotFound)?;
    let connection = connection.parse().map_err(|_| Error::NotFound)?;
    Ok((connection, name))
}
