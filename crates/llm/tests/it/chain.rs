//! A model made of several.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::events::FinishReason;
use domain::models::{ModelFacts, Price};
use domain::runs::Usage;
use futures::{StreamExt, stream};
use llm::chain::{Breaker, Candidate, Chain, Switch};
use llm::{
    ChatModel, Image, ListedModel, ModelError, ModelEvent, ModelMessage, ModelRequest, ModelStream,
    ToolSpec,
};
use tokio::time::Instant;

use crate::support::hello;

/// A model that does what it is told, call after call; at the end of its script it answers.
#[derive(Default)]
struct Scripted {
    script: Mutex<VecDeque<Vec<Result<ModelEvent, ModelError>>>>,
    seen: Mutex<Vec<ModelRequest>>,
}

impl Scripted {
    fn failing(errors: impl IntoIterator<Item = ModelError>) -> Arc<Self> {
        let script = errors.into_iter().map(|error| vec![Err(error)]).collect();
        Arc::new(Self {
            script: Mutex::new(script),
            seen: Mutex::default(),
        })
    }

    fn calls(&self) -> usize {
        self.seen.lock().expect("a lock").len()
    }
}

#[async_trait]
impl ChatModel for Scripted {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        self.seen.lock().expect("a lock").push(request);
        let next = self.script.lock().expect("a lock").pop_front();
        let events = next.unwrap_or_else(|| vec![Ok(text("ok")), Ok(finished(0))]);
        if let [Err(error)] = events.as_slice() {
            return Err(error.clone());
        }
        Ok(Box::pin(stream::iter(events)))
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        Ok(Vec::new())
    }
}

fn text(text: &str) -> ModelEvent {
    ModelEvent::Text(text.to_owned())
}

fn finished(cost_usd_micros: u64) -> ModelEvent {
    ModelEvent::Finished {
        reason: FinishReason::Stop,
        usage: Usage {
            input_tokens: 1_000,
            output_tokens: 100,
            cost_usd_micros,
            ..Usage::default()
        },
    }
}

fn candidate(name: &str, model: Arc<Scripted>) -> Candidate {
    Candidate {
        model,
        name: name.to_owned(),
        title: name.to_uppercase(),
        temperature: None,
        takes_temperature: true,
        max_output_tokens: None,
        facts: ModelFacts::default(),
        breaker: Arc::default(),
    }
}

/// A chain, and the switches that it tells of.
fn telling(candidates: Vec<Candidate>) -> (Chain, Arc<Mutex<Vec<Switch>>>) {
    let switches = Arc::new(Mutex::new(Vec::new()));
    let told = switches.clone();
    let on_switch = move |switch| told.lock().expect("a lock").push(switch);
    let deadline = Instant::now() + Duration::from_secs(600);
    (
        Chain::new(candidates, deadline, Box::new(on_switch)),
        switches,
    )
}

fn chain(candidates: Vec<Candidate>) -> Chain {
    telling(candidates).0
}

fn only(switches: &Mutex<Vec<Switch>>) -> Switch {
    let mut switches = switches.lock().expect("a lock");
    assert_eq!(switches.len(), 1, "{switches:?}");
    switches.remove(0)
}

fn broken() -> ModelError {
    ModelError::Unavailable {
        status: 503,
        retry_after: None,
        message: None,
    }
}

async fn answer(chain: &Chain, request: ModelRequest) -> Result<Vec<ModelEvent>, ModelError> {
    let events: Vec<_> = chain.stream(request).await?.collect().await;
    events.into_iter().collect()
}

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
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn what_cannot_help_is_not_tried_again() {
    for error in [
        ModelError::Authentication,
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

#[tokio::test]
async fn the_next_model_takes_over_and_says_so() {
    let model = Scripted::failing([ModelError::Authentication]);
    let other = Arc::new(Scripted::default());
    let (chain, switches) = telling(vec![
        candidate("a", model.clone()),
        Candidate {
            temperature: Some(0.7),
            max_output_tokens: Some(50),
            ..candidate("b", other.clone())
        },
    ]);
    let request = ModelRequest {
        temperature: Some(0.1),
        max_output_tokens: Some(99),
        ..hello()
    };

    let events = answer(&chain, request).await.expect("an answer");

    let switch = only(&switches);
    assert_eq!((switch.from.as_str(), switch.to.as_str()), ("A", "B"));
    assert!(switch.reason.contains("key"), "{}", switch.reason);
    assert_eq!(events, [text("ok"), finished(0)]);
    let seen = other.seen.lock().expect("a lock");
    assert_eq!(seen[0].model, "b");
    assert_eq!(seen[0].temperature, Some(0.7));
    assert_eq!(seen[0].max_output_tokens, Some(50));
}

#[tokio::test]
async fn of_several_failures_the_first_models_is_told() {
    let model = Scripted::failing([ModelError::Authentication]);
    let other = Scripted::failing(std::iter::repeat_n(broken(), 9));
    let chain = chain(vec![candidate("a", model), candidate("b", other.clone())]);

    assert_eq!(
        answer(&chain, hello()).await,
        Err(ModelError::Authentication)
    );
    assert_eq!(other.calls(), 4);
}

#[tokio::test]
async fn a_content_filter_is_not_evaded() {
    let model = Scripted::failing([ModelError::Filtered]);
    let other = Arc::new(Scripted::default());
    let chain = chain(vec![candidate("a", model), candidate("b", other.clone())]);

    assert_eq!(answer(&chain, hello()).await, Err(ModelError::Filtered));
    assert_eq!(other.calls(), 0);
}

#[tokio::test]
async fn models_that_are_not_up_to_it_are_passed_over() {
    let tool = ToolSpec {
        name: "t".to_owned(),
        description: String::new(),
        input_schema: serde_json::json!({}),
    };
    let with_tools = ModelRequest {
        tools: Arc::new([tool]),
        ..hello()
    };
    let image = Image {
        media_type: "image/png".into(),
        bytes: bytes::Bytes::from_static(b"png"),
    };
    let with_image = ModelRequest {
        messages: vec![ModelMessage::User {
            text: "See?".into(),
            images: Arc::new([image]),
        }],
        ..hello()
    };
    let long = ModelRequest {
        messages: vec![ModelMessage::user("x".repeat(40_000))],
        ..hello()
    };
    let unable = ModelFacts {
        context_window: Some(4_096),
        supports_tools: Some(false),
        supports_vision: Some(false),
        ..ModelFacts::default()
    };
    for (request, reason) in [
        (with_tools, "it cannot call tools"),
        (with_image, "it does not see pictures"),
        (long, "the conversation does not fit into it"),
    ] {
        let model = Arc::new(Scripted::default());
        let small = Candidate {
            facts: unable,
            ..candidate("a", model.clone())
        };
        let alone = chain(vec![Candidate {
            facts: unable,
            ..candidate("a", model.clone())
        }]);
        let (chain, switches) = telling(vec![small, candidate("b", Arc::default())]);

        answer(&chain, request.clone()).await.expect("an answer");

        assert_eq!(only(&switches).reason, reason);
        assert_eq!(model.calls(), 0);
        // Without another, it gets what it can read.
        answer(&alone, request).await.expect("an answer");
        let seen = model.seen.lock().expect("a lock");
        assert!(seen[0].tools.is_empty());
        assert!(
            matches!(&seen[0].messages[0], ModelMessage::User { images, .. } if images.is_empty())
        );
    }
}

#[tokio::test]
async fn a_connection_that_keeps_failing_rests() {
    let model = Scripted::failing(std::iter::repeat_n(broken(), 5));
    let rest = Duration::from_millis(200);
    let breaker = Arc::new(Breaker::resting(rest));
    let (chain, switches) = telling(vec![
        Candidate {
            breaker: breaker.clone(),
            ..candidate("a", model.clone())
        },
        candidate("b", Arc::default()),
    ]);
    // Two tries each time before the other takes over.
    for _ in 0..3 {
        answer(&chain, hello()).await.expect("an answer");
    }
    assert_eq!(model.calls(), 6, "the sixth call answered");
    breaker.close();
    for _ in 0..5 {
        breaker.note(&broken());
    }

    switches.lock().expect("a lock").clear();

    answer(&chain, hello()).await.expect("an answer");

    assert_eq!(model.calls(), 6, "it was not asked");
    assert!(only(&switches).reason.contains("rests"));
    tokio::time::sleep(rest).await;
    answer(&chain, hello()).await.expect("an answer");
    assert_eq!(model.calls(), 7, "after the rest it is asked again");
}

#[tokio::test]
async fn the_only_model_is_asked_whatever_happened() {
    let model = Scripted::failing([]);
    let breaker = Arc::new(Breaker::default());
    for _ in 0..9 {
        breaker.note(&broken());
    }
    let chain = chain(vec![Candidate {
        breaker,
        ..candidate("a", model)
    }]);

    answer(&chain, hello()).await.expect("an answer");
}

#[tokio::test]
async fn the_price_of_whoever_answered_is_counted() {
    let free = Candidate {
        facts: ModelFacts {
            price: Some(Price::FREE),
            ..ModelFacts::default()
        },
        ..candidate("a", Scripted::failing([ModelError::Authentication]))
    };
    let paid = Candidate {
        facts: ModelFacts {
            price: Some(Price {
                input_usd_micros: 1_000_000,
                output_usd_micros: 5_000_000,
                ..Price::FREE
            }),
            ..ModelFacts::default()
        },
        ..candidate("b", Arc::default())
    };

    let events = answer(&chain(vec![free, paid]), hello())
        .await
        .expect("an answer");

    // 1,000 tokens at $1 and 100 at $5 a million.
    assert_eq!(events.last(), Some(&finished(1_500)));
}
