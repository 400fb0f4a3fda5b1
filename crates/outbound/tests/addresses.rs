//! Every awkward spelling of a private address is refused before a byte is sent.

use std::net::TcpListener;
use std::time::Duration;

use outbound::{AllowedHost, Outbound, Policy, Refused, refusal};
use reqwest::Method;
use url::Url;

fn strict() -> Outbound {
    Outbound::new(Policy::new(None, false)).expect("a client")
}

fn listing(entries: &[&str]) -> Outbound {
    let entries = entries.iter().map(|entry| entry.parse().expect("an entry"));
    Outbound::new(Policy::new(Some(entries.collect()), true)).expect("a client")
}

fn check(outbound: &Outbound, url: &str) -> Result<(), Refused> {
    let url = Url::parse(url).expect("a URL");
    outbound.request(Method::GET, url).map(|_| ())
}

#[test]
fn private_literals_are_refused_in_every_spelling() {
    let outbound = strict();

    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0x7f.1",
        "127.0.0.1.",
        "127。0。0。1",
        "１２７.0.0.1",
        "127.0.0.1%2e",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "0xa9fea9fe",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "192.0.2.1",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:7f00:1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[2001:db8::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ] {
        for scheme in ["https", "http"] {
            let result = check(&outbound, &format!("{scheme}://{host}:8443/v1"));

            assert!(
                matches!(result, Err(Refused::Private { .. })),
                "{scheme}://{host} gave {result:?}"
            );
        }
    }
}

#[test]
fn public_hosts_pass_by_https_only() {
    let outbound = strict();

    for host in [
        "api.openai.com",
        "api.openai.com.",
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "198.20.0.1",
        "[2606:4700::1111]",
        "bücher.example",
        "127.0.0.1.nip.io",
        "1.1.1.1:8443",
    ] {
        assert_eq!(
            check(&outbound, &format!("https://{host}/")),
            Ok(()),
            "{host}"
        );
        assert!(
            matches!(
                check(&outbound, &format!("http://{host}/")),
                Err(Refused::PlainHttp { .. })
            ),
            "{host}"
        );
    }
}

#[test]
fn user_names_and_other_schemes_are_refused() {
    let outbound = listing(&["127.0.0.1:*"]);

    for url in [
        "https://ada@example.com",
        "https://:pw@example.com",
        "http://a:b@127.0.0.1:1",
    ] {
        assert_eq!(check(&outbound, url), Err(Refused::UserInfo), "{url}");
    }
    for url in [
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://x",
        "ws://x",
        "data:,x",
    ] {
        let result = check(&outbound, url);
        assert!(matches!(result, Err(Refused::Scheme { .. })), "{url}");
    }
}

#[test]
fn an_entry_lets_exactly_its_host_and_port_through() {
    let outbound = listing(&["127.0.0.1:8080", "ollama.lan:*", "[::1]:90", "10.1.2.3:443"]);

    for url in [
        "http://127.0.0.1:8080/v1",
        "http://2130706433:8080/",
        "http://ollama.lan/",
        "http://OLLAMA.lan.:11434/",
        "https://ollama.lan:1/",
        "http://[::1]:90/",
        "https://10.1.2.3/",
        "http://10.1.2.3:443/",
    ] {
        assert_eq!(check(&outbound, url), Ok(()), "{url}");
    }
    for url in [
        "http://127.0.0.1/",
        "http://127.0.0.1:8081/",
        "http://127.0.0.2:8080/",
        "http://[::1]/",
        "http://localhost:8080/",
        "http://sub.ollama.lan/",
        "http://[::ffff:127.0.0.1]:8080/",
        "http://10.1.2.3/",
    ] {
        assert!(check(&outbound, url).is_err(), "{url}");
    }
}

#[test]
fn loopback_passes_only_while_nothing_is_listed() {
    let open = Outbound::new(Policy::new(None, true)).expect("a client");
    let listed = listing(&[]);

    for url in [
        "http://localhost:11434/",
        "http://LOCALHOST./",
        "http://127.0.0.9:1/",
        "http://[::1]:1/",
        "http://api.localhost/",
    ] {
        assert_eq!(check(&open, url), Ok(()), "{url}");
        assert!(check(&listed, url).is_err(), "{url}");
    }
    for url in [
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://localhost.example/",
    ] {
        assert!(check(&open, url).is_err(), "{url}");
    }
}

#[test]
fn entries_without_a_port_are_refused() {
    for entry in [
        "",
        "localhost",
        "localhost:",
        "localhost:x",
        "localhost:70000",
        "::1",
        ":80",
    ] {
        assert!(entry.parse::<AllowedHost>().is_err(), "{entry:?}");
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_refused_at_connect_time() {
    let canary = TcpListener::bind("127.0.0.1:0").expect("a port");
    canary.set_nonblocking(true).expect("a non-blocking socket");
    let port = canary.local_addr().expect("an address").port();

    // The entry's other port must not open this one.
    for outbound in [strict(), listing(&["localhost:1"])] {
        for host in ["localhost", "LOCALHOST"] {
            let url = Url::parse(&format!("https://{host}:{port}/")).expect("a URL");
            let request = outbound
                .request(Method::GET, url)
                .expect("a name is not yet refused");

            let error = request.send().await.expect_err("a refusal");

            assert!(
                matches!(refusal(&error), Some(Refused::Private { .. })),
                "{host}: {error:?}"
            );
        }
    }
    let hit = canary.accept().map_err(|error| error.kind());
    assert_eq!(hit.err(), Some(std::io::ErrorKind::WouldBlock));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let canary = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = canary.local_addr().expect("an address").port();
    let answer = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = canary.accept().await.expect("a caller");
        let mut request = [0; 1024];
        let read = socket.read(&mut request).await.expect("a request");
        let answer =
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
        socket
            .write_all(answer.as_bytes())
            .await
            .expect("an answer");
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let outbound = Outbound::new(Policy::new(None, true)).expect("a client");
    let url = Url::parse(&format!("http://localhost:{port}/")).expect("a URL");

    let response = outbound
        .request(Method::GET, url)
        .expect("loopback is let through")
        .timeout(Duration::from_secs(5))
        .send()
        .await
        .expect("an answer");

    assert_eq!(response.status(), 302);
    assert!(
        answer
            .await
            .expect("the server")
            .contains("user-agent: AgentArea/")
    );
}
