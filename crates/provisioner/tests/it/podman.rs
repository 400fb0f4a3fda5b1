//! The same on Podman, where it is installed.

use provisioner::{Provisioner, State};
use testkit::TestEngine;

use crate::support::{Bench, IMAGE, docker, fetched, spec, sweep};

#[tokio::test]
async fn servers_are_made_confined_called_and_removed_on_podman() {
    let Some(engine) = TestEngine::start_podman().await else {
        return;
    };
    let image = engine.import_tool_server(IMAGE).await;
    let docker = docker(&engine, "test", &[]);
    let bench = Bench {
        engine,
        docker,
        image,
    };
    let engine = bench.docker.engine().await.unwrap();
    assert_eq!(engine.name, "podman", "{engine:?}");

    let mut session = bench.start_session(&spec("plain")).await;
    assert_eq!(session.initialize().await, "testkit");
    assert_eq!(session.call("echo", "hello").await.unwrap(), "hello");
    let account = session.call("account", "").await.unwrap();
    assert!(account.contains("Uid:\t65532"), "{account}");
    assert!(account.contains("CapEff:\t0000000000000000"), "{account}");
    assert!(account.contains("NoNewPrivs:\t1"), "{account}");
    session.call("write", "/etc/passwd").await.unwrap_err();
    let refused = session.call("connect", "1.1.1.1:443").await.unwrap_err();
    assert!(refused.contains("unreachable"), "{refused}");
    session.running.look_out().await;
    let refused = session.call("tunnel", "nobody.example:443").await.unwrap();
    assert!(refused.contains("403"), "{refused}");
    let noted = session.running.refusals.list();
    assert_eq!(noted[0].target, "nobody.example:443");
    assert_eq!(session.try_call("memory", "200").await, None);
    // With the old control groups Podman does not say why.
    let exit = session.running.ended().await;
    assert!(exit.is_out_of_memory || exit.code == Some(137), "{exit:?}");

    // With a network: the relay, the gate and what is refused.
    let mut open = spec("open");
    open.egress = vec!["example.com:443".parse().unwrap()];
    let mut session = bench.start_session(&open).await;
    let refused = session
        .call("tunnel", "elsewhere.example:443")
        .await
        .unwrap();
    assert!(refused.contains("403"), "{refused}");
    let noted = session.running.refusals.list();
    assert_eq!(noted[0].target, "elsewhere.example:443");
    let stats = bench.docker.stats("open").await.unwrap();
    assert!(
        stats.is_some_and(|stats| stats.memory_bytes > 0),
        "{stats:?}"
    );
    let found = bench.docker.inspect("open").await.unwrap().unwrap();
    assert_eq!((found.fence, found.state), (1, State::Running));
    let processes = session.call("processes", "100").await.unwrap();
    assert!(processes.parse::<u32>().unwrap() < 16, "{processes}");

    // Killed by others, and begun anew under the same name.
    let name = "/containers/agentarea-test-open/kill";
    assert_eq!(bench.engine.call("POST", name).await.0, 204);
    let exit = session.running.ended().await;
    assert_eq!(exit.code, Some(137), "{exit:?}");
    open.fence = 2;
    let mut session = bench.start_session(&open).await;
    assert_eq!(session.call("echo", "again").await.unwrap(), "again");
    bench.docker.remove("open", 2).await.unwrap();
    assert_eq!(bench.docker.inspect("open").await.unwrap(), None);
    assert_eq!(sweep(&bench.docker, |_| false).await, 1);
    assert_eq!(bench.engine.containers().await.len(), 0);

    // What was made for us is known and can be removed, and nothing else.
    let package = "localhost/agentarea/package";
    bench.engine.derive(IMAGE, package, "made").await;
    let fetched = fetched(&bench).await;
    let made = format!("{package}:made");
    let made = fetched.iter().find(|image| image.names == [made.as_str()]);
    let made = &made.unwrap_or_else(|| panic!("{fetched:?}")).id;
    assert!(bench.docker.drop_fetched(made).await.unwrap());
    let left = bench.engine.image_names().await;
    assert!(
        !left.iter().any(|name| name.contains("package")),
        "{left:?}"
    );
    assert!(left.iter().any(|name| name.contains(IMAGE)), "{left:?}");
}
