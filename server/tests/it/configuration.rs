//! Where settings come from, what production demands, and the command that asks a server how it is.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use reqwest::StatusCode;
use testkit::{CrashableDb, free_port};

use crate::support::{Answer, Program, TestApp, client, eventually};

const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/none";
/// 32 bytes.
const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// Runs a command; what it says on its error output if it fails.
fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().expect("run the program");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[tokio::test]
async fn production_demands_a_master_key_and_an_encrypted_public_address() {
    let public = |url| ("AGENTAREA_PUBLIC_URL", url);
    let (production, key) = (("ENVIRONMENT", "production"), ("AGENTAREA_MASTER_KEY", KEY));
    for (settings, refusal) in [
        (vec![production], Some("AGENTAREA_MASTER_KEY")),
        (
            vec![production, public("https://agents.example.com")],
            Some("AGENTAREA_MASTER_KEY"),
        ),
        (
            vec![production, key, public("http://agents.example.com")],
            Some("public_url must begin with https://"),
        ),
        (
            vec![production, key, public("https://agents.example.com")],
            None,
        ),
        (vec![production, key, public("http://127.0.0.1:3000")], None),
        (vec![production, key], None),
        (vec![public("http://agents.example.com")], None),
    ] {
        let mut program = Program::new(Some(NOWHERE.to_owned()));
        for (name, value) in &settings {
            program.set(name, value);
        }

        let checked = run(program.command(&["serve", "--check"]));

        match (refusal, checked) {
            (None, checked) => assert_eq!(checked, Ok(()), "{settings:?}"),
            (Some(words), Ok(())) => panic!("{settings:?} lack nothing, not even {words}"),
            (Some(words), Err(told)) => {
                assert!(told.contains(words), "{settings:?}: {told}");
                assert!(!told.contains(KEY), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn environment_wins_over_the_file_and_flags_over_both() {
    let app = TestApp::start().await;
    let served = app.url("").replace("http://", "");
    let nobody = format!("127.0.0.1:{}", free_port());
    let file = app.data_dir().join("settings.toml");
    let asks = |in_file: &str, in_environment: Option<&str>| {
        std::fs::write(&file, format!("listen = \"{in_file}\"\n")).expect("write");
        let path = file.to_str().expect("text");
        let mut command = app.command(&["healthcheck", "--config", path]);
        command.env_remove("AGENTAREA_LISTEN");
        if let Some(address) = in_environment {
            command.env("AGENTAREA_LISTEN", address);
        }
        run(command)
    };

    assert_eq!(asks(&served, None), Ok(()));
    assert!(asks(&nobody, None).is_err_and(|told| told.contains(&nobody)));
    assert_eq!(asks(&nobody, Some(&served)), Ok(()));
    assert!(asks(&served, Some(&nobody)).is_err_and(|told| told.contains(&nobody)));

    // The address of the environment is taken: only the flag can help.
    let mut beside = app.command(&["serve", "--listen", &nobody]);
    let mut beside = beside.stdout(Stdio::piped()).spawn().expect("start");
    let mut ready = String::new();
    let told = beside.stdout.take().expect("a pipe");
    BufReader::new(told).read_line(&mut ready).expect("a line");
    beside.kill().expect("kill the server");
    beside.wait().expect("the server ends");
    assert_eq!(ready.trim(), format!("AgentArea is ready: http://{nobody}"));
}

#[tokio::test]
async fn file_that_cannot_be_read_or_has_unknown_keys_stops_the_start_by_name() {
    let program = Program::new(Some(NOWHERE.to_owned()));
    let file = program.data_dir.path().join("settings.toml");
    let check = || {
        let path = file.to_str().expect("text");
        run(program.command(&["--config", path, "serve", "--check"]))
    };

    let missing = check().expect_err("no file");
    assert!(missing.contains("settings.toml"), "{missing}");
    for (text, words) in [
        ("lissten = \"127.0.0.1:1\"", "lissten"),
        ("[limits]\nruns = 1", "runs"),
        ("[limit]\nfile_mib = 1", "limit"),
        ("[limits]\nfile_mib = \"many\"", "file_mib"),
        ("listen = ", "settings.toml"),
    ] {
        std::fs::write(&file, text).expect("write");
        let told = check().expect_err(text);
        assert!(told.contains(words), "{text}: {told}");
    }
    std::fs::write(&file, "[limits]\nfile_mib = 7\n").expect("write");
    assert_eq!(check(), Ok(()));
}

#[tokio::test]
async fn health_is_down_while_the_database_is_away() {
    let db = CrashableDb::start().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let health = async |path: &str| {
        let answer = client().get(app.url(path)).send().await;
        let answer = Answer::read(answer.expect("an answer")).await;
        let state = answer.body["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (answer.status, state)
    };
    let check = || run(app.command(&["healthcheck"]));
    assert_eq!(check(), Ok(()));

    db.pause();
    let away = (StatusCode::SERVICE_UNAVAILABLE, "down".to_owned());
    assert_eq!(health("/health").await, away);
    assert_eq!(health("/health/db").await, away);
    let told = check().expect_err("not ready");
    assert!(told.contains("503"), "{told}");

    db.resume();
    let is_back = eventually(async || health("/health").await.0 == StatusCode::OK).await;
    assert!(is_back);
    assert_eq!(health("/health/db").await.1, "ok");
    assert_eq!(check(), Ok(()));
}
