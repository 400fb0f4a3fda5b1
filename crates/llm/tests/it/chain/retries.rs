//! When a model is asked again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use llm::chain::Chain;
use llm::{ChatModel, ModelError};
use tokio::time::Instant;

use super::{Scripted, answer, broken, candidate, chain, finished, text};
use crate::support::hello;

#[tokio::test]
async fn a_failure_before_the_first_word_is_tried_again() {
    let model = Scripted::failing([broken(), broken(), broken()]);
    let chain = chain(vec![candidate("a", model.clone())]);

    let events = answer(&chain, hello()).await.expect("an answer");

    assert_eq!(events, [text("ok"), finished(0)]);
    assert_eq!(model.calls(), 4);
}

#[tokio::test]
async fn tries_are_bounded() {
    let model = Scripted::failing(std::iter::repeat_n(broken(), 9));
    let chain = chain(vec![candidate("a", model.clone())]);
    let started = Instant::now();

    let error = answer(&chain, hello()).await.expect_err("an error");

    assert_eq!(error, broken());
    assert_eq!(model.calls(), 4, "one call and three retries");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn what_cannot_help_is_not_tried_again() {
    for error in [
        ModelError::Authentication { message: None },
        ModelError::BadRequest { message: None },
        ModelError::Timeout { seconds: 60 },
    ] {
        let model = Scripted::failing([error.clone()]);
        let chain = chain(vec![candidate("a", model.clone())]);

        assert_eq!(answer(&chain, hello()).await, Err(error));
        assert_eq!(model.calls(), 1);
    }
}

#[tokio::test]
async fn retry_after_is_kept_to() {
    let wait = Duration::from_secs(2);
    let busy = ModelError::RateLimited {
        retry_after: Some(wait),
        message: None,
    };
    let model = Scripted::failing([busy]);
    let chain = chain(vec![candidate("a", model.clone())]);
    let started = Instant::now();

    answer(&chain, hello()).await.expect("an answer");

    assert!(started.elapsed() >= wait);
    assert_eq!(model.calls(), 2);
}

#[tokio::test]
async fn nothing_is_tried_again_beyond_the_deadline() {
    let busy = ModelError::RateLimited {
        retry_after: Some(Duration::from_secs(9)),
        message: None,
    };
    let model = Scripted::failing([busy.clone()]);
    let deadline = Instant::now() + Duration::from_secs(5);
    let candidates = vec![candidate("a", model.clone())];
    let chain = Chain::new(candidates, deadline, Box::new(|_| ()));

    assert_eq!(answer(&chain, hello()).await, Err(busy));
    assert_eq!(model.calls(), 1);
}

#[tokio::test]
async fn nothing_is_tried_again_after_the_first_word() {
    let model = Arc::new(Scripted::default());
    let half = vec![Ok(text("half")), Err(ModelError::Interrupted)];
    model.script.lock().expect("a lock").push_back(half);
    let other = Arc::new(Scripted::default());
    let chain = chain(vec![
        candidate("a", model.clone()),
        candidate("b", other.clone()),
    ]);

    let events: Vec<_> = chain
        .stream(hello())
        .await
        .expect("an answer")
        .collect()
        .await;

    assert_eq!(events, [Ok(text("half")), Err(ModelError::Interrupted)]);
    assert_eq!((model.calls(), other.calls()), (1, 0));
}
