//! `/files`: contents pass through in pieces, there and back.

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{Multipart, OriginalUri, Path};
use axum::response::{IntoResponse, Response};
use domain::files::{File, Files, IMAGE_TYPES};
use domain::{Error, FileId};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use services::{ReceivedFile, Refusal, Request as KeyedRequest, Session, StoredAnswer};

use super::idempotency::{key, replayed};
use super::{Answer, Created, id};
use crate::authentication::SignedIn;
use crate::problem::Problem;

/// Should a browser show a file in spite of everything, it runs nothing and loads nothing.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
/// Kept by the browser, but shown only to whom it is still allowed.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");
const FIELD: &str = "file";

pub async fn create(
    SignedIn(session): SignedIn,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<Response> {
    session.may_upload().await?;
    let key = key(&headers)?;
    let mut form = multipart(&headers, form)?;
    let field = form.next_field().await.map_err(|error| broken(&error))?;
    let field = field.ok_or_else(missing)?;
    let received = receive(&session, field).await?;
    if let Err(problem) = expect_end(&mut form).await {
        session.discard_file(received).await;
        return Err(problem);
    }
    match key {
        Some(key) => keep_once(&session, uri.path(), key, received).await,
        None => Ok(created(session.keep_file(received).await?).into_response()),
    }
}

pub async fn get(
    SignedIn(session): SignedIn,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let id: FileId = id(&file)?;
    let tag = entity_tag(&session.get_file(id).await?);
    let is_known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    if is_known {
        let headers = [(ETAG, header(&tag)), (CACHE_CONTROL, REVALIDATED)];
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let (file, content) = session.download_file(id).await?;
    let headers = [
        (CONTENT_TYPE, header(&content_type(&file))),
        (CONTENT_LENGTH, HeaderValue::from(file.size_bytes)),
        (CONTENT_DISPOSITION, header(&disposition(&file))),
        (CONTENT_SECURITY_POLICY, SANDBOX),
        (ETAG, header(&tag)),
        (CACHE_CONTROL, REVALIDATED),
    ];
    Ok((headers, Body::from_stream(content)).into_response())
}

pub async fn delete(SignedIn(session): SignedIn, Path(file): Path<String>) -> Answer<StatusCode> {
    session.delete_file(id(&file)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes one part of a form in as a file.
///
/// # Errors
/// 413 if it is too large; 422 if it is none.
pub async fn receive(session: &Session, field: Field<'_>) -> Answer<ReceivedFile> {
    if field.name() != Some(FIELD) {
        let name = field.name().unwrap_or_default().to_owned();
        return Err(Error::invalid(name, "is unknown; send one part named file").into());
    }
    let Some(name) = field.file_name().map(str::to_owned) else {
        return Err(Error::invalid(FIELD, "must have a filename").into());
    };
    session.receive_file(&name, field).await.map_err(refused)
}

/// The words for a refused upload.
pub fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Error(error) => error.into(),
        Refusal::BrokenOff => Problem::malformed("the upload broke off"),
        Refusal::TooLarge(max_bytes) => {
            let mib = max_bytes / (1024 * 1024);
            let detail = format!("the file is larger than {mib} MiB");
            Problem::Http(StatusCode::PAYLOAD_TOO_LARGE, detail)
        }
    }
}

/// The words for a form that cannot be read.
pub fn broken(error: &MultipartError) -> Problem {
    Problem::Http(error.status(), error.body_text())
}

fn multipart(
    headers: &HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<Multipart> {
    if headers.contains_key(CONTENT_ENCODING) {
        let detail = "send the file as it is, without content-encoding".to_owned();
        return Err(Problem::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    form.map_err(|_| {
        let detail = "send a form with content-type: multipart/form-data".to_owned();
        Problem::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    })
}

async fn expect_end(form: &mut Multipart) -> Answer<()> {
    match form.next_field().await.map_err(|error| broken(&error))? {
        None => Ok(()),
        Some(_) => Err(Error::invalid(FIELD, "must be the only part of the form").into()),
    }
}

/// The same file under the same key is kept once.
async fn keep_once(
    session: &Session,
    path: &str,
    key: &str,
    received: ReceivedFile,
) -> Answer<Response> {
    let fingerprint = received.fingerprint();
    let request = KeyedRequest {
        path,
        key,
        body: &fingerprint,
    };
    match session.claim_request(request).await {
        Ok(None) => {}
        Ok(Some(answer)) => {
            session.discard_file(received).await;
            return Ok(replayed(answer));
        }
        Err(error) => {
            session.discard_file(received).await;
            return Err(error.into());
        }
    }
    let file = match session.keep_file(received).await {
        Ok(file) => file,
        Err(error) => {
            session.drop_claim(request).await?;
            return Err(error.into());
        }
    };
    let answer = StoredAnswer {
        status: StatusCode::CREATED.as_u16(),
        location: Some(format!("/api/v1/files/{}", file.id)),
        body: serde_json::to_vec(&file).map_err(|error| services::internal(&error.into()))?,
    };
    session.keep_answer(request, &answer).await?;
    Ok(created(file).into_response())
}

fn created(file: File) -> Created<File> {
    Created::at(&format!("files/{}", file.id), file)
}

fn missing() -> Problem {
    Error::invalid(FIELD, "is required").into()
}

fn entity_tag(file: &File) -> String {
    format!("\"{}\"", file.sha256)
}

fn content_type(file: &File) -> String {
    match file.media_type.starts_with("text/") {
        true => format!("{}; charset=utf-8", file.media_type),
        false => file.media_type.clone(),
    }
}

/// Only images are shown in place. The plain name is for old programs; others read the encoded one.
fn disposition(file: &File) -> String {
    let kind = match IMAGE_TYPES.contains(&file.media_type.as_str()) {
        true => "inline",
        false => "attachment",
    };
    let plain: String = file
        .name
        .chars()
        .map(|c| match c {
            ' ' | '.' | '-' | '_' => c,
            c if c.is_ascii_alphanumeric() => c,
            _ => '_',
        })
        .collect();
    let encoded = percent_encoded(&file.name);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// As RFC 8187 wants it.
fn percent_encoded(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'_' => (byte as char).to_string(),
            byte if byte.is_ascii_alphanumeric() => (byte as char).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
