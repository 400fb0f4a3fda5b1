//! Which of several models answers.

use std::sync::Arc;
use std::time::Duration;

use domain::models::{ModelFacts, Price};
use llm::chain::{Breaker, Candidate};
use llm::{Image, ModelError, ModelMessage, ModelRequest, ToolSpec};

use super::{Scripted, answer, broken, candidate, chain, finished, only, telling, text};
use crate::support::hello;

#[tokio::test]
async fn the_next_model_takes_over_and_says_so() {
    let model = Scripted::failing([ModelError::Authentication { message: None }]);
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
    let model = Scripted::failing([ModelError::Authentication { message: None }]);
    let other = Scripted::failing(std::iter::repeat_n(broken(), 9));
    let chain = chain(vec![candidate("a", model), candidate("b", other.clone())]);

    assert_eq!(
        answer(&chain, hello()).await,
        Err(ModelError::Authentication { message: None })
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
    let rest = Duration::from_secs(1);
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
        ..candidate(
            "a",
            Scripted::failing([ModelError::Authentication { message: None }]),
        )
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

#[tokio::test]
async fn answers_of_a_given_form_come_from_models_that_keep_to_it() {
    let request = ModelRequest {
        output_schema: Some(Arc::new(serde_json::json!({"type": "object"}))),
        ..hello()
    };
    let unable = |model: &Arc<Scripted>| Candidate {
        facts: ModelFacts {
            supports_json_schema: Some(false),
            ..ModelFacts::default()
        },
        ..candidate("a", model.clone())
    };
    let model = Arc::new(Scripted::default());
    let (with_another, switches) = telling(vec![unable(&model), candidate("b", Arc::default())]);

    answer(&with_another, request.clone())
        .await
        .expect("an answer");
    let alone = answer(&chain(vec![unable(&model)]), request).await;

    assert_eq!(only(&switches).reason, "it cannot keep to a JSON schema");
    assert_eq!(alone, Err(ModelError::NoJsonSchema));
    assert_eq!(model.calls(), 0);
}
