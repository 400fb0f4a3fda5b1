//! `/api-keys`

use axum::Json;
use axum::extract::Path;
use domain::Paged;
use domain::api_keys::{ApiKey, ApiKeys, CreateApiKey, CreatedApiKey};
use http::StatusCode;

use super::{Answer, Body, Created, PageQuery, id};
use crate::authentication::SignedIn;

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<ApiKey>>> {
    Ok(Json(session.list_api_keys(page).await?))
}

pub async fn create(
    SignedIn(session): SignedIn,
    Body(input): Body<CreateApiKey>,
) -> Answer<Created<CreatedApiKey>> {
    let created = session.create_api_key(input).await?;
    let path = format!("api-keys/{}", created.api_key.id);
    Ok(Created::at(&path, created))
}

pub async fn delete(
    SignedIn(session): SignedIn,
    Path(api_key): Path<String>,
) -> Answer<StatusCode> {
    session.delete_api_key(id(&api_key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
