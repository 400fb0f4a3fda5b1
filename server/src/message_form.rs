//! The message form of the conversation page, for browsers without scripts: text and files at once.

use axum::extract::multipart::{Field, MultipartRejection};
use axum::extract::{Multipart, Path};
use axum::response::{IntoResponse, Redirect, Response};
use domain::conversations::{Conversations, PostMessage};
use domain::{ConversationId, Error};
use leptos::server_fn::error::ServerFnUrlError;
use services::Session;

use crate::authentication::SignedIn;
use crate::problem::Problem;
use crate::rest::files::{broken, receive};
use crate::rest::{Answer, id};

/// Writes the message and shows the conversation, with what went wrong if something did.
pub async fn post(
    session: Result<SignedIn, Problem>,
    Path(conversation): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let page = format!("/conversations/{conversation}");
    let Ok(SignedIn(session)) = session else {
        return Redirect::to("/sign-in").into_response();
    };
    match take(&session, &conversation, form).await {
        Ok(()) => Redirect::to(&page).into_response(),
        Err(Problem::Error(error)) => with_error(&page, error),
        Err(Problem::Http(_, detail)) => with_error(&page, Error::invalid("file", detail)),
    }
}

async fn take(
    session: &Session,
    conversation: &str,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<()> {
    let id: ConversationId = id(conversation)?;
    let mut form = form.map_err(|_| Problem::malformed("the form cannot be read"))?;
    let (mut text, mut key) = (String::new(), String::new());
    let (mut replaces, mut head_run_id) = (None, None);
    let mut attachments = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        match field.name() {
            // Line breaks of forms are CRLF.
            Some("text") => text = read(field).await?.replace("\r\n", "\n"),
            Some("key") => key = read(field).await?,
            Some("replaces") => replaces = read(field).await?.parse().ok(),
            // Empty before the first message.
            Some("head_run_id") => head_run_id = read(field).await?.parse().ok(),
            // A form in which no file was chosen has a part without a name.
            Some("file") if field.file_name().is_none_or(str::is_empty) => {}
            Some("file") => {
                let received = receive(session, field).await?;
                let file = session.keep_file(received).await?;
                attachments.push(file.id.to_string());
            }
            _ => {}
        }
    }
    // A form without a key is taken each time.
    if key.is_empty() {
        key = uuid::Uuid::now_v7().to_string();
    }
    // Sent again, it is the same message, whatever the ids of its files are now.
    let key = app::message_key(&key, &text, replaces);
    let input = PostMessage {
        text,
        attachments,
        replaces,
        head_run_id,
    };
    session.post_message(id, input, Some(key)).await?;
    Ok(())
}

async fn read(field: Field<'_>) -> Answer<String> {
    field.text().await.map_err(|error| broken(&error))
}

/// The page finds the error in its address, as after a server function.
fn with_error(page: &str, error: Error) -> Response {
    let error = ServerFnUrlError::new(app::message_form(), error);
    let address = match error.to_url(&format!("http://localhost{page}")) {
        Ok(url) => format!("{page}?{}", url.query().unwrap_or_default()),
        Err(_) => page.to_owned(),
    };
    Redirect::to(&address).into_response()
}
