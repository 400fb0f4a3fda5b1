//! A page's data: asked for on the server, handed to the browser in the page.

use std::future::{IntoFuture, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::str::FromStr;

use domain::Error;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use leptos_router::params::ParamsMap;

use crate::call::{Answer, Call, Calling, Datum, call};

/// Data on its way or there. Awaiting it waits for the current answer.
pub struct Data<T> {
    answer: Resource<Result<Answer, Error>>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Data<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Data<T> {}

impl<T> Data<T> {
    /// Asks again; the old answer stays until the new one is there.
    pub fn refetch(self) {
        self.answer.refetch();
    }

    /// The answer, whatever its type.
    pub(crate) fn answer(self) -> Resource<Result<Answer, Error>> {
        self.answer
    }
}

impl<T: Datum> Data<T> {
    /// What is there now, tracked; `None` before the first answer.
    pub fn get(self) -> Option<Result<T, Error>> {
        self.answer.get().map(|answer| answer?.read())
    }
}

impl<T: Datum> IntoFuture for Data<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.answer.await?.read() })
    }
}

/// Asks a server function.
pub fn load<S: Call>(input: impl Fn() -> S + Send + Sync + 'static) -> Data<S::Output> {
    data(Box::new(|| None), Box::new(move |_| call(input())))
}

/// Asks for the page of a list that the address names by `after`, again when it names another.
pub fn load_page<S: Call>(
    input: impl Fn(Option<String>) -> S + Send + Sync + 'static,
) -> Data<S::Output> {
    let query = use_query_map();
    let after = Memo::new(move |_| query.with(|query| query.get("after")));
    data(
        Box::new(move || after.get()),
        Box::new(move |after| call(input(after))),
    )
}

/// Asks for what the query of the address describes, again when it describes something else.
pub fn load_by_query<S: Call>(
    input: impl Fn(&ParamsMap) -> S + Send + Sync + 'static,
) -> Data<S::Output> {
    let query = use_query_map();
    let text = Memo::new(move |_| Some(query.with(ParamsMap::to_query_string)));
    data(
        Box::new(move || text.get()),
        Box::new(move |_| call(query.with_untracked(&input))),
    )
}

/// Asks for what the address names by `id`, again when it names another.
///
/// The answer is `NotFound` if the address has no such id.
pub fn load_by_id<Id: FromStr, S: Call>(
    input: impl Fn(Id) -> S + Send + Sync + 'static,
) -> Data<S::Output> {
    load_by("id", input)
}

/// Asks for the part, named by `after`, of a list that belongs to what the address names by `id`.
///
/// The answer is `NotFound` if the address has no such id.
pub fn load_page_by_id<Id: FromStr, S: Call>(
    input: impl Fn(Id, Option<String>) -> S + Send + Sync + 'static,
) -> Data<S::Output> {
    let (params, query) = (use_params_map(), use_query_map());
    let place = Memo::new(move |_| {
        let id = params.with(|params| params.get("id")).unwrap_or_default();
        let after = query.with(|query| query.get("after")).unwrap_or_default();
        Some(format!("{id} {after}"))
    });
    data(
        Box::new(move || place.get()),
        Box::new(move |place| {
            let place = place.unwrap_or_default();
            let (id, after) = place.split_once(' ').unwrap_or_default();
            let after = (!after.is_empty()).then(|| after.to_owned());
            match id.parse() {
                Ok(id) => call(input(id, after)),
                Err(_) => Box::pin(ready(Err(Error::NotFound))),
            }
        }),
    )
}

/// Asks for what the address names by `token`, again when it names another.
pub fn load_by_token<S: Call>(
    input: impl Fn(String) -> S + Send + Sync + 'static,
) -> Data<S::Output> {
    load_by("token", input)
}

fn load_by<Id: FromStr, S: Call>(
    name: &'static str,
    input: impl Fn(Id) -> S + Send + Sync + 'static,
) -> Data<S::Output> {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get(name)));
    data(
        Box::new(move || id.get()),
        Box::new(move |id| match id.and_then(|id| id.parse().ok()) {
            Some(id) => call(input(id)),
            None => Box::pin(ready(Err(Error::NotFound))),
        }),
    )
}

type Key = Box<dyn Fn() -> Option<String> + Send + Sync>;
type Fetch = Box<dyn Fn(Option<String>) -> Calling + Send + Sync>;

fn data<T>(key: Key, fetch: Fetch) -> Data<T> {
    Data {
        answer: resource(key, fetch),
        of: PhantomData,
    }
}

/// The only resource: its machinery is large, and compiled once per type.
fn resource(key: Key, fetch: Fetch) -> Resource<Result<Answer, Error>> {
    Resource::new(key, fetch)
}
