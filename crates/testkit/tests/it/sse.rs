use serde_json::{Value, json};
use testkit::{EventStream, SseEvent, check_gapless, check_gapless_after, texts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MESSAGE: &str = "01890000-0000-7000-8000-000000000004";

fn event(seq: u64, kind: &str, data: Value) -> SseEvent {
    SseEvent {
        id: Some(seq),
        event: kind.to_owned(),
        data: json!({"seq": seq, "type": kind, "data": data}),
    }
}

fn delta(seq: u64, offset: usize, text: &str) -> SseEvent {
    event(
        seq,
        "text_delta",
        json!({"message_id": MESSAGE, "offset": offset, "text": text}),
    )
}

fn created(seq: u64) -> SseEvent {
    event(
        seq,
        "message_created",
        json!({"message": {"id": MESSAGE, "text": ""}}),
    )
}

fn completed(seq: u64, text: &str) -> SseEvent {
    event(
        seq,
        "message_completed",
        json!({"message_id": MESSAGE, "text": text}),
    )
}

fn live(offset: usize, text: &str) -> SseEvent {
    SseEvent {
        id: None,
        event: "text_live".to_owned(),
        data: json!({"message_id": MESSAGE, "offset": offset, "text": text}),
    }
}

#[test]
fn text_is_put_together_by_bytes_and_withdrawn_tails_go() {
    let truncated = event(
        4,
        "text_truncated",
        json!({"message_id": MESSAGE, "offset": 3}),
    );
    let events = [
        created(1),
        delta(2, 0, "né"),
        live(3, "x"),
        delta(3, 3, "xyz"),
        truncated,
        delta(5, 3, "e"),
        completed(6, "née"),
    ];

    let texts = texts(&events).unwrap();

    assert_eq!(texts[MESSAGE], "née");
}

#[test]
fn gaps_overlaps_and_other_wholes_are_found() {
    for wrong in [
        vec![created(1), delta(2, 1, "a")],
        vec![created(1), delta(2, 0, "ab"), delta(3, 1, "b")],
        vec![created(1), delta(2, 0, "ab"), completed(3, "abc")],
        vec![created(1), created(2)],
        vec![delta(1, 0, "a")],
        vec![
            created(1),
            delta(2, 0, "é"),
            event(
                3,
                "text_truncated",
                json!({"message_id": MESSAGE, "offset": 1}),
            ),
        ],
    ] {
        assert!(texts(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn missing_repeated_and_mislabelled_events_are_found() {
    assert!(check_gapless(&[created(1), live(0, "a"), delta(2, 0, "a")]).is_ok());
    assert!(check_gapless_after(&[delta(8, 0, "a")], 7).is_ok());

    assert!(check_gapless(&[created(2)]).is_err());
    assert!(check_gapless(&[created(1), delta(3, 0, "a")]).is_err());
    assert!(check_gapless(&[created(1), created(1)]).is_err());
    let mut mislabelled = created(1);
    mislabelled.event = "run_queued".to_owned();
    assert!(check_gapless(&[mislabelled]).is_err());
}

/// Serves one connection with these pieces; gives the address and then the request.
async fn serve(pieces: &'static [&'static str]) -> (String, tokio::task::JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/events?until=idle",
        listener.local_addr().unwrap()
    );
    let request = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        for piece in pieces {
            stream.write_all(piece.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (url, request)
}

#[tokio::test]
async fn stream_is_parsed_across_pieces_with_comments_and_live_frames() {
    let (url, request) = serve(&[
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\nid: 1\nevent: run",
        "_queued\ndata: {\"seq\":1,\ndata: \"type\":\"run_queued\"}\n",
        "\nevent: text_live\ndata: {\"text\":\"a\"}\n\n",
    ])
    .await;

    let mut stream = EventStream::resume(&url, "aa_key", 7).await.unwrap();
    let events = stream.collect_all().await.unwrap();

    let kinds: Vec<_> = events.iter().map(|e| (e.id, e.event.as_str())).collect();
    assert_eq!(kinds, [(Some(1), "run_queued"), (None, "text_live")]);
    assert_eq!(events[0].data["type"], "run_queued");
    assert_eq!(stream.comments(), 1);
    let request = request.await.unwrap();
    assert!(
        request.starts_with("GET /events?until=idle HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("authorization: Bearer aa_key\r\n"),
        "{request}"
    );
    assert!(request.contains("last-event-id: 7\r\n"), "{request}");
}

#[tokio::test]
async fn collecting_stops_at_the_event_or_says_that_it_never_came() {
    let reply = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                 id: 1\nevent: a\ndata: 1\n\nid: 2\nevent: b\ndata: 2\n\n";
    let pieces: &'static [&'static str] = Box::leak(Box::new([reply]));
    let (url, _) = serve(pieces).await;

    let mut stream = EventStream::open(&url, "aa_key").await.unwrap();
    let events = stream
        .collect_until(|event| event.event == "a")
        .await
        .unwrap();

    assert_eq!(events.len(), 1);
    assert!(
        stream
            .collect_until(|event| event.event == "c")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn anything_but_an_event_stream_is_refused() {
    let (url, _) = serve(&["HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone"]).await;

    let error = EventStream::open(&url, "aa_key").await.unwrap_err();

    assert!(error.to_string().contains("404"), "{error}");
    assert!(error.to_string().contains("gone"), "{error}");
}

#[tokio::test]
async fn a_stream_cut_in_the_middle_is_an_error() {
    let (url, _) = serve(&[
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        "19\r\nid: 1\nevent: a\ndata: {}\n\n\r\n",
    ])
    .await;

    let mut stream = EventStream::open(&url, "aa_key").await.unwrap();

    assert!(stream.collect_all().await.is_err());
}
