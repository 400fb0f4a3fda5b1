//! Answers arrive unharmed however the network cuts them.

use crate::support::{STOP, Then, answer, answer_to, event, hello, serve};
use domain::events::FinishReason;
use domain::runs::Usage;
use futures::StreamExt;
use llm::{ChatModel, ModelError, ModelEvent};

fn finished(end: Result<ModelEvent, ModelError>) -> FinishReason {
    match end {
        Ok(ModelEvent::Finished { reason, .. }) => reason,
        end => panic!("not finished but {end:?}"),
    }
}

#[tokio::test]
async fn the_request_is_what_chat_completions_expects() {
    let (model, server) = serve("200 OK", vec![STOP.into()], Then::End).await;

    answer(&model).await.1.expect("an answer");

    // The connection stays open for the next call as long as the client lives.
    drop(model);
    let request = server.await.expect("the server");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert!(
        head.starts_with("POST /v1/chat/completions HTTP/1.1"),
        "{head}"
    );
    assert!(head.contains("authorization: Bearer sk-secret"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let expected = serde_json::json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hello"},
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn every_cut_gives_the_same_text() {
    let body = format!(
        "\u{feff}: hi\n\n{}{}{STOP}",
        event("né漢🌍"),
        event(" \"\\ü")
    );
    for cut in 0..body.len() {
        let pieces = vec![
            body.as_bytes()[..cut].to_vec(),
            body.as_bytes()[cut..].to_vec(),
        ];

        let (text, end) = answer_to(pieces, Then::End).await;

        assert_eq!(text, "né漢🌍 \"\\ü", "cut at {cut}");
        assert_eq!(finished(end), FinishReason::Stop);
    }
}

#[tokio::test]
async fn single_bytes_and_every_line_ending_give_the_same_text() {
    let body = format!(
        ": comment\n\nevent: x\nid: 1\nretry: 5\n{}{STOP}",
        event("né漢🌍")
    );
    for ending in ["\n", "\r", "\r\n"] {
        let body = body.replace('\n', ending);

        let (text, end) = answer_to(body.bytes().map(|byte| vec![byte]).collect(), Then::End).await;

        assert_eq!(text, "né漢🌍", "{ending:?}");
        assert_eq!(finished(end), FinishReason::Stop);
    }
}

#[tokio::test]
async fn each_chunk_is_handed_on_before_the_next_comes() {
    let pieces = vec![event("a").into(), event("b").into()];
    let (model, _server) = serve("200 OK", pieces, Then::Stall).await;
    let mut stream = model.stream(hello()).await.expect("a stream");

    for expected in ["a", "b"] {
        let text = stream.next().await.expect("an event").expect("a text");
        assert_eq!(text, ModelEvent::Text(expected.to_owned()));
    }
}

#[tokio::test]
async fn finish_reasons_are_told_apart() {
    for (wire, expected) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("tool_calls", FinishReason::ToolCalls),
        ("eos", FinishReason::Stop),
    ] {
        let body = format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"x\"}},\"finish_reason\":\"{wire}\"}}]}}\n\n"
        );

        // The end of the body does instead of the end mark.
        let (text, end) = answer_to(vec![body.into()], Then::End).await;

        assert_eq!((text.as_str(), finished(end)), ("x", expected), "{wire}");
    }
    let body = "data: {\"choices\":[{\"finish_reason\":\"content_filter\"}]}\n\ndata: [DONE]\n\n";
    let (_, end) = answer_to(vec![body.into()], Then::End).await;
    assert_eq!(end, Err(ModelError::Filtered));
}

#[tokio::test]
async fn usage_is_taken_or_estimated() {
    let sent = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";
    let usages = [
        (format!("{}{sent}{STOP}", event("Hi")), (9, 2)),
        // "Be kind." and "Hello" are 13 characters, "Hello" 5.
        (format!("{}{STOP}", event("Hello")), (4, 2)),
    ];
    for (body, (input_tokens, output_tokens)) in usages {
        let (_, end) = answer_to(vec![body.into()], Then::End).await;

        let usage = Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        };
        let reason = FinishReason::Stop;
        assert_eq!(end, Ok(ModelEvent::Finished { reason, usage }));
    }
}

#[tokio::test]
async fn nul_characters_are_replaced() {
    let (text, _) = answer_to(vec![(event("a\0b") + STOP).into()], Then::End).await;

    assert_eq!(text, "a\u{fffd}b");
}

#[tokio::test]
async fn dropping_the_stream_hangs_up() {
    let (model, server) = serve("200 OK", vec![event("a").into()], Then::Stall).await;
    let mut stream = model.stream(hello()).await.expect("a stream");
    stream.next().await.expect("an event").expect("a text");

    drop(stream);

    // The server ends only when its caller is gone.
    server.await.expect("the server");
}
