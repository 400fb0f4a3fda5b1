//! Which names of the site are answered, and whose word counts for where a client is.

use testkit::inputs;

use super::{header, raw};
use crate::support::{Program, TestApp};

/// B14: other names are refused, and what proxies are said to have seen changes nothing.
#[tokio::test]
async fn fifty_spellings_of_a_host_lead_nowhere() {
    let app = TestApp::start().await;
    let host = app.origin().trim_start_matches("http://").to_owned();
    let port = host.rsplit(':').next().expect("a port").to_owned();
    let body = inputs::sign_in(inputs::ADA).to_string();
    let post = |extra: &str| {
        format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: {host}\r\n{extra}content-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\n{headers}connection: close\r\n\r\n")
    };

    let mut count = 0;
    let names = [
        "evil.example".to_owned(),
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("evil.example:{port}"),
        format!("{host}."),
        format!("127.0.0.1.:{port}"),
        format!("localhost.:{port}"),
        format!("evil.{host}"),
        format!("{host}.evil.example"),
        format!("{host}@evil.example"),
        format!("evil.example@{host}"),
        format!("user:word@{host}"),
        format!("{host}#evil.example"),
        format!("{host}/evil.example"),
        format!("{host}?evil.example"),
        format!("{host}\\evil.example"),
        format!("{host},evil.example"),
        format!("{host} evil.example"),
        format!("{host};evil.example"),
        format!("{host}:80"),
        format!("{host}0"),
        format!("0{host}"),
        format!("127.0.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f.1:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[::]:{port}"),
        format!("lоcalhost:{port}"),
        format!("localhost\u{ff0e}:{port}"),
        format!("１２７.0.0.1:{port}"),
        format!("{host}%00"),
        format!("http://{host}"),
        String::new(),
    ];
    for name in &names {
        let answer = raw(
            &app,
            get("/sign-in", &format!("host: {name}\r\n")).as_bytes(),
        )
        .await;
        assert_refused(&answer, name);
        count += 1;
    }
    let own = format!("host: {host}\r\n");
    for (target, headers) in [
        ("/sign-in", String::new()),
        ("/sign-in", format!("{own}{own}")),
        ("/sign-in", format!("{own}host: evil.example\r\n")),
        ("/sign-in", format!("host: evil.example\r\n{own}")),
        ("http://evil.example/sign-in", own.clone()),
        ("http://evil.example/api/v1/me", own.clone()),
        ("https://evil.example:443/", own.clone()),
        (&*format!("http://user@{host}/sign-in"), own.clone()),
        (&*format!("http://{host}@evil.example/sign-in"), own.clone()),
        (
            &*format!("http://{host}/sign-in"),
            "host: evil.example\r\n".to_owned(),
        ),
        (&*format!("http://{host}.evil.example/"), own.clone()),
        ("http://evil.example/health/../sign-in", own.clone()),
        ("/health/../sign-in", "host: evil.example\r\n".to_owned()),
        ("/health/x", "host: evil.example\r\n".to_owned()),
    ] {
        let answer = raw(&app, get(target, &headers).as_bytes()).await;
        assert_refused(&answer, &format!("{target} {headers}"));
        count += 1;
    }
    for extra in [
        "x-forwarded-host: evil.example\r\n",
        "x-forwarded-host: evil.example\r\nx-forwarded-proto: https\r\n",
        "x-forwarded-proto: https\r\nx-forwarded-port: 443\r\n",
        "x-forwarded-server: evil.example\r\nx-host: evil.example\r\n",
        "forwarded: for=6.6.6.6;host=evil.example;proto=https\r\n",
        "x-original-url: /evil.example\r\nx-rewrite-url: /evil.example\r\n",
        "x-forwarded-prefix: //evil.example\r\n",
        "x-forwarded-for: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\n",
    ] {
        let headers = format!("{own}{extra}");
        let home = raw(&app, get("/", &headers).as_bytes()).await;
        let page = raw(&app, get("/sign-in?next=/agents", &headers).as_bytes()).await;
        let signed_in = raw(&app, post(extra).as_bytes()).await;

        let location = header(&home, "location").expect("a redirect");
        assert!(
            location.starts_with('/') && !location.starts_with("//"),
            "{location}"
        );
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        let cookie = header(&signed_in, "set-cookie").expect("a cookie");
        assert!(
            cookie.starts_with("agentarea=") && !cookie.contains("Secure"),
            "{extra}"
        );
        for answer in [home, page, signed_in] {
            assert!(!answer.contains("evil"), "{extra}: {answer}");
            assert!(!answer.contains("6.6.6.6"), "{extra}: {answer}");
            assert!(!answer.to_lowercase().contains("strict-transport-security"));
        }
        count += 1;
    }

    assert!(count >= 50, "{count}");
}

#[tokio::test]
async fn trusted_proxies_must_be_addresses() {
    for (value, is_fine) in [
        ("10.0.0.0/8, ::1", true),
        ("", true),
        ("proxy.example", false),
    ] {
        let mut program = Program::new(Some("postgres://nobody@127.0.0.1:1/none".to_owned()));
        program.set("AGENTAREA_SERVER__TRUSTED_PROXIES", value);

        let output = program.command(&["serve", "--check"]).output();

        let output = output.expect("run serve");
        let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert_eq!(output.status.success(), is_fine, "{value}: {told}");
        assert_eq!(told.contains("trusted_proxies"), !is_fine, "{told}");
    }
}

fn assert_refused(answer: &str, name: &str) {
    let is_refused = answer.starts_with("HTTP/1.1 421") || answer.starts_with("HTTP/1.1 400");
    assert!(is_refused, "{name:?}: {answer}");
    assert!(!answer.contains("evil"), "{name:?}: {answer}");
}
