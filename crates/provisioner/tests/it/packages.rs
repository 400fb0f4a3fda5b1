//! Packages of npm and PyPI, from the real registries.

use std::time::{Duration, Instant};

use provisioner::{Base, Error, LogBook, Package, PackageConfig, Provisioner, Registry};

use crate::support::{Bench, spec};

const BASE: &str = "agentarea-test/languages:1";
/// Where the registries are, in case they are mirrored in a private network.
const HOSTS: [&str; 3] = [
    "registry.npmjs.org:443",
    "pypi.org:443",
    "files.pythonhosted.org:443",
];

fn config() -> PackageConfig {
    PackageConfig {
        node: Base::Given(BASE.to_owned()),
        python: Base::Given(BASE.to_owned()),
        npm_registry: "https://registry.npmjs.org/".to_owned(),
        pypi_index: "https://pypi.org/simple/".to_owned(),
        egress: HOSTS.iter().map(|host| host.parse().unwrap()).collect(),
    }
}

fn package(registry: Registry, name: &str, version: &str) -> Package {
    Package {
        registry,
        name: name.to_owned(),
        version: version.to_owned(),
    }
}

#[tokio::test]
async fn packages_become_images_that_answer_without_a_network() {
    let Some(bench) = Bench::start_allowing(&HOSTS).await else {
        return;
    };
    bench.engine.import_languages(BASE).await;
    for (registry, name, version, server) in [
        (
            Registry::Npm,
            "@modelcontextprotocol/server-sequential-thinking",
            "2026.8.31",
            "sequential-thinking-server",
        ),
        (Registry::PyPi, "mcp-server-time", "2026.10.19", "mcp-time"),
    ] {
        let package = package(registry, name, version);

        let image = bench
            .docker
            .build("builder", &package, &config(), &LogBook::default())
            .await
            .unwrap();
        let begun = Instant::now();
        let again = bench
            .docker
            .build("builder", &package, &config(), &LogBook::default())
            .await
            .unwrap();

        assert_eq!(image, again);
        assert!(begun.elapsed().as_secs() < 2, "it is built once");
        let mut wanted = spec("package");
        wanted.image = image.id;
        wanted.limits.memory_bytes = 256 << 20;
        wanted.limits.pids = 64;
        let mut session = bench.start_session(&wanted).await;
        let title = session.initialize().await;
        assert_eq!(title, server, "{:?}", session.running.log.tail(20));
    }
    assert_eq!(
        bench.docker.list().await.unwrap().len(),
        1,
        "builders are gone"
    );
}

#[tokio::test]
async fn what_cannot_be_installed_says_why() {
    let Some(bench) = Bench::start_allowing(&HOSTS).await else {
        return;
    };
    bench.engine.import_languages(BASE).await;
    let missing = package(Registry::Npm, "left-pad", "99.0.0");
    let unclear = package(Registry::Npm, "left-pad", "latest");
    let mut no_base = config();
    no_base.node = Base::Given(
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".to_owned(),
    );

    let missing = bench
        .docker
        .build("builder", &missing, &config(), &LogBook::default())
        .await
        .unwrap_err();
    let unclear = bench
        .docker
        .build("builder", &unclear, &config(), &LogBook::default())
        .await
        .unwrap_err();
    let package = package(Registry::Npm, "left-pad", "1.3.0");
    let no_base = bench
        .docker
        .build("builder", &package, &no_base, &LogBook::default())
        .await
        .unwrap_err();

    assert!(missing.to_string().contains("left-pad@99.0.0"), "{missing}");
    assert!(matches!(unclear, Error::NotBuilt { .. }), "{unclear}");
    assert!(matches!(no_base, Error::ImageMissing { .. }), "{no_base}");
    assert_eq!(bench.engine.containers().await.len(), 0);
}

#[tokio::test]
async fn base_image_is_made_when_it_is_first_needed() {
    let Some(bench) = Bench::start_allowing(&HOSTS).await else {
        return;
    };
    let from = "agentarea-test/plain-languages:1";
    bench.engine.import_plain_languages(from).await;
    let made = PackageConfig {
        node: Base::Made {
            from: from.to_owned(),
            lives: Some(Duration::from_secs(24 * 3600)),
        },
        python: Base::Made {
            from: "localhost:1/nowhere/python:3.13".to_owned(),
            lives: None,
        },
        ..config()
    };
    let name = "@modelcontextprotocol/server-sequential-thinking";
    let package = |registry| package(registry, name, "2026.8.31");
    let (npm, log) = (package(Registry::Npm), LogBook::default());

    // Two at once make it once.
    let (one, two) = tokio::join!(
        bench.docker.build("builder-1", &npm, &made, &log),
        bench.docker.build("builder-2", &npm, &made, &log),
    );
    let old = PackageConfig {
        node: Base::Made {
            from: from.to_owned(),
            lives: Some(Duration::ZERO),
        },
        ..made.clone()
    };
    let renewed = LogBook::default();
    let anew = bench.docker.build("builder", &npm, &old, &renewed).await;
    let without = provisioner::Package {
        name: "mcp-server-time".to_owned(),
        version: "2026.10.19".to_owned(),
        ..package(Registry::PyPi)
    };
    let without = bench.docker.build("builder", &without, &made, &log).await;

    let one = one.unwrap().id;
    assert_eq!(one, two.unwrap().id);
    // From a base that has become too old nothing is installed.
    assert_ne!(one, anew.unwrap().id);
    let lines: Vec<_> = renewed.tail(1000).into_iter().collect();
    let is_told = |part: &str| lines.iter().any(|line| line.text.contains(part));
    assert!(is_told("is old and made anew"), "{lines:#?}");
    assert!(!is_told("stays as it is"), "{lines:#?}");
    let lines: Vec<_> = log.tail(1000).into_iter().map(|line| line.text).collect();
    let makes = lines
        .iter()
        .filter(|line| line.contains("making localhost/agentarea/base"));
    assert_eq!(makes.count(), 1, "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.contains("RUN mkdir /app")),
        "{lines:#?}"
    );
    let why = without.unwrap_err().to_string();
    for part in [
        "localhost:1/nowhere/python:3.13",
        "containers.python_from",
        "docker pull",
    ] {
        assert!(why.contains(part), "{why}");
    }
    assert_eq!(bench.engine.containers().await.len(), 0);
}
