//! Whom a container can reach: nobody, but for its allow-list.
//!
//! Each test stands in a network namespace of its own, with listeners that stand for the host, the
//! metadata address and the internet. No packet can leave it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use provisioner::Provisioner;
use testkit::not_tested;

use crate::support::{Bench, spec};

const METADATA: &str = "169.254.169.254";
const INTERNET: &str = "203.0.113.7";
const HOST: &str = "10.200.0.1";
const INSIDE: &str = "AGENTAREA_TEST_INSIDE";

#[test]
fn nothing_outside_can_be_reached_without_an_allow_list() {
    in_own_network(
        "nothing_outside_can_be_reached_without_an_allow_list",
        |canaries| async move {
            let Some(bench) = Bench::start().await else {
                return;
            };
            let mut session = bench.start_session(&spec("closed")).await;

            for canary in &canaries {
                assert!(
                    std::net::TcpStream::connect(canary).is_ok(),
                    "{canary} listens"
                );
                let refused = session
                    .call("connect", &canary.to_string())
                    .await
                    .unwrap_err();
                assert!(refused.contains("unreachable"), "{canary}: {refused}");
            }
            session.running.look_out().await;
            for canary in &canaries {
                let target = canary.to_string();
                let refused = session.call("tunnel", &target).await.unwrap();
                assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
                assert_eq!(session.running.refusals.list()[0].target, target);
                session.call("connect", &target).await.unwrap_err();
            }
            bench.docker.remove("closed", 1).await.unwrap();
            assert_eq!(bench.engine.containers().await.len(), 0);
        },
    );
}

#[test]
fn allowed_host_is_reached_and_all_others_are_refused_and_noted() {
    in_own_network(
        "allowed_host_is_reached_and_all_others_are_refused_and_noted",
        |canaries| async move {
            let [host, metadata, internet] = canaries[..] else {
                panic!()
            };
            let Some(bench) = Bench::start_allowing(&[&internet.to_string()]).await else {
                return;
            };
            let mut open = spec("open");
            open.egress = [
                internet.to_string(),
                metadata.to_string(),
                "localhost:9".to_owned(),
            ]
            .iter()
            .map(|rule| rule.parse().unwrap())
            .collect();
            let mut session = bench.start_session(&open).await;

            let through = session.call("tunnel", &internet.to_string()).await.unwrap();
            assert!(through.starts_with("HTTP/1.1 200"), "{through}");
            assert!(
                through.ends_with(&format!("canary {internet}")),
                "{through}"
            );
            let plain = session.call("fetch", &internet.to_string()).await.unwrap();
            assert_eq!(plain, format!("canary {internet}"));

            // Not on the list; on the list but private, by address and by name.
            for (target, reason) in [
                (host.to_string(), "not on the server's allow-list"),
                (metadata.to_string(), "private network"),
                ("localhost:9".to_owned(), "private network"),
            ] {
                let refused = session.call("tunnel", &target).await.unwrap();
                assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
                assert!(refused.contains(reason), "{refused}");
                session.call("fetch", &target).await.unwrap();
                let noted = &session.running.refusals.list()[0];
                assert_eq!((noted.target.as_str(), noted.count), (target.as_str(), 2));
                assert!(noted.reason.contains(reason), "{noted:?}");
            }
            // The proxy speaks no TLS for anybody, and says so.
            for (target, reason) in [
                (internet.to_string(), "in place of opening a tunnel"),
                (host.to_string(), "not on the server's allow-list"),
            ] {
                let refused = session.call("fetch_opened", &target).await.unwrap();
                assert!(refused.starts_with("HTTP/1.1 40"), "{refused}");
                assert!(refused.contains(reason), "{refused}");
                let noted = &session.running.refusals.list()[0];
                assert_eq!(noted.target, target);
                assert!(noted.reason.contains(reason), "{noted:?}");
            }
            // Past the proxy there is still nothing.
            for canary in canaries {
                session
                    .call("connect", &canary.to_string())
                    .await
                    .unwrap_err();
            }
        },
    );
}

#[test]
fn allowed_name_is_reached_without_knowing_of_the_proxy() {
    in_own_network(
        "allowed_name_is_reached_without_knowing_of_the_proxy",
        |canaries| async move {
            let [.., internet] = canaries[..] else {
                panic!()
            };
            let name = "canary.example";
            let target = format!("{name}:{}", internet.port());
            let Some(bench) = Bench::start_allowing(&[&target]).await else {
                return;
            };
            // The engine's machine knows the name, as it would by DNS.
            own_hosts_file(&format!("{INTERNET} {name}\n"));
            let mut open = spec("direct");
            open.egress = vec![target.parse().unwrap()];
            let mut session = bench.start_session(&open).await;

            let greeting = session.call("connect", &target).await.unwrap();

            assert_eq!(greeting, format!("canary {internet}"));
            let other = format!("{name}:{}", internet.port() + 1);
            session.call("connect", &other).await.unwrap_err();
        },
    );
}

#[test]
fn wildcard_lets_through_every_name_below_and_nothing_beside() {
    in_own_network(
        "wildcard_lets_through_every_name_below_and_nothing_beside",
        |canaries| async move {
            let [.., internet] = canaries[..] else {
                panic!()
            };
            let below = ["api.canary.example", "deep.api.canary.example"];
            let beside = [
                "canary.example",
                "evilcanary.example",
                "canary.example.evil.example",
            ];
            let names = [&below[..], &beside[..]].concat();
            let private: Vec<String> = names.iter().map(|name| format!("{name}:*")).collect();
            let private: Vec<&str> = private.iter().map(String::as_str).collect();
            let Some(bench) = Bench::start_allowing(&private).await else {
                return;
            };
            own_hosts_file(&format!("{INTERNET} {}\n", names.join(" ")));
            let port = internet.port();
            let mut open = spec("wild");
            open.egress = vec![format!("*.canary.example:{port}").parse().unwrap()];
            let mut session = bench.start_session(&open).await;

            for name in below {
                let target = format!("{name}:{port}");
                let through = session.call("tunnel", &target).await.unwrap();
                assert!(
                    through.ends_with(&format!("canary {internet}")),
                    "{through}"
                );
            }
            let other_port = (below[0], port + 1);
            let refused = beside.iter().map(|name| (*name, port)).chain([other_port]);
            for (name, port) in refused {
                let target = format!("{name}:{port}");
                let refused = session.call("tunnel", &target).await.unwrap();
                assert!(refused.starts_with("HTTP/1.1 403"), "{target}: {refused}");
                let noted = &session.running.refusals.list()[0];
                assert_eq!(noted.target, target);
            }
        },
    );
}

#[test]
fn tunnel_leads_only_to_the_host_that_its_tls_client_names() {
    in_own_network(
        "tunnel_leads_only_to_the_host_that_its_tls_client_names",
        |canaries| async move {
            let [.., internet] = canaries[..] else {
                panic!()
            };
            let name = "canary.example";
            let target = format!("{name}:{}", internet.port());
            let usual = listen_on(&format!("{INTERNET}:443"));
            let Some(bench) = Bench::start_allowing(&["canary.example:*"]).await else {
                return;
            };
            own_hosts_file(&format!("{INTERNET} {name}\n"));
            let mut open = spec("tls");
            open.egress = vec![
                target.parse().unwrap(),
                "canary.example:443".parse().unwrap(),
            ];
            let mut session = bench.start_session(&open).await;
            let mut hello = async |value: String| session.call("hello", &value).await.unwrap();

            let right = hello(format!("{target},{name}")).await;
            let right_usual = hello(format!("{name}:443,{name}")).await;
            let wrong = hello(format!("{target},hidden.example")).await;
            let wrong_usual = hello(format!("{name}:443,hidden.example")).await;
            let nameless = hello(format!("{name}:443,")).await;

            assert!(right.ends_with(&format!("canary {internet}")), "{right}");
            assert!(
                right_usual.ends_with(&format!("canary {usual}")),
                "{right_usual}"
            );
            for refused in [wrong, wrong_usual, nameless] {
                assert!(!refused.contains("canary"), "{refused}");
            }
            let refusals = session.running.refusals.list();
            let mut noted: Vec<&str> = refusals.iter().map(|it| it.target.as_str()).collect();
            noted.sort_unstable();
            let hidden = format!("hidden.example:{}", internet.port());
            let mut expected = vec!["canary.example:443", "hidden.example:443", &hidden];
            expected.sort_unstable();
            assert_eq!(noted, expected, "{refusals:?}");
        },
    );
}

/// Runs a test in a new network namespace with three listeners that greet with their address.
fn in_own_network<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Vec<SocketAddr>) -> F) {
    if std::env::var("AGENTAREA_TEST_ENGINE").is_ok_and(|value| value == "none") {
        not_tested("tool servers in containers: AGENTAREA_TEST_ENGINE says there is no engine");
        return;
    }
    if std::env::var_os(INSIDE).is_none() {
        // The same test once more, in namespaces that everything it starts is in, too.
        let status = Command::new("unshare")
            .args(["--net", "--mount", "--"])
            .arg(std::env::current_exe().unwrap())
            .args([&format!("egress::{name}"), "--exact", "--nocapture"])
            .env(INSIDE, "1")
            .status()
            .unwrap();
        assert!(status.success(), "{name} in its own network (as root)");
        return;
    }
    ip("link set lo up");
    let canaries = [HOST, METADATA, INTERNET].map(|address| {
        ip(&format!("address add {address}/32 dev lo"));
        listen(address)
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test(canaries.to_vec()));
}

fn listen(address: &str) -> SocketAddr {
    listen_on(&format!("{address}:0"))
}

fn listen_on(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // In one piece, because the tool reads once.
            let _ = stream.write_all(format!("canary {address}").as_bytes());
        }
    });
    address
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Replaces `/etc/hosts` in this mount namespace.
fn own_hosts_file(text: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    for arguments in [
        vec!["--make-rprivate", "/"],
        vec!["--bind", file.path().to_str().unwrap(), "/etc/hosts"],
    ] {
        let status = Command::new("mount").args(&arguments).status().unwrap();
        assert!(status.success(), "mount {arguments:?}");
    }
}
