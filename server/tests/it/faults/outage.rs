//! The database goes away and comes back; the server stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::StatusCode;
use testkit::scripted_model::Answer as Scripted;
use testkit::{CrashableDb, ScriptedModel, check_gapless, inputs, texts};
use tokio::task::{JoinHandle, JoinSet};

use super::rounds;
use crate::support::{Program, TestApp, client};

/// A write every so often: 20 in a second.
const WRITE_EVERY: Duration = Duration::from_millis(50);
/// How long the database stands still.
const PAUSE: Duration = Duration::from_secs(20);
/// After this long it must be as if nothing had been.
const AFTERMATH: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
enum Fault {
    Restart,
    Crash,
    Pause,
}

/// A write, when it was asked for and answered, and what came of it.
struct Write {
    asked: Instant,
    answered: Instant,
    /// Id of what was written, or what was said instead.
    result: Result<String, String>,
}

/// F3: a restart, a crash and a stop of PostgreSQL under 20 writes a second.
#[tokio::test]
async fn database_outages_lose_no_acknowledged_write_and_heal_by_themselves() {
    let mut db = CrashableDb::start().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let pid = app.program().id();
    let cycle = [Fault::Restart, Fault::Pause, Fault::Crash];

    for round in 0..rounds(5, 50) {
        let fault = cycle[round % cycle.len()];
        // A run that is under way all the time.
        let (answer, gate) = Scripted::numbered(100).held();
        model.next(answer);
        let conversation = app.create_conversation(&agent).await;
        app.ask(&conversation, "count").await;
        gate.release(50);
        let writer = Writer::start(&app, &agent);
        writer.has_written(20).await;

        let begun = Instant::now();
        match fault {
            Fault::Restart => db.restart().await,
            Fault::Crash => db.crash().await,
            Fault::Pause => {
                db.pause();
                tokio::time::sleep(PAUSE).await;
                db.resume();
            }
        }
        let over = Instant::now();
        tokio::time::sleep(AFTERMATH).await;
        writer.has_written(20).await;
        let writes = writer.stop().await;
        gate.finish();

        let mut errors = 0;
        let mut acknowledged = Vec::new();
        for write in writes {
            match write.result {
                Ok(id) => acknowledged.push((id, write.answered)),
                Err(said) => {
                    errors += 1;
                    // Never a fault of ours, such as a transaction left over (25P02).
                    assert!(said.starts_with("503"), "{fault:?}: {said}");
                    assert!(write.answered > begun, "{fault:?}: {said} before the fault");
                    assert!(
                        write.asked < over + AFTERMATH,
                        "{fault:?}: {said} long after"
                    );
                }
            }
        }
        let slow = acknowledged
            .iter()
            .filter(|(_, answered)| *answered > begun && *answered < over);
        println!(
            "{fault:?}: away for {:?}, {} writes, {errors} refused, {} acknowledged meanwhile",
            over - begun,
            acknowledged.len(),
            slow.count()
        );
        assert!(errors > 0, "{fault:?} was not felt");
        for (id, _) in &acknowledged {
            let found = app.get(&format!("/conversations/{id}")).await;
            assert_eq!(found.status, StatusCode::OK, "{fault:?}: {id} is lost");
        }
        let at_once = join_all((0..64).map(|_| app.get("/me"))).await;
        let refused = at_once
            .iter()
            .filter(|answer| answer.status != StatusCode::OK);
        assert_eq!(refused.count(), 0, "{fault:?}: connections are missing");
        let log = app.log(&conversation).await;
        check_gapless(&log).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let answers = texts(&log).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let expected = Scripted::numbered(100).full_text();
        assert!(
            answers.values().any(|text| *text == expected),
            "{answers:?}"
        );
        let is_adopted = log.iter().any(|event| event.event == "run_adopted");
        assert!(!is_adopted, "{fault:?}: the run's own worker was alive");
    }
    assert!(app.program().is_running());
    assert_eq!(app.program().id(), pid, "the server was started again");
}

/// Writes without a break.
struct Writer {
    is_over: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    task: JoinHandle<Vec<Write>>,
}

impl Writer {
    fn start(app: &TestApp, agent: &str) -> Self {
        let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (url, key) = (app.url("/api/v1/conversations"), app.key.clone());
        let input = inputs::conversation(agent);
        let task = tokio::spawn({
            let (is_over, written) = (Arc::clone(&is_over), Arc::clone(&written));
            async move {
                let client = client();
                let mut writes = JoinSet::new();
                let mut tick = tokio::time::interval(WRITE_EVERY);
                while !is_over.load(Ordering::Relaxed) {
                    tick.tick().await;
                    let req = client.post(&url).bearer_auth(&key).json(&input);
                    let written: Arc<AtomicUsize> = Arc::clone(&written);
                    writes.spawn(async move {
                        let write = write(req).await;
                        written.fetch_add(usize::from(write.result.is_ok()), Ordering::Relaxed);
                        write
                    });
                }
                writes.join_all().await
            }
        });
        Self {
            is_over,
            written,
            task,
        }
    }

    /// Waits for so many more acknowledged writes.
    async fn has_written(&self, count: usize) {
        let wanted = self.written.load(Ordering::Relaxed) + count;
        let begun = Instant::now();
        while self.written.load(Ordering::Relaxed) < wanted {
            assert!(begun.elapsed() < Duration::from_secs(30), "no writes");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn stop(self) -> Vec<Write> {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.expect("the writes")
    }
}

async fn write(req: reqwest::RequestBuilder) -> Write {
    let asked = Instant::now();
    let result = match req.send().await {
        Err(error) => Err(format!("no answer: {error}")),
        Ok(response) => {
            let status = response.status();
            let body: serde_json::Value = response.json().await.unwrap_or_default();
            match (status, body["id"].as_str()) {
                (StatusCode::CREATED, Some(id)) => Ok(id.to_owned()),
                _ => Err(format!("{status}: {body}")),
            }
        }
    };
    Write {
        asked,
        answered: Instant::now(),
        result,
    }
}
