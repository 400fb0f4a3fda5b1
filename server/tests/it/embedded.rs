//! The embedded database survives crashes of either process, and gets its programs where there are
//! none.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::support::{Program, TestApp, client};

#[tokio::test]
async fn database_that_is_killed_comes_back_by_itself() {
    let mut app = TestApp::start_embedded().await;
    let pid = postmaster(&mut app);

    let killed = Command::new("kill")
        .args(["-9", &pid])
        .status()
        .expect("kill");
    assert!(killed.success());
    let started = Instant::now();
    while app.get("/me").await.status != StatusCode::OK || postmaster(&mut app) == pid {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "the database did not come back"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    assert_ne!(
        postmaster(&mut app),
        pid,
        "another server process answers now"
    );
}

#[tokio::test]
async fn database_ends_with_its_server() {
    let mut app = TestApp::start_embedded().await;
    let pid = postmaster(&mut app);
    let process = Path::new("/proc").join(&pid);
    let ran = process.exists();

    let ended_well = app.program().stop();

    assert!(ran && ended_well);
    assert!(!process.exists(), "process {pid} is left over");
}

#[tokio::test]
async fn start_after_both_were_killed_clears_stale_locks() {
    let mut app = TestApp::start_embedded().await;
    let pid = postmaster(&mut app);

    app.program().kill();
    let killed = Command::new("kill")
        .args(["-9", &pid])
        .status()
        .expect("kill");
    assert!(killed.success());
    app.program().start().await;

    assert_eq!(app.get("/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn second_server_on_the_folder_is_refused_and_told_who_holds_it() {
    let mut app = TestApp::start_embedded().await;
    let address = app.program().address.clone();

    let output = app
        .program()
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .output();
    let output = output.expect("run serve");

    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains(&address), "{told}");
}

#[tokio::test]
async fn commands_work_with_and_without_a_running_server() {
    let mut app = TestApp::start_embedded().await;
    let create_user = |email: &'static str| {
        [
            "admin",
            "create-user",
            "--email",
            email,
            "--workspace",
            "Acme",
        ]
    };

    let beside = app
        .program()
        .command(&create_user("grace@example.com"))
        .env("AGENTAREA_PASSWORD", testkit::inputs::PASSWORD)
        .output()
        .expect("run admin");
    app.program().stop();
    let alone = app
        .program()
        .command(&create_user("edsger@example.com"))
        .env("AGENTAREA_PASSWORD", testkit::inputs::PASSWORD)
        .output()
        .expect("run admin");
    app.program().start().await;
    let sign_in = client().post(app.url("/api/v1/session"));
    let sign_in = sign_in
        .json(&testkit::inputs::sign_in("edsger@example.com"))
        .send()
        .await;

    assert!(beside.status.success(), "{beside:?}");
    assert!(alone.status.success(), "{alone:?}");
    assert_eq!(sign_in.expect("an answer").status(), StatusCode::CREATED);
}

#[tokio::test]
async fn database_does_not_run_as_root() {
    let mut app = TestApp::start_embedded().await;
    let pid = postmaster(&mut app);

    let output = Command::new("ps")
        .args(["-o", "uid=", "-p", &pid])
        .output()
        .expect("run ps");

    assert_ne!(String::from_utf8_lossy(&output.stdout).trim(), "0");
}

/// Needs the network: downloads 23 MB from registry.npmjs.org (51 MB on macOS).
#[tokio::test]
async fn machine_without_postgresql_fetches_it_once() {
    let mut program = Program::new(None);
    hide_postgresql(&mut program);

    program.start_within(Duration::from_secs(300)).await;
    let first = client().get(program.url("/health/db")).send().await;
    program.stop();
    // From here on a download would fail, and the machine may have another version.
    close_network(&mut program);
    program.set("PATH", &std::env::var("PATH").unwrap_or_default());
    program.set("POSTGRESQL_ROOTS", "/usr/lib/postgresql");
    program.start().await;
    let second = client().get(program.url("/health/db")).send().await;

    assert_eq!(first.expect("an answer").status(), StatusCode::OK);
    assert_eq!(second.expect("an answer").status(), StatusCode::OK);
    let version = program.data_dir.path().join("postgres/data/PG_VERSION");
    assert_eq!(std::fs::read_to_string(version).expect("a cluster"), "17\n");
}

#[tokio::test]
async fn machine_without_postgresql_and_network_is_told_the_ways_out() {
    let mut program = Program::new(None);
    hide_postgresql(&mut program);
    close_network(&mut program);

    let told = refusal(&program);

    assert!(told.contains("apt-get install postgresql;"), "{told}");
    assert!(told.contains("set DATABASE_URL"), "{told}");
    let cause = told.lines().last().unwrap_or_default();
    assert!(cause.starts_with("it could not be fetched: "), "{told}");
    assert!(cause.contains("Connection refused"), "{told}");
}

#[tokio::test]
async fn cluster_of_a_version_that_is_nowhere_is_named() {
    let mut program = Program::new(None);
    close_network(&mut program);
    let data = program.data_dir.path().join("postgres/data");
    std::fs::create_dir_all(&data).expect("a cluster");
    std::fs::write(data.join("PG_VERSION"), "9\n").expect("a cluster");

    let told = refusal(&program);

    assert!(told.contains("was made by PostgreSQL 9"), "{told}");
    assert!(told.contains("apt-get install postgresql-9)"), "{told}");
    assert!(told.contains("set DATABASE_URL"), "{told}");
}

/// Takes every folder with a PostgreSQL out of what the program searches.
fn hide_postgresql(program: &mut Program) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let without = std::env::split_paths(&path).filter(|folder| !folder.join("postgres").exists());
    let path = std::env::join_paths(without).expect("a PATH");
    program.set("PATH", path.to_str().expect("text"));
    program.set("POSTGRESQL_ROOTS", "");
}

/// Sends downloads to a proxy that is not there.
fn close_network(program: &mut Program) {
    program.set("HTTPS_PROXY", "http://127.0.0.1:1");
    program.set("NO_PROXY", "localhost");
}

/// What `serve` tells when it does not start; it leaves no half of a download.
fn refusal(program: &Program) -> String {
    let output = program.command(&["serve"]).output().expect("run serve");
    assert!(!output.status.success());
    let has_fetched = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        let mut folders = entries.filter(|entry| entry.path().is_dir());
        folders.any(|entry| entry.file_name() != "postgres")
    };
    assert!(!has_fetched(program.data_dir.path()));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn postmaster(app: &mut TestApp) -> String {
    let path = app
        .program()
        .data_dir
        .path()
        .join("postgres/data/postmaster.pid");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
