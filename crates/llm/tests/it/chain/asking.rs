//! What each of several models is asked, and when.

use std::sync::Arc;
use std::time::Duration;

use domain::models::{ModelFacts, Price};
use futures::StreamExt;
use llm::chain::{Breaker, Candidate, LastAsked};
use llm::{ChatModel, Image, ModelError, ModelEvent, ModelMessage, ModelRequest};

use super::{Scripted, answer, broken, candidate, chain, finished, only, telling, text};
use crate::support::hello;

/// A model that wants something to be sent back.
fn carrying(what: &str) -> Arc<Scripted> {
    let model = Scripted::default();
    let events = vec![Ok(ModelEvent::Carry(what.to_owned())), Ok(finished(0))];
    model.script.lock().expect("a lock").push_back(events);
    Arc::new(model)
}

fn after(carry: &str) -> ModelRequest {
    let answered = ModelMessage::Assistant {
        text: "Let me look.".into(),
        tool_calls: Arc::new([]),
        carry: Some(carry.into()),
    };
    ModelRequest {
        messages: vec![
            ModelMessage::user("Look"),
            answered,
            ModelMessage::user("And?"),
        ],
        ..hello()
    }
}

fn carry_seen(model: &Scripted, call: usize) -> Option<String> {
    match &model.seen.lock().expect("a lock")[call].messages[1] {
        ModelMessage::Assistant { carry, .. } => carry.as_deref().map(str::to_owned),
        other => panic!("{other:?} is no answer"),
    }
}

#[tokio::test]
async fn what_a_provider_wants_back_is_told_to_nobody_else() {
    let (own, other) = (
        carrying("{\"chat\":\"thoughts\"}"),
        Arc::new(Scripted::default()),
    );
    let own_chain = chain(vec![candidate("a", own.clone())]);
    let other_chain = chain(vec![candidate("b", other.clone())]);

    let events = answer(&own_chain, hello()).await.expect("an answer");
    let ModelEvent::Carry(carry) = &events[0] else {
        panic!("{events:?}");
    };
    answer(&own_chain, after(carry)).await.expect("an answer");
    answer(&other_chain, after(carry)).await.expect("an answer");
    // From before it was marked.
    answer(&own_chain, after("{\"chat\":\"old\"}"))
        .await
        .expect("an answer");

    assert_eq!(
        carry_seen(&own, 1).as_deref(),
        Some("{\"chat\":\"thoughts\"}")
    );
    assert_eq!(carry_seen(&other, 0), None);
    assert_eq!(carry_seen(&own, 2), None);
}

#[tokio::test]
async fn pictures_keep_a_blind_model_away_until_the_end_of_the_run() {
    let image = Image {
        media_type: "image/png".into(),
        bytes: bytes::Bytes::from_static(b"png"),
    };
    let request = ModelRequest {
        messages: vec![
            ModelMessage::User {
                text: "What is it?".into(),
                images: Arc::new([image]),
            },
            ModelMessage::assistant("Let me look closer."),
            ModelMessage::Tool {
                call_id: "c".into(),
                name: "zoom".into(),
                text: "done".into(),
                is_error: false,
            },
        ],
        ..hello()
    };
    let blind = Arc::new(Scripted::default());
    let (chain, switches) = telling(vec![
        Candidate {
            facts: ModelFacts {
                supports_vision: Some(false),
                ..ModelFacts::default()
            },
            ..candidate("a", blind.clone())
        },
        candidate("b", Arc::default()),
    ]);

    answer(&chain, request).await.expect("an answer");

    assert_eq!(blind.calls(), 0);
    assert_eq!(only(&switches).reason, "it does not see pictures");
}

#[tokio::test]
async fn a_fallback_that_nobody_asks_keeps_its_chance() {
    let rest = Duration::from_millis(200);
    let breaker = Arc::new(Breaker::resting(rest));
    for _ in 0..5 {
        breaker.note(&broken());
    }
    tokio::time::sleep(rest).await;
    let fallback = Arc::new(Scripted::default());
    let failing = Scripted::failing([]);
    let chain = chain(vec![
        candidate("a", failing.clone()),
        Candidate {
            breaker,
            ..candidate("b", fallback.clone())
        },
    ]);
    // The first one answers; the other is not asked.
    answer(&chain, hello()).await.expect("an answer");
    let refused = vec![Err(ModelError::Authentication { message: None })];
    failing.script.lock().expect("a lock").push_back(refused);

    answer(&chain, hello()).await.expect("an answer");

    assert_eq!(fallback.calls(), 1);
}

#[tokio::test]
async fn whoever_rests_is_asked_when_the_others_have_failed() {
    let resting = Arc::new(Scripted::default());
    let breaker = Arc::new(Breaker::default());
    for _ in 0..5 {
        breaker.note(&broken());
    }
    let refusing = Scripted::failing([ModelError::Authentication { message: None }]);
    let (chain, switches) = telling(vec![
        Candidate {
            breaker,
            ..candidate("a", resting.clone())
        },
        candidate("b", refusing.clone()),
    ]);

    let events = answer(&chain, hello()).await.expect("an answer");

    assert_eq!(events[0], text("ok"));
    assert_eq!((resting.calls(), refusing.calls()), (1, 1));
    assert!(
        switches.lock().expect("a lock").is_empty(),
        "a switch to itself"
    );
}

#[tokio::test]
async fn what_is_left_of_a_runs_tokens_is_asked_for_only_where_it_fits() {
    let window = |tokens| ModelFacts {
        context_window: Some(tokens),
        ..ModelFacts::default()
    };
    let output = |tokens| ModelFacts {
        max_output_tokens: Some(tokens),
        ..ModelFacts::default()
    };
    let both = |window_tokens, output_tokens| ModelFacts {
        context_window: Some(window_tokens),
        ..output(output_tokens)
    };
    for (facts, own, left, asked) in [
        // Nothing is known: what nearly every answer keeps to is not said.
        (ModelFacts::default(), None, 500, Some(500)),
        (ModelFacts::default(), None, 16_384, None),
        (ModelFacts::default(), Some(4_000), 16_384, Some(4_000)),
        (ModelFacts::default(), Some(4_000), 100, Some(100)),
        (output(8_000), None, 16_384, Some(8_000)),
        (output(32_000), None, 16_384, Some(16_384)),
        // Of the window, "Be kind." and "Hello" leave 4,093 tokens, and 3,070 of them for sure.
        (window(4_096), None, 16_384, None),
        (window(4_096), None, 3_071, None),
        (window(4_096), None, 3_070, Some(3_070)),
        (window(500), None, 16, None),
        (window(200_000), None, 16_384, Some(16_384)),
        (both(200_000, 8_000), None, 900_000, Some(8_000)),
    ] {
        let model = Arc::new(Scripted::default());
        let chain = chain(vec![Candidate {
            facts,
            ..candidate("a", model.clone())
        }]);
        let request = ModelRequest {
            max_output_tokens: own,
            output_tokens_left: Some(left),
            ..hello()
        };

        answer(&chain, request).await.expect("an answer");

        let seen = model.seen.lock().expect("a lock")[0].max_output_tokens;
        assert_eq!(seen, asked, "{facts:?} {own:?} {left}");
    }
}

#[tokio::test]
async fn who_was_asked_is_known_before_the_end() {
    let asked = LastAsked::default();
    let priced = Candidate {
        facts: ModelFacts {
            price: Some(Price::FREE),
            ..ModelFacts::default()
        },
        ..candidate("b", Arc::default())
    };
    let refusing = || Scripted::failing([ModelError::Authentication { message: None }]);
    let both = chain(vec![candidate("a", refusing()), priced]).noting(asked.clone());
    let alone = chain(vec![candidate("a", refusing())]).noting(asked.clone());

    let mut stream = both.stream(hello()).await.expect("an answer");
    stream.next().await;
    let answering = asked.get().expect("somebody was asked");
    let refused = alone.stream(hello()).await.err();

    assert_eq!(
        (answering.name.as_str(), answering.price),
        ("b", Some(Price::FREE))
    );
    assert!(refused.is_some());
    assert!(asked.get().is_none(), "who refuses costs nothing");
}
