//! `/model-connections`, `/model-providers`, `/models`

use axum::Json;
use axum::extract::Path;
use domain::models::{
    ConnectionTest, CreateModelConnection, Model, ModelConnection, Models, Provider,
    TestModelConnection, UpdateModel, UpdateModelConnection,
};
use domain::{ConnectionId, Error, Paged};
use http::StatusCode;

use super::{Answer, Body, Created, PageQuery, id};
use crate::authentication::SignedIn;

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<ModelConnection>>> {
    Ok(Json(session.list_model_connections(page).await?))
}

pub async fn create(
    SignedIn(session): SignedIn,
    Body(input): Body<CreateModelConnection>,
) -> Answer<Created<ModelConnection>> {
    let connection = session.create_model_connection(input).await?;
    let path = format!("model-connections/{}", connection.id);
    Ok(Created::at(&path, connection))
}

pub async fn get(
    SignedIn(session): SignedIn,
    Path(connection): Path<String>,
) -> Answer<Json<ModelConnection>> {
    Ok(Json(session.get_model_connection(id(&connection)?).await?))
}

pub async fn update(
    SignedIn(session): SignedIn,
    Path(connection): Path<String>,
    Body(input): Body<UpdateModelConnection>,
) -> Answer<Json<ModelConnection>> {
    let id = id(&connection)?;
    Ok(Json(session.update_model_connection(id, input).await?))
}

pub async fn delete(
    SignedIn(session): SignedIn,
    Path(connection): Path<String>,
) -> Answer<StatusCode> {
    session.delete_model_connection(id(&connection)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn test(
    SignedIn(session): SignedIn,
    Path(connection): Path<String>,
) -> Answer<Json<ConnectionTest>> {
    Ok(Json(session.test_model_connection(id(&connection)?).await?))
}

/// Tries out what is not saved.
pub async fn test_typed(
    SignedIn(session): SignedIn,
    Body(input): Body<TestModelConnection>,
) -> Answer<Json<ConnectionTest>> {
    Ok(Json(session.try_model_connection(input).await?))
}

pub async fn list_models(SignedIn(session): SignedIn) -> Answer<Json<Paged<Model>>> {
    Ok(Json(session.list_models().await?))
}

/// The catalog's providers; all on one page.
pub async fn list_providers(SignedIn(session): SignedIn) -> Answer<Json<Paged<Provider>>> {
    Ok(Json(Paged {
        items: session.list_providers().await?,
        next: None,
    }))
}

pub async fn get_model(
    SignedIn(session): SignedIn,
    Path(model): Path<String>,
) -> Answer<Json<Model>> {
    let (connection, name) = model_id(&model)?;
    Ok(Json(session.get_model(connection, name).await?))
}

pub async fn update_model(
    SignedIn(session): SignedIn,
    Path(model): Path<String>,
    Body(input): Body<UpdateModel>,
) -> Answer<Json<Model>> {
    let (connection, name) = model_id(&model)?;
    Ok(Json(session.update_model(connection, name, input).await?))
}

pub async fn reset_model(
    SignedIn(session): SignedIn,
    Path(model): Path<String>,
) -> Answer<Json<Model>> {
    let (connection, name) = model_id(&model)?;
    Ok(Json(session.reset_model(connection, name).await?))
}

/// `<connection id>/<name>`; the name may have slashes of its own.
fn model_id(text: &str) -> Result<(ConnectionId, &str), Error> {
    let (connection, name) = text.split_once('/').ok_or(Error::NotFound)?;
    Ok((id(connection)?, name))
}
