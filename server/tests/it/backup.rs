//! Backups: made while the server runs, proven, restored, and refused when damaged.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reqwest::StatusCode;
use serde_json::Value;
use testkit::{ScriptedModel, TestDb};

use crate::files::remains::files_below;
use crate::files::{download, upload};
use crate::support::{Program, TestApp};

/// An installation with something of everything.
struct Filled {
    app: TestApp,
    _db: TestDb,
    model: ScriptedModel,
    conversation: String,
    file: String,
    places: tempfile::TempDir,
}

const CONTENT: &[u8] = b"what was agreed in March";

impl Filled {
    async fn start() -> Self {
        let places = tempfile::tempdir().expect("a folder");
        let db = TestDb::create_unprivileged().await;
        let mut program = Program::new(Some(db.url()));
        let place = format!("file://{}", places.path().join("kept").display());
        program.set("AGENTAREA_BACKUP_STORE", &place);
        let app = TestApp::on(program).await;
        let model = ScriptedModel::start().await;
        let agent = app.create_agent(&model).await;
        let conversation = app.create_conversation(&agent).await;
        app.ask(
            &conversation,
            "Tabs\tand \\n backslashes, \u{1f600} and\nlines",
        )
        .await;
        app.log(&conversation).await;
        let file = upload(&app, "notes.txt", CONTENT, &[]).await.created();
        Self {
            app,
            _db: db,
            model,
            conversation,
            file,
            places,
        }
    }

    /// What people see.
    async fn seen(&self) -> Vec<Value> {
        let messages = format!("/conversations/{}/messages", self.conversation);
        let mut seen = Vec::new();
        for path in [
            "/me",
            "/members",
            "/model-connections",
            "/agents",
            "/conversations",
            &messages,
            "/runs",
            "/audit-events",
            "/invitations",
        ] {
            let answer = self.app.get(path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
            seen.push(answer.body);
        }
        let events: Vec<Value> = self
            .app
            .log(&self.conversation)
            .await
            .into_iter()
            .map(|event| event.data)
            .collect();
        seen.push(events.into());
        seen
    }

    fn kept(&self) -> PathBuf {
        self.places.path().join("kept")
    }
}

fn run(command: &mut Command) -> Output {
    command.output().expect("run the program")
}

fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn fail(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[tokio::test]
async fn backup_brings_everything_back_as_it_was() {
    let mut filled = Filled::start().await;
    let before = filled.seen().await;
    let objects = files_below(&filled.app.data_dir().join("objects"));

    let created = succeed(&mut filled.app.command(&["backup", "create"]));
    let listed = succeed(&mut filled.app.command(&["backup", "list"]));
    filled
        .app
        .delete(&format!("/conversations/{}", filled.conversation))
        .await;
    filled.app.delete(&format!("/files/{}", filled.file)).await;
    upload(&filled.app, "later.txt", b"later", &[])
        .await
        .created();
    let verified = succeed(&mut filled.app.command(&["backup", "verify"]));
    let in_use = fail(&mut filled.app.command(&["restore", "latest", "--force"]));
    filled.app.program().stop();
    let not_empty = fail(&mut filled.app.command(&["restore", "latest"]));
    succeed(&mut filled.app.command(&["restore", "latest", "--force"]));
    filled.app.program().start().await;

    assert!(created.contains(listed.trim()), "{created} {listed}");
    assert!(
        verified.contains("1 files are whole, 1 secrets open"),
        "{verified}"
    );
    assert!(in_use.contains("stop all servers"), "{in_use}");
    assert!(not_empty.contains("--force"), "{not_empty}");
    assert_eq!(filled.seen().await, before);
    assert_eq!(files_below(&filled.app.data_dir().join("objects")), objects);
    let found = download(&filled.app, &filled.file).await;
    assert_eq!(found.bytes().await.expect("the content"), CONTENT);
    // The key of the model connection opens, and everything goes on.
    filled.app.ask(&filled.conversation, "still there?").await;
    let log = filled.app.log(&filled.conversation).await;
    assert_eq!(log.last().expect("an end").event, "run_completed");
    assert!(filled.model.requests().len() > 1);
}

#[tokio::test]
async fn backup_is_restored_on_an_empty_host_with_its_key_and_not_without() {
    let filled = Filled::start().await;
    let before = filled.seen().await;
    succeed(&mut filled.app.command(&["backup", "create"]));
    let db = TestDb::create_unprivileged().await;
    let mut host = Program::new(Some(db.url()));
    let place = format!("file://{}", filled.kept().display());
    host.set("AGENTAREA_BACKUP_STORE", &place);
    let key = host.data_dir.path().join("master.key");

    let no_key = fail(&mut host.command(&["restore"]));
    assert!(!key.exists(), "a new key was made");
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").expect("a key");
    let wrong_key = fail(&mut host.command(&["restore"]));
    std::fs::copy(filled.app.data_dir().join("master.key"), &key).expect("the key");
    succeed(&mut host.command(&["restore"]));
    host.set("AGENTAREA_LIMITS__REQUESTS_PER_MINUTE", "1000000");
    host.start().await;
    let elsewhere = Filled {
        app: TestApp::of(host, &filled.app.key),
        _db: db,
        ..filled
    };

    assert!(no_key.contains("master.key does not exist"), "{no_key}");
    assert!(wrong_key.contains("which is not at hand"), "{wrong_key}");
    assert_eq!(elsewhere.seen().await, before);
}

#[tokio::test]
async fn damaged_backup_is_refused_before_anything_is_touched() {
    let filled = Filled::start().await;
    succeed(&mut filled.app.command(&["backup", "create"]));
    let db = TestDb::create_unprivileged().await;
    let mut host = Program::new(Some(db.url()));
    let place = format!("file://{}", filled.kept().display());
    host.set("AGENTAREA_BACKUP_STORE", &place);
    let key = host.data_dir.path().join("master.key");
    std::fs::copy(filled.app.data_dir().join("master.key"), &key).expect("the key");
    let files = files_below(&filled.kept());
    assert!(files.len() > 15, "{files:?}");

    let mut damages = 0;
    for (number, path) in files.iter().enumerate() {
        let whole = std::fs::read(path).expect("a file");
        let bit = number * 7919 % (whole.len() * 8);
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let shorter = whole[..whole.len() - 1].to_vec();
        let longer = [&whole[..], b"x"].concat();
        for damaged in [Some(flipped), Some(shorter), Some(longer), None] {
            replace(path, damaged.as_deref());
            let refused = fail(&mut host.command(&["restore", "latest", "--force"]));
            assert!(!refused.is_empty());
            damages += 1;
        }
        replace(path, Some(&whole));
    }
    assert!(damages > 60, "{damages}");
    // Nothing was written by any of them, and the whole one is still good.
    assert!(files_below(&host.data_dir.path().join("objects")).is_empty());
    succeed(&mut host.command(&["restore", "latest"]));
}

fn replace(path: &Path, content: Option<&[u8]>) {
    match content {
        Some(content) => std::fs::write(path, content).expect("written"),
        None => std::fs::remove_file(path).expect("removed"),
    }
}

#[tokio::test]
async fn damaged_table_is_found_by_verifying() {
    let filled = Filled::start().await;
    succeed(&mut filled.app.command(&["backup", "create"]));
    let files = files_below(&filled.kept());
    let table = files.iter().find(|path| path.ends_with("tables/messages"));
    let table = table.expect("the messages");
    let mut content = std::fs::read(table).expect("a file");
    let last = content.len() - 1;
    content[last] ^= 1;
    std::fs::write(table, content).expect("damaged");

    let found = fail(&mut filled.app.command(&["backup", "verify"]));

    assert!(
        found.contains("messages") && found.contains("of no use"),
        "{found}"
    );
    let left = std::fs::read_dir(filled.app.data_dir()).expect("the data folder");
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name == "scratch"), "{left:?}");
}

#[tokio::test]
async fn pruning_keeps_the_newest_and_what_it_needs() {
    let filled = Filled::start().await;
    for _ in 0..3 {
        succeed(&mut filled.app.command(&["backup", "create"]));
    }
    let listed = succeed(&mut filled.app.command(&["backup", "list"]));
    let newest = listed
        .split_whitespace()
        .next()
        .expect("a backup")
        .to_owned();

    let prune = ["backup", "prune", "--keep-daily", "1", "--keep-weekly", "0"];
    let pruned = succeed(&mut filled.app.command(&prune));
    let left = succeed(&mut filled.app.command(&["backup", "list"]));

    assert_eq!(listed.lines().count(), 3);
    assert_eq!(pruned.matches("deleted backup").count(), 2, "{pruned}");
    assert_eq!(left.lines().count(), 1);
    assert!(left.starts_with(&newest));
    succeed(&mut filled.app.command(&["backup", "verify", &newest]));
}

#[tokio::test]
async fn embedded_installation_is_backed_up_while_it_runs() {
    let app = TestApp::start_embedded().await;
    upload(&app, "notes.txt", CONTENT, &[]).await.created();

    succeed(&mut app.command(&["backup", "create"]));
    let verified = succeed(&mut app.command(&["backup", "verify"]));

    assert!(verified.contains("1 files are whole"), "{verified}");
}
