//! An engine on another machine, reached by TLS.

use outbound::{Dialler, Policy};
use provisioner::{Docker, DockerConfig, Error, Provisioner};
use testkit::TestEngine;

use crate::support::{IMAGE, spec};

#[tokio::test]
async fn engine_is_reached_by_tls_with_certificates_alone() {
    let Some((engine, address, folder)) = TestEngine::start_tls().await else {
        return;
    };
    let strange = tempfile::tempdir().unwrap();
    for name in ["cert.pem", "key.pem"] {
        std::fs::copy(folder.join(name), strange.path().join(name)).unwrap();
    }
    // Another authority: nobody vouches for the engine.
    std::fs::copy(folder.join("cert.pem"), strange.path().join("ca.pem")).unwrap();
    engine.import_tool_server(IMAGE).await;
    let docker = |certificates| {
        Docker::new(DockerConfig {
            addresses: vec![address.clone()],
            certificates,
            registries: None,
            installation: "test".to_owned(),
            dialler: Dialler::new(Policy::new(Some(Vec::new()), false)),
        })
    };

    let with = docker(Some(folder.clone()));
    let found = with.engine().await.unwrap();
    let started = with.start(&spec("far")).await.unwrap();
    let without = docker(None).engine().await.unwrap_err();
    let stranger = docker(Some(strange.path().to_owned())).engine().await;

    assert_eq!(found.address, address);
    assert!(started.running.exit().is_none());
    assert_eq!(with.list().await.unwrap().len(), 1);
    assert!(matches!(without, Error::NoEngine { .. }), "{without}");
    let stranger = stranger.unwrap_err();
    assert!(matches!(stranger, Error::NoEngine { .. }), "{stranger}");
}

#[tokio::test]
async fn images_come_from_listed_registries_alone() {
    let Some(engine) = TestEngine::start().await else {
        return;
    };
    engine.import_tool_server(IMAGE).await;
    let docker = Docker::new(DockerConfig {
        addresses: vec![engine.address()],
        certificates: None,
        registries: Some(vec!["ghcr.io".to_owned()]),
        installation: "test".to_owned(),
        dialler: Dialler::new(Policy::new(Some(Vec::new()), false)),
    });

    let here = docker.resolve(IMAGE).await;
    let hub = docker.resolve("library/busybox").await.unwrap_err();
    let other = docker.resolve("quay.io/some/thing:1").await.unwrap_err();

    assert!(here.is_ok(), "what the engine has may be used");
    for (error, host) in [(hub, "docker.io"), (other, "quay.io")] {
        let told = error.to_string();
        assert!(
            told.contains(&format!("images of {host} may not")),
            "{told}"
        );
    }
}
