//! How the files of the browser half are sent.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::Response;

use super::headers::between;
use crate::support::{TestApp, client};

#[tokio::test]
async fn files_are_compressed_as_the_browser_takes_them() {
    let app = TestApp::start().await;
    let html = client().get(app.url("/sign-in")).send().await;
    let html = html.expect("a page").text().await.expect("text");
    let script = between(&html, "\"/pkg/", "\"").expect("a built file");
    let path = format!("/pkg/{script}");
    let plain = get(&app, &path, "identity").await;
    assert_eq!(encoding(&plain), None);
    let plain = plain.bytes().await.expect("bytes");

    for (accepted, sent) in [
        ("gzip, deflate", "gzip"),
        ("gzip;q=0.5", "gzip"),
        ("gzip, deflate, br", "br"),
    ] {
        let answer = get(&app, &path, accepted).await;

        assert_eq!(encoding(&answer).as_deref(), Some(sent), "{accepted}");
        assert_eq!(answer.headers()["vary"], "accept-encoding");
        let kept = answer.headers()["cache-control"].to_str().expect("text");
        assert!(kept.contains("immutable"), "{kept}");
        let bytes = answer.bytes().await.expect("bytes");
        assert!(bytes.len() * 2 < plain.len(), "{accepted}");
        if sent == "gzip" {
            let mut read = Vec::new();
            GzDecoder::new(&*bytes)
                .read_to_end(&mut read)
                .expect("gzip");
            assert_eq!(read, plain);
        }
    }
}

async fn get(app: &TestApp, path: &str, accepted: &str) -> Response {
    let request = client().get(app.url(path));
    let answer = request.header("accept-encoding", accepted).send().await;
    answer
        .expect("an answer")
        .error_for_status()
        .expect("a file")
}

fn encoding(answer: &Response) -> Option<String> {
    let encoding = answer.headers().get("content-encoding")?;
    Some(encoding.to_str().expect("text").to_owned())
}
