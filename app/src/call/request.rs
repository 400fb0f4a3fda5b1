//! Asking a server function.

use std::pin::Pin;

use domain::Error;
use leptos::server_fn::ServerFn;
#[cfg(not(feature = "ssr"))]
use leptos::server_fn::{
    client::{Client, browser::BrowserClient},
    codec::{IntoReq, PostUrl},
    error::FromServerFnError,
    redirect::call_redirect_hook,
    request::{ClientReq, browser::BrowserRequest},
    response::ClientRes,
};
use serde::Serialize;

use crate::call::{Answer, Datum};

#[cfg(not(feature = "ssr"))]
const JSON: &str = "application/json";

/// A server function that takes a form and answers JSON.
pub trait Call: ServerFn<Error = Error, Output: Datum> + Serialize + 'static {}

impl<S: ServerFn<Error = Error, Output: Datum> + Serialize + 'static> Call for S {}

/// An answer on its way.
pub type Calling = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

/// Asks a server function: in place on the server, by a request from the browser.
#[cfg(feature = "ssr")]
pub fn call<S: Call>(input: S) -> Calling {
    Box::pin(async move { Answer::of(input.run_body().await?) })
}

/// Asks a server function: in place on the server, by a request from the browser.
#[cfg(not(feature = "ssr"))]
pub fn call<S: Call>(input: S) -> Calling {
    let request = <S as IntoReq<PostUrl, BrowserRequest, Error>>::into_req(input, S::PATH, JSON);
    Box::pin(send(request))
}

/// Sends a form's fields to a server function's path.
#[cfg(not(feature = "ssr"))]
pub fn post(path: &str, fields: String) -> Calling {
    let request = <BrowserRequest as ClientReq<Error>>::try_new_post(
        path,
        "application/x-www-form-urlencoded",
        JSON,
        fields,
    );
    Box::pin(send(request))
}

#[cfg(not(feature = "ssr"))]
async fn send(request: Result<BrowserRequest, Error>) -> Result<Answer, Error> {
    let response = <BrowserClient as Client<Error>>::send(request?).await?;
    let status = ClientRes::<Error>::status(&response);
    let location = ClientRes::<Error>::location(&response);
    let is_redirected = ClientRes::<Error>::has_redirect(&response);
    if (400..=599).contains(&status) {
        return Err(Error::de(
            ClientRes::<Error>::try_into_bytes(response).await?,
        ));
    }
    let answer = Answer::from_json(ClientRes::<Error>::try_into_string(response).await?)?;
    if (300..=399).contains(&status) || is_redirected {
        call_redirect_hook(&location);
    }
    Ok(answer)
}
