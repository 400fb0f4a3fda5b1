//! Files made to break things: names that lead elsewhere, contents that grow, markup that runs.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::StatusCode;

use super::remains::{files_below, objects};
use super::{download, header, upload};
use crate::pdf::{pdf, pdf_of_stream};
use crate::support::TestApp;

/// 200 names: every way out of a folder, into a header, or past a reader's eye.
fn names() -> Vec<String> {
    let ways = [
        "../",
        "..\\",
        "..%2f",
        "..%5c",
        "%2e%2e/",
        "%2e%2e%2f",
        "..%c0%af",
        "..%252f",
        "....//",
        "..;/",
        "/",
        "//",
        "\\\\server\\share\\",
        "C:\\",
        "file:///",
        "~/",
        "./",
        "..\u{2215}",
        "..\u{ff0f}",
        "..\u{29f5}",
        "$HOME/",
        "%00../",
        "\u{202e}/..",
        "a/../../",
    ];
    let targets = [
        "etc/passwd",
        "master.key",
        "objects/x",
        ".ssh/authorized_keys",
        "serve.lock",
        "index.html",
        "x",
    ];
    let mut names: Vec<String> = ways
        .iter()
        .flat_map(|way| targets.map(|target| format!("{}{target}", way.repeat(3))))
        .collect();
    let odd = [
        "",
        ".",
        "..",
        "...",
        "con",
        "NUL",
        "aux.txt",
        "COM1",
        "lpt1.pdf",
        " ",
        "a ",
        "a.",
        ".a",
        "evil\u{202e}gpj.exe",
        "\u{feff}a",
        "a\u{200b}b",
        "a;b",
        "a'b",
        "a\"b",
        "a\\\"b",
        "x\"; filename=\"y.html",
        "a%0d%0aSet-Cookie: x=1",
        "a%22%3b",
        "<script>alert(1)</script>",
        "a.html",
        "a.svg",
        "a.xhtml",
        "a.html\u{a0}",
        "a.png.html",
        "été.txt",
        "报告.pdf",
        "\u{1f600}.png",
        "a\tb",
        "-rf",
        "--help",
        "$(id)",
    ];
    names.extend(odd.map(str::to_owned));
    names.push("a".repeat(4096));
    names.push(format!("{}.pdf", "ü".repeat(2048)));
    names.push("a/".repeat(2048));
    names
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder_or_the_header() {
    let app = TestApp::start().await;
    let names = names();
    assert!(names.len() >= 200, "{}", names.len());
    let before = files_below(app.data_dir());

    for name in &names {
        let answer = upload(&app, name, b"<script>alert(1)</script>", &[]).await;
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{name:?}: {}",
            answer.body
        );
        let kept = answer.body["name"].as_str().expect("a name").to_owned();
        assert!(!kept.is_empty() && kept.chars().count() <= 200, "{kept:?}");
        assert!(
            !kept.contains(['/', '\\', '"', '\0', '\n', '\r', '\u{202e}']),
            "{kept:?}"
        );
        let found = download(&app, answer.body["id"].as_str().expect("an id")).await;
        check_headers(&found, "attachment");
        assert_eq!(header(&found, "content-type"), "text/plain; charset=utf-8");
    }

    // Keys are made by the server: workspace and id.
    let made: Vec<_> = files_below(app.data_dir())
        .into_iter()
        .filter(|path| !before.contains(path))
        .collect();
    assert_eq!(made.len(), names.len());
    for path in made {
        let key = path.strip_prefix(app.data_dir().join("objects/files"));
        let parts: Vec<_> = key.expect("below the folder").iter().collect();
        assert_eq!(parts.len(), 2, "{path:?}");
        for part in parts {
            let text = part.to_str().expect("text");
            assert!(text.parse::<uuid::Uuid>().is_ok(), "{path:?}");
        }
    }
}

fn check_headers(found: &reqwest::Response, kind: &str) {
    let disposition = header(found, "content-disposition");
    let (given, rest) = disposition.split_once("; filename=\"").expect("a name");
    let (plain, encoded) = rest
        .split_once("\"; filename*=UTF-8''")
        .expect("both names");
    assert_eq!(given, kind);
    assert!(
        plain
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " .-_".contains(c)),
        "{disposition}"
    );
    assert!(
        encoded
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "%.-_".contains(c)),
        "{disposition}"
    );
    assert_eq!(header(found, "x-content-type-options"), "nosniff");
    let policy = header(found, "content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("sandbox"),
        "{policy}"
    );
    assert_eq!(header(found, "cross-origin-resource-policy"), "same-origin");
}

#[tokio::test]
async fn only_images_are_shown_and_markup_never() {
    let app = TestApp::start().await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    for (name, content, media_type, kind) in [
        ("a.png", &png[..], "image/png", "inline"),
        ("a.html", png, "image/png", "inline"),
        (
            "a.png",
            b"<html><script>alert(1)</script>",
            "text/plain; charset=utf-8",
            "attachment",
        ),
        (
            "a.html",
            b"<!doctype html><p>x",
            "text/plain; charset=utf-8",
            "attachment",
        ),
        (
            "a.svg",
            b"<svg onload='alert(1)'/>",
            "text/plain; charset=utf-8",
            "attachment",
        ),
        (
            "a.xml",
            b"<?xml version='1.0'?><a/>",
            "text/plain; charset=utf-8",
            "attachment",
        ),
        ("a.pdf", b"%PDF-1.7\n", "application/pdf", "attachment"),
        (
            "a.js",
            b"alert(1)",
            "text/plain; charset=utf-8",
            "attachment",
        ),
    ] {
        // The form says that each of them is text/html.
        let id = upload(&app, name, content, &[]).await.created();
        let found = download(&app, &id).await;
        assert_eq!(header(&found, "content-type"), media_type, "{name}");
        check_headers(&found, kind);
    }
}

#[tokio::test]
async fn packed_bodies_are_refused_and_packed_files_stay_packed() {
    let app = TestApp::start().await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 100 << 20]).expect("packed");
    let bomb = gzip.finish().expect("packed");
    let started = Instant::now();

    for encoding in ["gzip", "br", "zstd", "deflate"] {
        let answer = upload(&app, "a.bin", &bomb, &[("content-encoding", encoding)]).await;
        assert_eq!(
            answer.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{encoding}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(objects(&app), 0);
    let zip = [b"PK\x03\x04", &bomb[..]].concat();
    for (name, content) in [("a.gz", &bomb), ("a.docx", &zip)] {
        let answer = upload(&app, name, content, &[]).await;
        assert_eq!(answer.body["size_bytes"], content.len(), "{}", answer.body);
        assert_eq!(answer.body["is_readable"], false);
    }
}

#[tokio::test]
async fn text_of_a_pdf_file_is_read() {
    let app = TestApp::start().await;

    let answer = upload(&app, "report.pdf", &pdf("The margin was 12 percent"), &[]).await;

    assert_eq!(
        answer.body["media_type"], "application/pdf",
        "{}",
        answer.body
    );
    assert_eq!(answer.body["is_readable"], true);
}

#[tokio::test]
async fn pdf_files_that_grow_or_break_readers_harm_nobody() {
    let mut app = TestApp::start().await;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    let line = b"BT /F1 12 Tf (x) Tj ET\n".repeat(1000);
    for _ in 0..40_000 {
        packed.write_all(&line).expect("packed");
    }
    let bomb = pdf_of_stream(&packed.finish().expect("packed"), "/Filter /FlateDecode");
    let deep = [
        &b"%PDF-1.7\n1 0 obj\n"[..],
        &b"[".repeat(1_000_000),
        b"\nendobj\n",
    ]
    .concat();
    let noise: Vec<u8> = (0..200_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let noise = [b"%PDF-1.4\n", &noise[..]].concat();
    assert!(bomb.len() < 5_000_000, "{}", bomb.len());

    for (name, content) in [("bomb", &bomb), ("deep", &deep), ("noise", &noise)] {
        let started = Instant::now();
        let answer = upload(&app, &format!("{name}.pdf"), content, &[]).await;
        println!(
            "{name}: {:?} {}",
            started.elapsed(),
            answer.body["is_readable"]
        );
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{name}: {}",
            answer.body
        );
        assert!(started.elapsed() < Duration::from_secs(15), "{name}");
    }
    let after = upload(&app, "good.pdf", &pdf("still here"), &[]).await;

    assert_eq!(after.body["is_readable"], true);
    assert!(app.program().peak_memory_kib() < 400 * 1024);
}
