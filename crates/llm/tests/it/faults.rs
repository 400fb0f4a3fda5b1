//! Whatever happens on the way, every adapter says the same.

use std::time::{Duration, SystemTime};

use domain::events::FinishReason;
use domain::runs::Usage;
use futures::StreamExt;
use llm::{ModelError, ModelEvent, ModelRequest, ToolSpec};

use crate::support::{GOOD, Then, answer, hello};
use crate::wire::{ALL, Wire};

async fn answer_to(
    wire: Wire,
    pieces: Vec<Vec<u8>>,
    then: Then,
) -> (String, Result<ModelEvent, ModelError>) {
    let (model, _server) = wire.serve(GOOD, pieces, then).await;
    answer(&*model).await
}

fn finished() -> Result<ModelEvent, ModelError> {
    Ok(ModelEvent::Finished {
        reason: FinishReason::Stop,
        usage: Usage {
            input_tokens: 9,
            output_tokens: 2,
            ..Usage::default()
        },
    })
}

#[tokio::test]
async fn every_status_has_its_kind_with_every_provider() {
    for wire in ALL {
        for (status, kind, is_retryable) in [
            (400, "bad_request", false),
            (401, "authentication", false),
            (403, "authentication", false),
            (404, "not_found", false),
            (408, "unavailable", true),
            (413, "too_long", false),
            (422, "bad_request", false),
            (429, "rate_limited", true),
            (500, "unavailable", true),
            (502, "unavailable", true),
            (503, "unavailable", true),
            (529, "unavailable", true),
        ] {
            let body = "{\"type\":\"error\",\"error\":{\"message\":\"no sk-secret\"}}";
            let head = format!("{status} X\r\ncontent-type: application/json");
            let (model, _server) = wire.serve(&head, vec![body.into()], Then::End).await;

            let error = answer(&*model).await.1.expect_err("an error");

            assert_eq!(
                (error.kind(), error.is_retryable()),
                (kind, is_retryable),
                "{wire:?} {status}"
            );
            assert!(!error.to_string().contains("sk-secret"), "{error}");
        }
    }
}

#[tokio::test]
async fn retry_after_is_read_from_every_provider() {
    let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
    for wire in ALL {
        for (value, least, most) in [("7", 7, 7), (soon.as_str(), 80, 90)] {
            let head = format!("429 X\r\nretry-after: {value}");
            let (model, _server) = wire.serve(&head, vec![], Then::End).await;

            let error = answer(&*model).await.1.expect_err("an error");

            let seconds = error.retry_after().expect("a time").as_secs();
            assert!((least..=most).contains(&seconds), "{wire:?} {value}");
        }
    }
}

#[tokio::test]
async fn a_conversation_that_does_not_fit_is_told_apart() {
    for (wire, message) in [
        (
            Wire::Chat,
            "This model's maximum context length is 8192 tokens.",
        ),
        (
            Wire::Messages,
            "prompt is too long: 210000 tokens > 200000 maximum",
        ),
        (
            Wire::Gemini,
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
        ),
    ] {
        let body = serde_json::json!({"error": {"message": message}}).to_string();
        let (model, _server) = wire.serve("400 X", vec![body.into()], Then::End).await;

        let error = answer(&*model).await.1.expect_err("an error");

        assert_eq!(error, ModelError::TooLong, "{wire:?}");
    }
}

#[tokio::test]
async fn every_cut_of_every_format_gives_the_same_text() {
    for wire in ALL {
        let body = format!(
            "\u{feff}: hi\n\n{}{}{}",
            wire.text("né漢🌍"),
            wire.text(" \"\\ü"),
            wire.stop()
        );
        for cut in 0..body.len() {
            let (before, after) = body.as_bytes().split_at(cut);

            let (text, end) = answer_to(wire, vec![before.into(), after.into()], Then::End).await;

            assert_eq!(text, "né漢🌍 \"\\ü", "{wire:?} cut at {cut}");
            assert_eq!(end, finished(), "{wire:?} cut at {cut}");
        }
    }
}

#[tokio::test]
async fn single_bytes_and_every_line_ending_do_no_harm() {
    for wire in ALL {
        let body = format!(
            ": comment\n\nid: 1\nretry: 5\n\n{}{}",
            wire.text("né漢🌍"),
            wire.stop()
        );
        for ending in ["\n", "\r", "\r\n"] {
            let body = body.replace('\n', ending);
            let pieces = body.bytes().map(|byte| vec![byte]).collect();

            let (text, end) = answer_to(wire, pieces, Then::End).await;

            assert_eq!((text.as_str(), end), ("né漢🌍", finished()), "{wire:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_keeps_its_text() {
    for wire in ALL {
        for then in [Then::End, Then::Reset] {
            let (text, end) = answer_to(wire, vec![wire.text("half").into()], then).await;

            assert_eq!(
                (text.as_str(), end),
                ("half", Err(ModelError::Interrupted)),
                "{wire:?}"
            );
        }
    }
}

#[tokio::test]
async fn silence_ends_every_answer_in_time() {
    for wire in ALL {
        for pieces in [vec![], vec![wire.text("half").into()]] {
            let expected = if pieces.is_empty() { "" } else { "half" };

            let (text, end) = answer_to(wire, pieces, Then::Stall).await;

            assert_eq!(text, expected, "{wire:?}");
            assert_eq!(end.expect_err("an error").kind(), "timeout", "{wire:?}");
        }
    }
}

#[tokio::test]
async fn where_tools_are_offered_pauses_may_be_as_long_as_the_first() {
    for wire in ALL {
        let tool = ToolSpec {
            name: "write".to_owned(),
            description: "Writes.".to_owned(),
            input_schema: serde_json::json!({"type": "object"}),
        };
        let request = ModelRequest {
            tools: vec![tool].into(),
            ..hello()
        };
        let (model, _server) = wire
            .serve(GOOD, vec![wire.text("half").into()], Then::Stall)
            .await;

        let stream = model.stream(request).await.expect("an answer");
        let events: Vec<_> = stream.collect().await;

        // The other deadline is below a second.
        let timeout = ModelError::Timeout { seconds: 3 };
        assert_eq!(events.last(), Some(&Err(timeout)), "{wire:?}");
    }
}

#[tokio::test]
async fn errors_in_the_middle_are_told() {
    for wire in ALL {
        let body = wire.text("half") + &wire.error();

        let (text, end) = answer_to(wire, vec![body.into()], Then::Stall).await;

        let message = Some("scripted".to_owned());
        assert_eq!(text, "half");
        assert_eq!(end, Err(ModelError::Failed { message }), "{wire:?}");
    }
}

#[tokio::test]
async fn what_is_no_event_of_the_format_is_malformed() {
    for wire in ALL {
        for body in [
            wire.broken_text(),
            b"data: {not json}\n\n".to_vec(),
            b"data: [1,2]\n\n".to_vec(),
            b"data: 7\n\n".to_vec(),
        ] {
            let (_, end) = answer_to(wire, vec![body.clone()], Then::Stall).await;

            let body = String::from_utf8_lossy(&body).into_owned();
            let error = end.expect_err("an error");
            assert_eq!(error.kind(), "malformed", "{wire:?} {body}");
        }
    }
}

#[tokio::test]
async fn an_event_beyond_8_mib_ends_every_answer() {
    for wire in ALL {
        let mut pieces = vec![b"data: ".to_vec()];
        pieces.extend(std::iter::repeat_n(vec![b'x'; 1024 * 1024], 9));

        let (_, end) = answer_to(wire, pieces, Then::Stall).await;

        assert_eq!(end, Err(ModelError::TooLarge { limit_mib: 8 }), "{wire:?}");
    }
}

#[tokio::test]
async fn an_event_of_7_mib_passes() {
    for wire in ALL {
        let long = "x".repeat(7 * 1024 * 1024);
        let body = wire.text(&long) + &wire.stop();

        let (text, end) = answer_to(wire, vec![body.into()], Then::End).await;

        assert_eq!(text.len(), long.len(), "{wire:?}");
        assert_eq!(end, finished());
    }
}

#[tokio::test]
async fn keys_travel_in_headers_only() {
    for wire in ALL {
        let (model, server) = wire.serve(GOOD, vec![wire.stop().into()], Then::End).await;

        answer(&*model).await.1.expect("an answer");
        drop(model);

        let request = server.await.expect("the server");
        let (head, body) = request.split_once("\r\n\r\n").expect("a head");
        let line = head.lines().next().expect("a line");
        assert!(head.contains("sk-secret"), "{wire:?}");
        assert!(!line.contains("sk-secret") && !body.contains("sk-secret"));
    }
}
