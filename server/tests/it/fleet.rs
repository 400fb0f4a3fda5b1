//! Two servers on one database behave as one, with Redis and without.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use testkit::scripted_model::Answer as Scripted;
use testkit::test_redis::Reply;
use testkit::{ScriptedModel, TestDb, TestRedis, check_gapless, inputs, texts};

use crate::people::Person;
use crate::support::{Program, TestApp, at_once, eventually, sign_in};

/// Where a conversation's early text is told to other servers.
pub fn early_text_of(conversation: &str) -> String {
    format!("agentarea_conversation:{conversation}")
}

/// Two servers of one installation.
struct Fleet {
    first: TestApp,
    second: TestApp,
    redis: Option<TestRedis>,
    _db: TestDb,
}

impl Fleet {
    async fn with_redis() -> Self {
        Self::start(Some(TestRedis::start().await), &[]).await
    }

    async fn without_redis() -> Self {
        Self::start(None, &[]).await
    }

    /// `variables` are for the first server.
    async fn start(redis: Option<TestRedis>, variables: &[(&str, &str)]) -> Self {
        let db = TestDb::create().await;
        let program = || {
            let mut program = Program::new(Some(db.url()));
            if let Some(redis) = &redis {
                program.set("REDIS_URL", &redis.url());
            }
            program
        };
        let mut first = program();
        for (name, value) in variables {
            first.set(name, value);
        }
        let first = TestApp::on(first).await;
        let second = first.beside(program()).await;
        if redis.is_some() {
            // Before it is reached, news goes by looking.
            for app in [&first, &second] {
                app.wait_for_redis("ok").await;
            }
        }
        Self {
            first,
            second,
            redis,
            _db: db,
        }
    }

    fn redis(&self) -> &TestRedis {
        self.redis.as_ref().expect("Redis")
    }
}

#[tokio::test]
async fn early_text_of_a_run_reaches_watchers_of_another_server() {
    let fleet = Fleet::with_redis().await;
    let model = ScriptedModel::start().await;
    let agent = fleet.first.create_agent(&model).await;
    let conversation = fleet.first.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(3).held();
    model.next(answer);
    let mut stream = fleet.second.events(&conversation, "").await;
    fleet
        .redis()
        .wait_for_hearer(&early_text_of(&conversation))
        .await;
    fleet.first.ask(&conversation, "count").await;

    gate.release(1);
    let before = stream
        .collect_until(|event| event.event == "text_live")
        .await
        .expect("early text");
    gate.finish();
    let after = stream
        .collect_until(|event| event.event == "run_completed")
        .await
        .expect("the rest");

    assert!(before.iter().all(|event| event.event != "text_delta"));
    let log: Vec<_> = before.into_iter().chain(after).collect();
    let log: Vec<_> = log.into_iter().filter(|event| event.id.is_some()).collect();
    check_gapless(&log).expect("no gap");
    let answers = texts(&log).expect("exact");
    assert!(
        answers.values().any(|text| text.ends_with("2 ")),
        "{answers:?}"
    );
}

#[tokio::test]
async fn watcher_elsewhere_gets_the_whole_answer_although_redis_fails_in_the_middle() {
    for is_frozen in [false, true] {
        let mut fleet = Fleet::with_redis().await;
        let model = ScriptedModel::start().await;
        let agent = fleet.first.create_agent(&model).await;
        let conversation = fleet.first.create_conversation(&agent).await;
        let (answer, gate) = Scripted::numbered(20).held();
        model.next(answer);
        let mut stream = fleet.second.events(&conversation, "").await;
        fleet
            .redis()
            .wait_for_hearer(&early_text_of(&conversation))
            .await;
        fleet.first.ask(&conversation, "count").await;
        gate.release(5);
        let mut log = stream
            .collect_until(|event| event.event == "text_live")
            .await
            .expect("early text");

        match is_frozen {
            true => fleet.redis().freeze(),
            false => fleet.redis.as_mut().expect("Redis").kill(),
        }
        let failed = Instant::now();
        gate.finish();
        let rest = stream
            .collect_until(|event| event.event == "run_completed")
            .await;
        let took = failed.elapsed();
        if is_frozen {
            fleet.redis().thaw();
        }

        log.extend(rest.expect("the rest"));
        log.retain(|event| event.id.is_some());
        check_gapless(&log).expect("no gap");
        let answers = texts(&log).expect("exact");
        let expected = Scripted::numbered(20).full_text();
        assert!(
            answers.values().any(|text| *text == expected),
            "{answers:?}"
        );
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn watcher_of_a_quiet_conversation_hears_of_a_run_elsewhere_without_redis() {
    let fleet = Fleet::without_redis().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("done"));
    let agent = fleet.first.create_agent(&model).await;

    // Once could be luck.
    for _ in 0..4 {
        let conversation = fleet.first.create_conversation(&agent).await;
        let mut stream = fleet.second.events(&conversation, "").await;
        fleet.first.ask(&conversation, "one").await;
        let is_end = |event: &testkit::SseEvent| event.event == "run_completed";
        stream
            .collect_until(is_end)
            .await
            .expect("the first answer");
        // From here on the watcher would look by itself only every 15 s.
        let posted = Instant::now();
        fleet.first.ask(&conversation, "two").await;
        stream
            .collect_until(is_end)
            .await
            .expect("the second answer");

        assert!(
            posted.elapsed() < Duration::from_secs(5),
            "{:?}",
            posted.elapsed()
        );
    }
}

#[tokio::test]
async fn message_for_a_busy_server_is_taken_by_the_other_at_once() {
    for redis in [Some(TestRedis::start().await), None] {
        let one_run = [("AGENTAREA_LIMITS__RUNS_PER_WORKER", "1")];
        let fleet = Fleet::start(redis, &one_run).await;
        let model = ScriptedModel::start().await;
        let agent = fleet.first.create_agent(&model).await;
        let busy = fleet.first.create_conversation(&agent).await;
        let (answer, _gate) = Scripted::numbered(2).held();
        model.next(answer);
        fleet.first.ask(&busy, "keep busy").await;
        model.wait_for_requests(1).await;
        model.always(Scripted::text("done"));

        at_once(async |number| {
            let conversation = fleet.first.create_conversation(&agent).await;
            let posted = Instant::now();
            fleet.first.ask(&conversation, "hello").await;
            model.wait_for_requests(number + 2).await;
            posted.elapsed()
        })
        .await;
    }
}

#[tokio::test]
async fn message_behind_a_run_of_another_server_is_answered_when_that_ends() {
    let fleet = Fleet::with_redis().await;
    let model = ScriptedModel::start().await;
    let agent = fleet.first.create_agent(&model).await;
    model.always(Scripted::text("done"));

    at_once(async |number| {
        let conversation = fleet.first.create_conversation(&agent).await;
        let (answer, gate) = Scripted::numbered(2).held();
        model.next(answer);
        fleet.first.ask(&conversation, "first").await;
        model.wait_for_requests(2 * number + 1).await;
        fleet.second.ask(&conversation, "second").await;
        let finished = Instant::now();
        gate.finish();
        model.wait_for_requests(2 * number + 2).await;
        finished.elapsed()
    })
    .await;
}

#[tokio::test]
async fn run_is_stopped_from_another_server_at_once() {
    for redis in [Some(TestRedis::start().await), None] {
        let fleet = Fleet::start(redis, &[]).await;
        let model = ScriptedModel::start().await;
        let agent = fleet.first.create_agent(&model).await;
        at_once(async |number| {
            let conversation = fleet.first.create_conversation(&agent).await;
            let (answer, _gate) = Scripted::numbered(2).held();
            model.next(answer);
            let run = fleet.first.ask(&conversation, "wait").await;
            model.wait_for_requests(number + 1).await;

            let asked = Instant::now();
            let path = format!("/runs/{run}/cancellation");
            let answer = fleet.second.post(&path, serde_json::json!({})).await;
            let log = fleet.second.log(&conversation).await;
            let took = asked.elapsed();

            assert_eq!(answer.status, StatusCode::ACCEPTED);
            assert_eq!(log.last().expect("events").event, "run_cancelled");
            took
        })
        .await;
    }
}

#[tokio::test]
async fn ended_session_is_refused_by_every_server_at_once() {
    let fleet = Fleet::with_redis().await;
    // Once could be luck.
    for _ in 0..4 {
        let ada = Person {
            cookie: Some(sign_in(&fleet.first, inputs::ADA).await),
            ..Person::default()
        };
        // Both have it at hand.
        for app in [&fleet.first, &fleet.second, &fleet.first, &fleet.second] {
            assert_eq!(ada.get(app, "/me").await.status, StatusCode::OK);
        }

        ada.delete(&fleet.first, "/session").await;
        let there = ada.get(&fleet.second, "/me").await;
        let here = ada.get(&fleet.first, "/me").await;

        assert_eq!(there.status, StatusCode::UNAUTHORIZED);
        assert_eq!(here.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn old_token_of_a_switched_session_is_refused_by_every_server() {
    let fleet = Fleet::with_redis().await;
    let ada = Person::sign_in(&fleet.first, inputs::ADA).await;
    let second = ada
        .post(
            &fleet.first,
            "/workspaces",
            serde_json::json!({"name": "Second"}),
        )
        .await
        .created();
    for app in [&fleet.first, &fleet.second] {
        assert_eq!(ada.get(app, "/me").await.status, StatusCode::OK);
    }

    let switch = serde_json::json!({"workspace_id": second});
    let switched = ada.patch(&fleet.first, "/session", switch).await;

    assert_eq!(switched.status, StatusCode::OK, "{}", switched.body);
    for app in [&fleet.first, &fleet.second] {
        assert_eq!(ada.get(app, "/me").await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn deleted_key_is_refused_by_every_server() {
    for redis in [Some(TestRedis::start().await), None] {
        let fleet = Fleet::start(redis, &[]).await;
        at_once(async |number| {
            let input = serde_json::json!({"name": format!("short-lived {number}")});
            let created = fleet.first.post("/api-keys", input).await;
            let key = Person::with_key(created.body["key"].as_str().expect("a key"));
            for app in [&fleet.first, &fleet.second] {
                assert_eq!(key.get(app, "/agents").await.status, StatusCode::OK);
            }

            let path = format!("/api-keys/{}", created.created());
            fleet.first.delete(&path).await;
            let deleted = Instant::now();
            let here = key.get(&fleet.first, "/agents").await.status;
            let is_refused = eventually(async || {
                key.get(&fleet.second, "/agents").await.status == StatusCode::UNAUTHORIZED
            });
            assert!(is_refused.await, "the other server still believes it");

            assert_eq!(here, StatusCode::UNAUTHORIZED);
            deleted.elapsed()
        })
        .await;
    }
}

#[tokio::test]
async fn sessions_and_agents_are_kept_in_redis_for_their_time() {
    let one_run = [("AGENTAREA_ROLES", "web,api")];
    let redis = Some(TestRedis::start().await);
    let fleet = Fleet::start(redis, &one_run).await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("done"));
    let agent = fleet.first.create_agent(&model).await;
    let conversation = fleet.first.create_conversation(&agent).await;
    let ada = Person::sign_in(&fleet.first, inputs::ADA).await;

    ada.get(&fleet.first, "/me").await;
    fleet.first.ask(&conversation, "hello").await;
    fleet.first.log(&conversation).await;

    let redis = fleet.redis();
    let is_kept = eventually(async || redis.keys("agentarea:session:*").await.len() == 1);
    assert!(is_kept.await, "the session is not kept");
    let sessions = redis.keys("agentarea:session:*").await;
    let agents = redis.keys("agentarea:agent:*").await;
    assert_eq!(agents, [format!("agentarea:agent:{agent}:config")]);
    for (key, lifetime) in [(&sessions[0], 3600), (&agents[0], 1800)] {
        let left = redis.ask(&["TTL", key]).await.number();
        assert!((lifetime - 60..=lifetime).contains(&left), "{key}: {left}");
    }
}

#[tokio::test]
async fn changed_agent_is_told_and_forgotten() {
    let fleet = Fleet::with_redis().await;
    let model = ScriptedModel::start().await;
    let agent = fleet.first.create_agent(&model).await;
    let key = format!("agentarea:agent:{agent}:config");
    let redis = fleet.redis();
    redis.ask(&["SET", &key, "old"]).await;
    let mut told = redis.subscribe("cache:invalidate").await;

    let path = format!("/agents/{agent}");
    let input = serde_json::json!({"instructions": "Answer at length."});
    let answer = fleet.first.patch(&path, input).await;
    let message: serde_json::Value = serde_json::from_str(&told.next().await).expect("JSON");

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(message, serde_json::json!({"type": "agent", "id": agent}));
    assert_eq!(redis.ask(&["GET", &key]).await, Reply::Nil);
}

#[tokio::test]
async fn told_of_a_changed_agent_a_server_forgets_it() {
    let fleet = Fleet::with_redis().await;
    let model = ScriptedModel::start().await;
    let agent = fleet.first.create_agent(&model).await;
    let key = format!("agentarea:agent:{agent}:config");
    let redis = fleet.redis();
    let other = "agentarea:agent:0197a000-0000-7000-8000-000000000000:config";
    redis.ask(&["SET", &key, "old"]).await;
    redis.ask(&["SET", other, "old"]).await;

    let message = serde_json::json!({"type": "agent", "id": agent}).to_string();
    let is_forgotten = eventually(async || {
        redis.ask(&["PUBLISH", "cache:invalidate", &message]).await;
        redis.ask(&["GET", &key]).await == Reply::Nil
    });

    assert!(is_forgotten.await);
    assert_ne!(redis.ask(&["GET", other]).await, Reply::Nil);
}
