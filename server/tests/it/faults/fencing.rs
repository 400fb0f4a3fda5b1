//! A worker that lost its run writes nothing more, and a run that has ended stays as it ended.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::events::{EventBody, RunEnd, TextDelta};
use domain::runs::{RunStatus, Usage};
use domain::{ConversationId, RunId, Timestamp, WorkspaceId};
use sqlx::{Connection, PgConnection, Row};
use store::events::{EventColumns, NewEvent};
use store::runs::{Ending, Lease};
use store::{Config, Store};
use testkit::scripted_model::Answer as Scripted;
use testkit::{EventStream, ScriptedModel, TestDb, check_gapless, go_on, stand_still, texts};
use uuid::Uuid;

use crate::support::{Program, TestApp};

/// Longest wait for a run to be taken over, or for a worker to notice.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug)]
enum Wakes {
    /// With text to persist.
    InTheMiddle,
    /// With the whole answer, to be written as the run's end.
    AtTheEnd,
}

#[tokio::test]
async fn worker_that_stood_still_past_its_lease_writes_nothing_more() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    let journal = program.data_dir.path().join("zombie.log");
    program.set("RUST_LOG", "info");
    program.log_to(journal.clone());
    let mut zombie = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    let agent = zombie.create_agent(&model).await;
    let mut living = zombie.program().beside();
    living.start().await;

    for wakes in [Wakes::InTheMiddle, Wakes::AtTheEnd] {
        let conversation = zombie.create_conversation(&agent).await;
        let (answer, gate) = Scripted::text("brains more brains and brains again").held();
        model.next(answer);
        model.next(Scripted::text("a living answer"));
        let run = zombie.ask(&conversation, "who are you?").await;
        gate.release(2);
        let url = living.url(&format!("/api/v1/conversations/{conversation}/events"));
        let mut stream = EventStream::open(&url, &zombie.key)
            .await
            .expect("a stream");
        let before = stream.collect_until(|event| event.event == "text_delta");
        before
            .await
            .expect("what the worker wrote while it held the run");

        stand_still(zombie.program().id());
        let stopped = Instant::now();
        match wakes {
            Wakes::InTheMiddle => gate.release(2),
            Wakes::AtTheEnd => gate.finish(),
        }
        let until_idle = format!("{url}?until=idle");
        let mut stream = EventStream::open(&until_idle, &zombie.key)
            .await
            .expect("a stream");
        let mut log = stream.collect_all().await.expect("the whole log");
        let took = stopped.elapsed();
        log.retain(|event| event.id.is_some());
        go_on(zombie.program().id());
        let adopted = log.iter().position(|event| event.event == "run_adopted");
        let adopted = adopted.unwrap_or_else(|| panic!("{wakes:?}: not taken over: {log:#?}"));
        let let_go = wait_until_let_go(&journal, &run).await;
        println!("{wakes:?}: taken over within {took:?}; the other says: {let_go}");
        // Time enough for a batch of text, had it been allowed.
        let later = zombie.log(&conversation).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let last = zombie.log(&conversation).await;

        assert!(took < PATIENCE, "{wakes:?}: {took:?}");
        check_gapless(&log).expect("no gap");
        assert_eq!(later, log, "{wakes:?}");
        assert_eq!(last, log, "{wakes:?}");
        let after = &log[adopted..];
        assert!(
            after
                .iter()
                .all(|event| !event.data.to_string().contains("brains"))
        );
        let ends = after.iter().filter(|event| event.event == "run_completed");
        assert_eq!(ends.count(), 1, "{wakes:?}");
        let texts = texts(&log).expect("exact");
        assert!(
            texts.values().any(|text| text == "a living answer"),
            "{texts:?}"
        );
        let path = format!("/conversations/{conversation}/messages");
        let messages = zombie.get(&path).await.body;
        assert_eq!(messages["items"][0]["text"], "a living answer", "{wakes:?}");
        gate.finish();
    }
    assert!(zombie.program().is_running());
}

/// Waits until the program has logged that it let a run go; gives the line.
async fn wait_until_let_go(journal: &Path, run: &str) -> String {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(journal).expect("its log");
        let line = text.lines().find(|line| {
            let says_so = ["run let go", "lease is no longer held", "handed over"];
            line.contains(run) && says_so.iter().any(|words| line.contains(words))
        });
        if let Some(line) = line {
            return line.to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "it did not notice:\n{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A run with what is needed to write to it.
struct Held {
    lease: Lease,
    answer_id: Uuid,
    conversation: String,
}

#[tokio::test]
async fn old_fence_and_ended_run_are_refused_by_the_store() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let store = Store::new(Config::from_url(&db.url()).expect("a URL"));
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");

    for end in [
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
    ] {
        let conversation = app.create_conversation(&agent).await;
        let (answer, gate) = match end {
            RunStatus::Failed => Scripted::status(400).held(),
            _ => Scripted::text("done").held(),
        };
        model.next(answer);
        let run = app.ask(&conversation, "hello").await;
        let held = find(&mut superuser, &run, conversation).await;
        if end != RunStatus::Failed {
            let old = Lease {
                fence: held.lease.fence - 1,
                ..held.lease
            };
            assert_refused(&store, &held, old, "with an old fence").await;
        }
        match end {
            RunStatus::Cancelled => {
                let path = format!("/runs/{run}/cancellation");
                app.post(&path, serde_json::Value::Null).await;
            }
            _ => gate.finish(),
        }
        let log = app.log(&held.conversation).await;
        let before = state(&mut superuser, &held).await;

        assert_refused(&store, &held, held.lease, "after the end").await;
        let mut db = store.system().await.expect("a connection");
        let renewed = store::runs::renew(&mut db, &[held.lease])
            .await
            .expect("an answer");
        assert_eq!(renewed.len(), 0, "{end:?}: an ended run is not renewed");
        store::runs::expire_all_leases(&mut db).await.expect("done");
        let taken = store::runs::claim_orphaned(&mut db, 10, &[]).await;
        assert_eq!(taken.expect("an answer").len(), 0, "{end:?}");
        let taken = store::runs::claim_queued(&mut db, 10, 100).await;
        assert_eq!(taken.expect("an answer").len(), 0, "{end:?}");
        let mut tx = store.begin(held.lease.workspace_id).await.expect("begun");
        let cancelled = tx.request_cancellation(held.lease.run_id).await;
        assert!(
            !cancelled.expect("an answer"),
            "{end:?}: it cannot be cancelled"
        );
        drop(tx);
        let again = app
            .post(
                &format!("/runs/{run}/cancellation"),
                serde_json::Value::Null,
            )
            .await;
        assert_eq!(again.status, reqwest::StatusCode::CONFLICT, "{end:?}");
        for other in [
            "queued",
            "running",
            "waiting",
            "completed",
            "failed",
            "cancelled",
        ] {
            if other == end.as_str() {
                continue;
            }
            let sql = "update runs set status = $1 where id = $2";
            let done = sqlx::query(sql)
                .bind(other)
                .bind(held.lease.run_id.uuid())
                .execute(&mut superuser)
                .await;
            let error = done.expect_err("it has ended").to_string();
            assert!(error.contains("has ended"), "{end:?} → {other}: {error}");
        }
        assert_eq!(state(&mut superuser, &held).await, before, "{end:?}");
        assert_eq!(app.log(&held.conversation).await, log, "{end:?}");
        gate.finish();
    }
}

/// Tries to write under `lease`, which must not be possible.
async fn assert_refused(store: &Store, held: &Held, lease: Lease, when: &str) {
    let now: Timestamp = time::OffsetDateTime::now_utc().into();
    let event = |body| NewEvent {
        id: Uuid::now_v7().into(),
        body,
    };
    let mut tx = store.begin(lease.workspace_id).await.expect("begun");
    let delta = event(EventBody::TextDelta(TextDelta {
        message_id: held.answer_id.into(),
        offset: 0,
        text: "too late".to_owned(),
    }));
    let appended = tx.append_events(&lease, &[delta], now).await;
    tx.commit().await.expect("committed");
    let mut tx = store.begin(lease.workspace_id).await.expect("begun");
    let ending = Ending {
        message: None,
        status: RunStatus::Completed,
        usage: Usage::default(),
        error: None,
        now,
    };
    let last = event(EventBody::RunCompleted(RunEnd {
        usage: Usage::default(),
        error: None,
    }));
    let ended = tx
        .end_run(&lease, &ending, &EventColumns::new(&[last]))
        .await;
    tx.commit().await.expect("committed");

    assert!(matches!(appended, Err(store::Error::LeaseLost)), "{when}");
    assert!(matches!(ended, Err(store::Error::LeaseLost)), "{when}");
}

async fn find(db: &mut PgConnection, run: &str, conversation: String) -> Held {
    let sql = "select id, workspace_id, conversation_id, answer_id, fence from runs
               where id = $1::text::uuid";
    let row = sqlx::query(sql)
        .bind(run)
        .fetch_one(db)
        .await
        .expect("the run");
    Held {
        lease: Lease {
            run_id: RunId::from(row.get::<Uuid, _>("id")),
            workspace_id: WorkspaceId::from(row.get::<Uuid, _>("workspace_id")),
            conversation_id: ConversationId::from(row.get::<Uuid, _>("conversation_id")),
            fence: row.get("fence"),
        },
        answer_id: row.get("answer_id"),
        conversation,
    }
}

/// Everything that the database holds of a run.
async fn state(db: &mut PgConnection, held: &Held) -> String {
    let sql = "select jsonb_build_array(
                 (select to_jsonb(r) from runs r where id = $1),
                 (select jsonb_agg(to_jsonb(m) order by position) from messages m where run_id = $1),
                 (select jsonb_agg(to_jsonb(s) order by number) from run_steps s where run_id = $1),
                 (select jsonb_agg(to_jsonb(e) order by seq) from events e where run_id = $1))::text";
    sqlx::query_scalar(sql)
        .bind(held.lease.run_id.uuid())
        .fetch_one(db)
        .await
        .expect("its state")
}
