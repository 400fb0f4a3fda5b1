//! The embedded database survives crashes of either process.

use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::support::{TestApp, client};

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

fn postmaster(app: &mut TestApp) -> String {
    let path = app
        .program()
        .data_dir
        .path()
        .join("postgres/data/postmaster.pid");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
