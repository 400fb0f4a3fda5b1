//! `/conversations` and their messages

use axum::Json;
use axum::extract::Path;
use domain::Paged;
use domain::conversations::{
    Conversation, Conversations, CreateConversation, Message, PostMessage, PostedMessage,
    UpdateConversation,
};
use http::{HeaderMap, StatusCode};

use super::{Answer, Body, Created, PageQuery, id, idempotency};
use crate::authentication::SignedIn;

pub async fn list(
    SignedIn(session): SignedIn,
    PageQuery(page): PageQuery,
) -> Answer<Json<Paged<Conversation>>> {
    Ok(Json(session.list_conversations(page).await?))
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
