use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bytes::Bytes;
use testkit::{Answer, ScriptedModel};
use tokio::io::AsyncReadExt;

use crate::client::Completion;

/// The end of a chunked body.
const END: &str = "\r\n0\r\n\r\n";

#[tokio::test]
async fn streams_the_script_and_notes_the_request() {
    let model = ScriptedModel::start().await;
    model.next(Answer::numbered(400).usage(7, 400).finish_reason("length"));

    let mut completion = Completion::ask(&model.base_url(), true).await;
    completion.read_until(END).await;

    let expected: String = (0..400).map(|i| format!("{i} ")).collect();
    assert_eq!(completion.content(), expected);
    let chunks = completion.chunks();
    let [.., finish, usage] = &chunks[..] else {
        panic!("too few chunks")
    };
    assert_eq!(finish["choices"][0]["finish_reason"], "length");
    assert_eq!(usage["usage"]["completion_tokens"], 400);
    assert!(completion.text().contains("data: [DONE]"));
    assert_eq!(model.requests()[0]["messages"][0]["content"], "hello");
    assert_eq!(
        model.seen()[0].header("authorization"),
        Some("Bearer sk-test")
    );
    assert_eq!(model.request_count(), 1);
}

#[tokio::test]
async fn queued_answers_come_before_the_usual_one() {
    let model = ScriptedModel::start().await;
    model.always(Answer::text("usual"));
    model.next(Answer::text("first"));

    let mut first = Completion::ask(&model.base_url(), true).await;
    first.read_until(END).await;
    let mut second = Completion::ask(&model.base_url(), true).await;
    second.read_until(END).await;

    assert_eq!([first.content(), second.content()], ["first", "usual"]);
}

#[tokio::test]
async fn without_streaming_the_answer_is_one_object() {
    let model = ScriptedModel::start().await;
    model.next(Answer::text("hello there").usage(1, 2));

    let mut completion = Completion::ask(&model.base_url(), false).await;
    let text = completion.read_until(r#""total_tokens":3}}"#).await;

    assert!(text.contains(r#""content":"hello there""#), "{text}");
}

#[tokio::test]
async fn gate_lets_out_what_is_released_and_no_more() {
    let model = ScriptedModel::start().await;
    let (answer, gate) = Answer::numbered(5).held();
    model.next(answer);
    let mut completion = Completion::ask(&model.base_url(), true).await;

    gate.release(2);
    completion.read_until(r#""content":"1 ""#).await;
    // Nothing else is under way: the server waits at the gate, and says so.
    assert_eq!(model.open_streams(), 1);
    assert_eq!(completion.content(), "0 1 ");
    gate.release(3);
    completion.read_until(r#""content":"4 ""#).await;
    assert!(!completion.text().contains("[DONE]"));
    gate.finish();
    completion.read_until(END).await;

    assert!(completion.text().contains("[DONE]"));
    model.wait_for_open_streams(0).await;
}

#[tokio::test]
async fn pace_is_the_time_between_chunks() {
    let model = ScriptedModel::start().await;
    model.next(Answer::numbered(10).paced(Duration::from_millis(5)));
    let begun = Instant::now();

    let mut completion = Completion::ask(&model.base_url(), true).await;
    completion.read_until(END).await;

    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_client_that_hangs_up_is_noticed_while_the_answer_is_held() {
    let model = ScriptedModel::start().await;
    let (answer, _gate) = Answer::numbered(5).held();
    model.next(answer);
    let completion = Completion::ask(&model.base_url(), true).await;
    model.wait_for_requests(1).await;
    assert_eq!(model.open_streams(), 1);

    drop(completion);

    model.wait_for_open_streams(0).await;
}

#[tokio::test]
async fn refusal_has_its_status_and_headers() {
    let model = ScriptedModel::start().await;
    model.next(Answer::status(429).header("retry-after", "1"));

    let mut completion = Completion::ask(&model.base_url(), true).await;
    let text = completion.read_until("}}").await;

    assert!(text.starts_with("HTTP/1.1 429 "), "{text}");
    assert!(text.contains("\r\nretry-after: 1\r\n"), "{text}");
}

#[tokio::test]
async fn reset_tears_the_connection_after_the_chunks() {
    let model = ScriptedModel::start().await;
    model.next(Answer::numbered(5).reset_after(2));

    let mut completion = Completion::ask(&model.base_url(), true).await;
    let end = completion
        .stream
        .read_to_end(&mut completion.received)
        .await;

    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(completion.content(), "0 1 ");
}

#[tokio::test]
async fn early_end_is_a_whole_body_without_done() {
    let model = ScriptedModel::start().await;
    model.next(Answer::numbered(5).eof_after(2));

    let mut completion = Completion::ask(&model.base_url(), true).await;
    let text = completion.read_until(END).await;

    assert_eq!(completion.content(), "0 1 ");
    assert!(!text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn stall_goes_quiet_until_the_client_hangs_up() {
    let model = ScriptedModel::start().await;
    model.next(Answer::numbered(5).stall_after(2));
    let mut completion = Completion::ask(&model.base_url(), true).await;
    completion.read_until(r#""content":"1 ""#).await;

    let quiet = completion.stream.read_buf(&mut completion.received);
    let read = tokio::time::timeout(Duration::from_millis(50), quiet).await;

    assert!(read.is_err(), "something came: {read:?}");
    drop(completion);
    model.wait_for_open_streams(0).await;
}

#[tokio::test]
async fn raw_pieces_arrive_as_they_are() {
    let model = ScriptedModel::start().await;
    let pieces = [&b"data: {\"a\":\"\xC3"[..], &b"\xA9\"}\r\n\r\n"[..]];
    model.next(Answer::raw(pieces.map(Bytes::from_static).to_vec()));

    let mut completion = Completion::ask(&model.base_url(), true).await;
    completion.read_until(END).await;

    let whole = b"d\r\ndata: {\"a\":\"\xC3\r\n7\r\n\xA9\"}\r\n\r\n\r\n0\r\n\r\n";
    assert!(
        completion.received.ends_with(whole),
        "{:?}",
        completion.text()
    );
}
