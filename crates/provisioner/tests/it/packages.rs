//! Packages of npm and PyPI, from the real registries.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use provisioner::{Base, Error, LogBook, Package, PackageConfig, Provisioner, Registry};

use crate::support::{Bench, docker, spec};

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
        assert!(begun.elapsed().as_secs() < 5, "it is built once");
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
    let without = provisioner::Package {
        name: "mcp-server-time".to_owned(),
        version: "2026.10.19".to_owned(),
        ..package(Registry::PyPi)
    };
    let without = bench.docker.build("builder", &without, &made, &log).await;

    let one = one.unwrap().id;
    assert_eq!(one, two.unwrap().id);
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

#[tokio::test]
async fn old_base_image_is_made_anew_only_from_a_newer_image() {
    let Some(bench) = Bench::start_allowing(&HOSTS).await else {
        return;
    };
    let from = "agentarea-test/plain-languages:1";
    bench.engine.import_plain_languages(from).await;
    let old = PackageConfig {
        node: Base::Made {
            from: from.to_owned(),
            lives: Some(Duration::ZERO),
        },
        ..config()
    };
    let name = "@modelcontextprotocol/server-sequential-thinking";
    let npm = package(Registry::Npm, name, "2026.8.31");
    let (first, again, anew) = <(LogBook, LogBook, LogBook)>::default();

    let one = bench.docker.build("builder", &npm, &old, &first).await;
    // No registry has the image: what was installed goes on to count.
    let two = bench.docker.build("builder", &npm, &old, &again).await;
    let at_hand = bench.docker.find_package(&npm, &old).await;
    // Somebody brings another one, and it is time to look again.
    bench.engine.import_plain_languages(from).await;
    let later = docker(&bench.engine, "test", &HOSTS);
    let due = later.find_package(&npm, &old).await.unwrap();
    let three = later.build("builder", &npm, &old, &anew).await;

    let one = one.unwrap();
    assert_eq!(one, two.unwrap());
    assert_eq!(at_hand.unwrap().as_ref(), Some(&one));
    let told = |log: &LogBook, part: &str| {
        let lines = log.tail(1000).into_iter();
        lines.map(|line| line.text).any(|line| line.contains(part))
    };
    assert!(told(&again, "stays as it is"), "{:#?}", again.tail(1000));
    assert_eq!(due, None);
    assert_ne!(one.id, three.unwrap().id);
    assert!(told(&anew, "anew from"), "{:#?}", anew.tail(1000));
    assert!(!told(&anew, "stays as it is"), "{:#?}", anew.tail(1000));
}

#[tokio::test]
async fn nothing_that_a_package_brings_runs_while_it_is_installed() {
    let index = Index::start(SLY);
    let Some(bench) = Bench::start_allowing(&[&index.host]).await else {
        return;
    };
    bench.engine.import_languages(BASE).await;
    let config = PackageConfig {
        pypi_index: format!("http://{}/simple/", index.host),
        egress: vec![index.host.parse().unwrap()],
        ..config()
    };
    let sly = package(Registry::PyPi, "sly", "1.0");
    let log = LogBook::default();

    let built = bench.docker.build("builder", &sly, &config, &log).await;

    let image = built.unwrap_or_else(|error| panic!("{error} {:#?}", log.tail(1000)));
    let mut wanted = spec("sly");
    wanted.image = image.id;
    wanted.limits.memory_bytes = 128 << 20;
    let session = bench.start_session(&wanted).await;
    assert_eq!(session.running.ended().await.code, Some(0));
    let said = session.running.log.tail(1).pop().unwrap();
    assert_eq!(said.text, "it ran before: False");
}

/// A wheel with modules that Python imports by itself, or in place of its own.
const SLY: &str = r#"
import os, sys, zipfile
os.makedirs(sys.argv[1] + "/simple/sly")
note = "try: open('/app/ran', 'w').close()\nexcept OSError: pass\n"
with zipfile.ZipFile(sys.argv[1] + "/simple/sly/sly-1.0-py3-none-any.whl", "w") as wheel:
    for name, text in {
        "sitecustomize.py": note,
        "email/__init__.py": note,
        "sly.py": "import os, sys\ndef main():\n"
            "    print('it ran before:', os.path.exists('/app/ran'), file=sys.stderr)\n",
        "sly-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: sly\nVersion: 1.0\n",
        "sly-1.0.dist-info/WHEEL":
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "sly-1.0.dist-info/entry_points.txt": "[console_scripts]\nsly = sly:main\n",
        "sly-1.0.dist-info/RECORD": "sly-1.0.dist-info/RECORD,,\n",
    }.items():
        wheel.writestr(name, text)
"#;

/// An index of Python packages that a script makes in a folder; ended when dropped.
struct Index {
    host: String,
    server: Child,
    _folder: tempfile::TempDir,
}

impl Index {
    fn start(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("python3")
            .args(["-c", script])
            .arg(folder.path())
            .status();
        assert!(made.unwrap().success());
        // Not 127.0.0.1: that is reached without a proxy.
        let mut server = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.2"])
            .arg("--directory")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = server.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let port = line.split(" port ").nth(1).unwrap();
        let port = port.split(' ').next().unwrap();
        Self {
            host: format!("127.0.0.2:{port}"),
            server,
            _folder: folder,
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
