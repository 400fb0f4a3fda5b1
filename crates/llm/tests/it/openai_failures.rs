//! Whatever a server does wrong becomes a typed error in time.

use std::time::{Duration, SystemTime};

use crate::support::{STOP, Then, answer, answer_to, client, event, serve};
use llm::openai::OpenAi;
use llm::{ChatModel, ModelError};
use outbound::{Outbound, Policy};
use url::Url;

async fn answer_of_status(head: &str, body: &str) -> ModelError {
    let (model, _server) = serve(head, vec![body.into()], Then::End).await;
    answer(&model).await.1.expect_err("an error")
}

#[tokio::test]
async fn each_status_has_its_kind() {
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
        (302, "unexpected_status", false),
        (418, "unexpected_status", false),
    ] {
        let error =
            answer_of_status(&format!("{status} X"), "{\"error\":{\"message\":\"no\"}}").await;

        assert_eq!(
            (error.kind(), error.is_retryable()),
            (kind, is_retryable),
            "{status}"
        );
        assert_eq!(error.to_fault().kind, kind);
        assert_eq!(error.to_run_error().retryable, is_retryable);
    }
}

#[tokio::test]
async fn the_providers_words_are_shown_short_and_without_the_key() {
    let long = format!("bad\\n key sk-secret {}", "x".repeat(20_000));
    for body in [
        "{\"error\":{\"message\":\"bad\\n key sk-secret xxx\",\"type\":\"t\"}}".to_owned(),
        "{\"error\":\"bad key sk-secret x\"}".to_owned(),
        "{\"message\":\"bad key sk-secret x\"}".to_owned(),
        format!("{{\"error\":{{\"message\":\"{}\"}}}}", &long[..5000]),
    ] {
        let message = answer_of_status("400 Bad Request", &body).await.to_string();

        assert!(message.contains("“bad key … x"), "{message}");
        assert!(
            !message.contains("sk-secret") && !message.contains('\n'),
            "{message}"
        );
        assert!(message.chars().count() < 400, "{message}");
    }
    for body in [
        "<html>secret page</html>",
        "",
        "[1]",
        "{\"error\":null}",
        "{\"error\":{\"message\":7}}",
    ] {
        let error = answer_of_status("400 Bad Request", body).await;
        assert_eq!(error, ModelError::BadRequest { message: None }, "{body}");
    }
}

#[tokio::test]
async fn retry_after_is_read_as_seconds_and_as_a_date() {
    let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
    for (value, least, most) in [
        ("7".to_owned(), 7, 7),
        ("12.6".to_owned(), 12, 12),
        (soon, 80, 90),
        ("Wed, 21 Oct 2015 07:28:00 GMT".to_owned(), 0, 0),
    ] {
        for status in [429, 503] {
            let error = answer_of_status(&format!("{status} X\r\nretry-after: {value}"), "").await;

            let seconds = error.retry_after().expect("a time").as_secs();
            assert!((least..=most).contains(&seconds), "{value}: {seconds}");
        }
    }
    let error = answer_of_status("429 X\r\nretry-after: soon", "").await;
    assert_eq!(error.retry_after(), None);
}

#[tokio::test]
async fn an_answer_without_an_end_is_interrupted_and_its_text_kept() {
    for then in [Then::End, Then::Reset] {
        let (text, end) = answer_to(vec![event("half").into()], then).await;

        assert_eq!((text.as_str(), end), ("half", Err(ModelError::Interrupted)));
    }
    let (_, end) = answer_to(vec![], Then::End).await;
    assert_eq!(end, Err(ModelError::Interrupted));
}

#[tokio::test]
async fn a_reset_after_the_end_does_no_harm() {
    let (text, end) = answer_to(vec![(event("all") + STOP).into()], Then::Reset).await;

    assert_eq!(text, "all");
    end.expect("a finished answer");
}

#[tokio::test]
async fn silence_ends_in_a_timeout() {
    for (pieces, text) in [(vec![], ""), (vec![event("half").into()], "half")] {
        let (said, end) = answer_to(pieces, Then::Stall).await;

        assert_eq!(said, text);
        assert_eq!(end.expect_err("an error").kind(), "timeout");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let model = client(listener.local_addr().expect("an address").port());

    assert_eq!(
        answer(&model).await.1.expect_err("an error").kind(),
        "timeout"
    );
    assert_eq!(
        model.list_models().await.expect_err("an error").kind(),
        "timeout"
    );
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);

    let error = answer(&client(port)).await.1.expect_err("an error");

    let host = format!("127.0.0.1:{port}");
    assert_eq!(error, ModelError::Unreachable { host });
}

#[tokio::test]
async fn a_private_address_is_refused() {
    let outbound = Outbound::new(Policy::new(None, false)).expect("a client");
    for url in ["http://127.0.0.1:1/v1", "https://localhost:1/v1"] {
        let url = Url::parse(url).expect("a URL");
        let model = OpenAi::new(outbound.clone(), url.clone(), None);

        let error = answer(&model).await.1.expect_err("an error");

        assert_eq!(error.kind(), "refused_address", "{url}");
    }
}

#[tokio::test]
async fn errors_in_mid_stream_are_errors() {
    for body in [
        "data: {\"error\":{\"message\":\"overloaded\",\"code\":7}}\n\n",
        "event: error\ndata: {\"error\":\"overloaded\"}\n\n",
    ] {
        let (text, end) = answer_to(vec![(event("half") + body).into()], Then::End).await;

        let message = Some("overloaded".to_owned());
        assert_eq!(
            (text.as_str(), end),
            ("half", Err(ModelError::Failed { message }))
        );
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_malformed() {
    let bodies: [&[u8]; 4] = [
        b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n",
        b"data: {not json}\n\n",
        b"data: [1,2]\n\n",
        b"data: {\"choices\":7}\n\n",
    ];
    for body in bodies {
        let (_, end) = answer_to(vec![body.to_vec()], Then::End).await;

        assert_eq!(end.expect_err("an error").kind(), "malformed");
    }
    for content_type in ["text/html; charset=utf-8", "application/json"] {
        let error =
            answer_of_status(&format!("200 OK\r\ncontent-type: {content_type}"), "{}").await;
        assert_eq!(error.kind(), "malformed");
    }
}

#[tokio::test]
async fn an_event_beyond_8_mib_is_refused() {
    let mib = vec![b'x'; 1024 * 1024];
    let mut pieces = vec![b"data: ".to_vec()];
    pieces.extend(std::iter::repeat_n(mib, 9));

    let (_, end) = answer_to(pieces, Then::Stall).await;

    assert_eq!(end, Err(ModelError::TooLarge { limit_mib: 8 }));
}

#[tokio::test]
async fn models_are_listed_in_order() {
    let body =
        "{\"data\":[{\"id\":\"b\",\"max_model_len\":4096},{\"id\":\"a\",\"owned_by\":\"x\"}]}";
    let (model, server) = serve("200 OK", vec![body.into()], Then::End).await;

    let models = model.list_models().await.expect("a list");

    let models: Vec<_> = models
        .iter()
        .map(|m| (m.name.as_str(), m.context_window))
        .collect();
    assert_eq!(models, [("b", Some(4096)), ("a", None)]);
    drop(model);
    assert!(
        server
            .await
            .expect("the server")
            .starts_with("GET /v1/models HTTP/1.1")
    );
}

#[tokio::test]
async fn a_list_beyond_4_mib_is_refused() {
    let pieces = std::iter::repeat_n(vec![b' '; 1024 * 1024], 5).collect();
    let (model, _server) = serve("200 OK", pieces, Then::Stall).await;

    let error = model.list_models().await.expect_err("an error");

    assert_eq!(error, ModelError::TooLarge { limit_mib: 4 });
}
