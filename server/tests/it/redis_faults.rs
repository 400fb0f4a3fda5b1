//! F6: whatever happens to Redis, people sign in, chat and resume, and `/health/redis` tells.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use testkit::scripted_model::Answer as Scripted;
use testkit::{EventStream, ScriptedModel, TestDb, TestRedis, check_gapless, inputs, texts};

use crate::people::Person;
use crate::support::{Program, TestApp, eventually, sign_in};

/// No request may take longer, whatever Redis does.
const SLOWEST: Duration = Duration::from_secs(2);
/// Longest that something may take longer than with a Redis that is well: the 250 ms that one waits for
/// it, and what a busy machine adds.
const HELD_UP: Duration = Duration::from_millis(750);

/// Tries of what a busy machine may spoil.
const TRIES: usize = 3;

struct Shop {
    app: TestApp,
    redis: TestRedis,
    model: ScriptedModel,
    agent: String,
    ada: Person,
    _db: TestDb,
}

impl Shop {
    /// A server that uses Redis, with a session that is remembered there.
    async fn open() -> Self {
        let db = TestDb::create().await;
        let redis = TestRedis::start().await;
        let mut program = Program::new(Some(db.url()));
        program.set("REDIS_URL", &redis.url());
        let app = TestApp::on(program).await;
        let model = ScriptedModel::start().await;
        model.always(Scripted::numbered(20));
        let agent = app.create_agent(&model).await;
        // Before it was reached nothing would be remembered there.
        app.wait_for_redis("ok").await;
        let shop = Self {
            ada: Person::sign_in(&app, inputs::ADA).await,
            app,
            redis,
            model,
            agent,
            _db: db,
        };
        // Sessions are remembered only once changes are heard of.
        let is_remembered = eventually(async || {
            let asked = shop.ada.get(&shop.app, "/me").await;
            assert_eq!(asked.status, StatusCode::OK);
            shop.redis.keys("agentarea:session:*").await.len() == 1
        });
        assert!(is_remembered.await, "the session is not remembered");
        shop
    }

    /// A conversation, with something to watch in it.
    async fn prepare(&self) -> String {
        let conversation = self.app.create_conversation(&self.agent).await;
        self.app.ask(&conversation, "count").await;
        conversation
    }

    /// How long a deed takes.
    async fn time(&self, deed: Deed, conversation: &str) -> Duration {
        let begun = Instant::now();
        match deed {
            Deed::SignIn => drop(sign_in(&self.app, inputs::ADA).await),
            Deed::Post => drop(self.app.ask(conversation, "count").await),
            Deed::Watch => {
                let mut stream = self.app.events(conversation, "").await;
                stream.next().await.expect("a stream").expect("an event");
            }
        }
        begun.elapsed()
    }

    /// Signs in, asks, drops the stream in the middle and resumes it; each step in time.
    async fn works(&self) {
        let begun = Instant::now();
        let cookie = sign_in(&self.app, inputs::ADA).await;
        in_time("signing in", begun);
        let new = Person {
            cookie: Some(cookie),
            ..Person::default()
        };
        for person in [&self.ada, &new] {
            let begun = Instant::now();
            let me = person.get(&self.app, "/me").await;
            in_time("asking who one is", begun);
            assert_eq!(me.status, StatusCode::OK);
        }

        let begun = Instant::now();
        let conversation = self.app.create_conversation(&self.agent).await;
        in_time("making a conversation", begun);
        let (answer, gate) = Scripted::numbered(20).held();
        self.model.next(answer);
        let mut stream = self.app.events(&conversation, "").await;
        let begun = Instant::now();
        self.app.ask(&conversation, "count").await;
        in_time("posting", begun);
        gate.release(10);
        let before = stream
            .collect_until(|event| event.event == "text_delta")
            .await
            .expect("half of the answer");
        drop(stream);
        gate.finish();
        let before: Vec<_> = before
            .into_iter()
            .filter(|event| event.id.is_some())
            .collect();
        let last = before.last().and_then(|event| event.id).expect("events");
        let path = format!("/api/v1/conversations/{conversation}/events?until=idle");
        let mut stream = EventStream::resume(&self.app.url(&path), &self.app.key, last)
            .await
            .expect("a stream");
        let after = stream.collect_all().await.expect("the rest");
        let log: Vec<_> = before
            .into_iter()
            .chain(after)
            .filter(|event| event.id.is_some())
            .collect();
        check_gapless(&log).expect("no gap");
        let answers = texts(&log).expect("exact");
        let expected = Scripted::numbered(20).full_text();
        assert!(
            answers.values().any(|text| *text == expected),
            "{answers:?}"
        );
    }
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug)]
enum Deed {
    SignIn,
    Post,
    /// From opening a stream to its first event.
    Watch,
}

pub fn in_time(what: &str, begun: Instant) {
    assert!(
        begun.elapsed() < SLOWEST,
        "{what} took {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn everything_works_while_redis_is_down_and_after_it_came_back() {
    let mut shop = Shop::open().await;

    shop.redis.kill();
    shop.works().await;
    shop.app.wait_for_redis("down").await;
    let (status, _) = shop.app.health("/health/redis").await;
    let (overall_status, overall) = shop.app.health("/health").await;
    shop.works().await;
    shop.redis.restart().await;
    shop.app.wait_for_redis("ok").await;
    shop.works().await;
    // Empty after the restart; nothing is kept there before changes are heard of again.
    let is_used = eventually(async || {
        shop.ada.get(&shop.app, "/me").await;
        !shop.redis.keys("agentarea:session:*").await.is_empty()
    });

    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(overall_status, StatusCode::OK);
    assert_eq!(overall, "degraded");
    assert!(is_used.await, "Redis is not used again");
}

#[tokio::test]
async fn everything_works_while_redis_is_frozen() {
    let shop = Shop::open().await;

    shop.redis.freeze();
    shop.works().await;
    shop.app.wait_for_redis("down").await;
    shop.works().await;
    shop.redis.thaw();
    shop.app.wait_for_redis("ok").await;
    shop.works().await;
}

/// A Redis that takes connections and says nothing is waited for once, and then by nobody.
#[tokio::test]
async fn frozen_redis_holds_up_no_deed_longer_than_its_patience() {
    let shop = Shop::open().await;
    let (answer, _gate) = Scripted::numbered(20).held();
    shop.model.always(answer);

    for deed in [Deed::SignIn, Deed::Post, Deed::Watch] {
        let mut tries = Vec::new();
        loop {
            let conversation = shop.prepare().await;
            let usually = shop.time(deed, &conversation).await;
            let conversation = shop.prepare().await;
            shop.redis.freeze();
            let frozen = shop.time(deed, &conversation).await;
            let begun = Instant::now();
            for _ in 0..20 {
                assert_eq!(shop.ada.get(&shop.app, "/me").await.status, StatusCode::OK);
            }
            let later = begun.elapsed();
            shop.app.wait_for_redis("down").await;
            shop.redis.thaw();
            shop.app.wait_for_redis("ok").await;

            if frozen < usually + HELD_UP && later < SLOWEST {
                break;
            }
            tries.push((usually, frozen, later));
            // A busy machine spoils some of them, a fault all.
            assert!(
                tries.len() < TRIES,
                "{deed:?}: usually, with a frozen Redis, and 20 requests later: {tries:?}"
            );
        }
    }
}

#[tokio::test]
async fn everything_works_while_redis_is_full() {
    let shop = Shop::open().await;

    shop.redis.fill().await;
    shop.app.wait_for_redis("degraded").await;
    let (status, _) = shop.app.health("/health/redis").await;
    shop.works().await;
    shop.redis.empty().await;
    shop.app.wait_for_redis("ok").await;
    shop.works().await;

    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn everything_works_after_redis_was_flushed() {
    let shop = Shop::open().await;

    shop.redis.ask(&["FLUSHALL"]).await;
    assert!(shop.redis.keys("*session:*").await.is_empty());
    shop.works().await;

    shop.app.wait_for_redis("ok").await;
    let is_used = eventually(async || !shop.redis.keys("agentarea:session:*").await.is_empty());
    assert!(is_used.await, "Redis is not used again");
}

#[tokio::test]
async fn session_ended_while_redis_was_frozen_stays_ended() {
    let shop = Shop::open().await;
    let other = Person::sign_in(&shop.app, inputs::ADA).await;
    shop.redis.freeze();
    // Redis keeps what it was told of the session, and hears nothing of its end.
    let begun = Instant::now();
    shop.ada.delete(&shop.app, "/session").await;
    in_time("signing out", begun);

    let while_frozen = shop.ada.get(&shop.app, "/me").await;
    shop.redis.thaw();
    shop.app.wait_for_redis("ok").await;
    let after = shop.ada.get(&shop.app, "/me").await;
    let others = other.get(&shop.app, "/me").await;

    assert_eq!(while_frozen.status, StatusCode::UNAUTHORIZED);
    assert_eq!(after.status, StatusCode::UNAUTHORIZED);
    assert_eq!(others.status, StatusCode::OK);
}

#[tokio::test]
async fn server_starts_while_redis_is_away_and_uses_it_later() {
    let db = TestDb::create().await;
    let mut redis = TestRedis::start().await;
    redis.kill();
    let mut program = Program::new(Some(db.url()));
    program.set("REDIS_URL", &redis.url());

    let begun = Instant::now();
    let app = TestApp::on(program).await;
    let started_after = begun.elapsed();
    redis.restart().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let begun = Instant::now();
    while redis.keys("agentarea:session:*").await.is_empty() {
        assert_eq!(ada.get(&app, "/me").await.status, StatusCode::OK);
        assert!(begun.elapsed() < Duration::from_secs(10), "never used");
    }

    assert!(started_after < Duration::from_secs(20), "{started_after:?}");
}

#[tokio::test]
async fn without_redis_its_health_is_disabled() {
    let app = TestApp::start().await;

    let answer = app.client.get(app.url("/health/redis")).send().await;
    let answer = crate::support::Answer::read(answer.expect("an answer")).await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, serde_json::json!({"status": "disabled"}));
}

#[tokio::test]
async fn wrong_url_stops_the_start_without_showing_its_password() {
    let mut program = Program::new(None);
    program.set("REDIS_URL", "http://:hunter2@redis.example.com");

    let output = program.command(&["serve", "--check"]).output();
    let output = output.expect("run serve --check");

    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        text.contains("REDIS_URL") && !text.contains("hunter2"),
        "{text}"
    );
}
