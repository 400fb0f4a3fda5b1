//! `/conversations` and their messages

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use domain::conversations::{
    Conversation, ConversationFilter, Conversations, CreateConversation, ExportFormat, Message,
    PostMessage, PostedMessage, UpdateConversation,
};
use domain::files::{ConversationFile, Files};
use domain::{Error, Paged};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::{Answer, Body, Created, PageQuery, attachment, id, idempotency};
use crate::authentication::SignedIn;
use crate::problem::Problem;

#[derive(Deserialize)]
pub struct SearchQuery {
    query: Option<String>,
}

#[derive(Deserialize)]
pub struct ExportQuery {
    format: Option<String>,
}

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
    search: Result<Query<SearchQuery>, QueryRejection>,
) -> Answer<Json<Paged<Conversation>>> {
    let Query(SearchQuery { query }) =
        search.map_err(|error| Problem::malformed(error.body_text()))?;
    let filter = ConversationFilter { query };
    Ok(Json(session.list_conversations(filter, page).await?))
}

pub async fn create(
    SignedIn(session): SignedIn,
    Body(input): Body<CreateConversation>,
) -> Answer<Created<Conversation>> {
    let conversation = session.create_conversation(input).await?;
    let path = format!("conversations/{}", conversation.id);
    Ok(Created::at(&path, conversation))
}

pub async fn get(
    SignedIn(session): SignedIn,
    Path(conversation): Path<String>,
) -> Answer<Json<Conversation>> {
    Ok(Json(session.get_conversation(id(&conversation)?).await?))
}

pub async fn update(
    SignedIn(session): SignedIn,
    Path(conversation): Path<String>,
    Body(input): Body<UpdateConversation>,
) -> Answer<Json<Conversation>> {
    let id = id(&conversation)?;
    Ok(Json(session.update_conversation(id, input).await?))
}

pub async fn delete(
    SignedIn(session): SignedIn,
    Path(conversation): Path<String>,
) -> Answer<StatusCode> {
    session.delete_conversation(id(&conversation)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn export(
    SignedIn(session): SignedIn,
    Path(conversation): Path<String>,
    query: Result<Query<ExportQuery>, QueryRejection>,
) -> Answer<Response> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let format = match query.format.as_deref() {
        None | Some("markdown") => ExportFormat::Markdown,
        Some("json") => ExportFormat::Json,
        Some(_) => return Err(Error::invalid("format", "can be markdown or json").into()),
    };
    let export = session
        .export_conversation(id(&conversation)?, format)
        .await?;
    Ok(attachment(export))
}

pub async fn list_messages(
    SignedIn(session): SignedIn,
    Path(conversation): Path<String>,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<Message>>> {
    Ok(Json(session.list_messages(id(&conversation)?, page).await?))
}

pub async fn post_message(
    SignedIn(session): SignedIn,
    Path(conversation): Path<String>,
    headers: HeaderMap,
    Body(input): Body<PostMessage>,
) -> Answer<(StatusCode, Json<PostedMessage>)> {
    let key = idempotency::key(&headers)?.map(str::to_owned);
    let posted = session.post_message(id(&conversation)?, input, key).await?;
    Ok((StatusCode::ACCEPTED, Json(posted)))
}

pub async fn regenerate(
    SignedIn(session): SignedIn,
    Path((conversation, message)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<(StatusCode, Json<PostedMessage>)> {
    let key = idempotency::key(&headers)?.map(str::to_owned);
    let regenerated = session.regenerate(id(&conversation)?, id(&message)?, key);
    Ok((StatusCode::ACCEPTED, Json(regenerated.await?)))
}

pub async fn list_files(
    SignedIn(session): SignedIn,
    Path(conversation): Path<String>,
) -> Answer<Json<Paged<ConversationFile>>> {
    let items = session.list_conversation_files(id(&conversation)?).await?;
    Ok(Json(Paged { items, next: None }))
}
