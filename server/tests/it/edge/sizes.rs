//! What is too large.

use reqwest::StatusCode;

use super::raw;
use crate::support::{Answer, TestApp, client};

#[tokio::test]
async fn what_is_too_large_is_told_in_the_one_format() {
    let app = TestApp::start().await;
    let host = app.origin().trim_start_matches("http://").to_owned();
    let big = client()
        .post(app.url("/api/v1/agents"))
        .bearer_auth(&app.key);
    let big = big.header("content-type", "application/json");

    let big = big.body(vec![b' '; 3 << 20]).send().await;
    let big = Answer::read(big.expect("an answer")).await;
    let filler = "x".repeat(70 * 1024);
    let headers = format!("GET /health HTTP/1.1\r\nhost: {host}\r\nx-filler: {filler}\r\n\r\n");
    let headers = raw(&app, headers.as_bytes()).await;
    let filler = "x".repeat(60 * 1024);
    let fits = format!(
        "GET /health HTTP/1.1\r\nhost: {host}\r\nx-filler: {filler}\r\nconnection: close\r\n\r\n"
    );
    let fits = raw(&app, fits.as_bytes()).await;

    assert_eq!(big.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(big.headers["content-type"], "application/problem+json");
    assert_eq!(big.body["status"], 413);
    assert_eq!(
        big.body["request_id"],
        big.headers["x-request-id"].to_str().expect("text")
    );
    assert!(headers.starts_with("HTTP/1.1 431"), "{headers}");
    assert!(fits.starts_with("HTTP/1.1 200"), "{fits}");
}
