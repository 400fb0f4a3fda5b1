//! Redis behind sentinels, and Redis as a cluster: two servers are one with either, whatever part of
//! it goes.

use std::time::Instant;

use reqwest::StatusCode;
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestCluster, TestDb, TestSentinels, check_gapless, inputs, texts};

use crate::people::Person;
use crate::redis_faults::in_time;
use crate::support::{Program, TestApp, eventually, sign_in};

const SESSIONS: &str = "agentarea:session:*";

/// Two servers of one installation, and an agent.
struct Pair {
    first: TestApp,
    second: TestApp,
    model: ScriptedModel,
    agent: String,
    _db: TestDb,
}

impl Pair {
    async fn start(redis_url: &str) -> Self {
        let db = TestDb::create().await;
        let program = || {
            let mut program = Program::new(Some(db.url()));
            program.set("REDIS_URL", redis_url);
            program
        };
        let first = TestApp::on(program()).await;
        let second = first.beside(program()).await;
        let model = ScriptedModel::start().await;
        let agent = first.create_agent(&model).await;
        let pair = Self {
            first,
            second,
            model,
            agent,
            _db: db,
        };
        pair.wait_until_one().await;
        pair
    }

    /// Waits until early text of one server reaches the other, which only Redis carries.
    async fn wait_until_one(&self) {
        for app in [&self.first, &self.second] {
            let is_well = eventually(async || app.health("/health/redis").await.1 == "ok");
            assert!(is_well.await, "Redis is not used again");
        }
        let is_one = eventually(async || self.works().await);
        assert!(is_one.await, "early text never came");
    }

    /// Signs in at one server and has a message answered before the eyes of the other, each step in
    /// time; whether early text came there.
    async fn works(&self) -> bool {
        let begun = Instant::now();
        let ada = Person {
            cookie: Some(sign_in(&self.first, inputs::ADA).await),
            ..Person::default()
        };
        in_time("signing in", begun);
        let begun = Instant::now();
        let me = ada.get(&self.second, "/me").await;
        in_time("asking who one is", begun);
        assert_eq!(me.status, StatusCode::OK);

        let (answer, gate) = Scripted::numbered(20).held();
        self.model.next(answer);
        let conversation = self.first.create_conversation(&self.agent).await;
        let begun = Instant::now();
        let mut stream = self.second.events(&conversation, "").await;
        in_time("opening a stream", begun);
        let begun = Instant::now();
        self.first.ask(&conversation, "count").await;
        in_time("posting", begun);
        gate.release(10);
        let mut log = stream
            .collect_until(|event| event.event.starts_with("text_"))
            .await
            .expect("some text");
        let is_early = log.last().is_some_and(|event| event.event == "text_live");
        gate.finish();
        let rest = stream
            .collect_until(|event| event.event == "run_completed")
            .await;
        log.extend(rest.expect("the rest"));
        log.retain(|event| event.id.is_some());
        check_gapless(&log).expect("no gap");
        let expected = Scripted::numbered(20).full_text();
        let answers = texts(&log).expect("exact");
        assert!(
            answers.values().any(|text| *text == expected),
            "{answers:?}"
        );
        is_early
    }
}

#[tokio::test]
async fn servers_stay_one_when_sentinels_choose_another_master() {
    for is_frozen in [false, true] {
        let mut redis = TestSentinels::start().await;
        let pair = Pair::start(&redis.url()).await;
        let is_used = eventually(async || {
            pair.works().await;
            !redis.master().await.keys(SESSIONS).await.is_empty()
        });
        assert!(is_used.await, "the master is not used");
        let before = redis.master().await.keys(SESSIONS).await;

        // With the sentinel that is asked first.
        redis.first_sentinel().freeze();
        match is_frozen {
            true => redis.first().freeze(),
            false => redis.first().kill(),
        }
        pair.works().await;
        redis.wait_for_fail_over().await;
        pair.wait_until_one().await;
        let is_used = eventually(async || {
            pair.works().await;
            redis.master().await.keys(SESSIONS).await.len() > before.len()
        });
        assert!(is_used.await, "the new master is not used");
        redis.first_sentinel().thaw();
        if is_frozen {
            // What was the master follows the new one.
            redis.first().thaw();
        }
        pair.wait_until_one().await;
    }
}

#[tokio::test]
async fn servers_are_one_with_a_cluster_and_go_on_without_one_of_its_nodes() {
    let mut redis = TestCluster::start().await;
    let pair = Pair::start(&redis.url()).await;
    let is_used = eventually(async || {
        pair.works().await;
        !redis.keys(SESSIONS).await.is_empty()
    });
    assert!(is_used.await, "the cluster is not used");

    // The one that messages are heard from, and a third of the keys with it.
    redis.nodes()[0].freeze();
    for _ in 0..3 {
        pair.works().await;
    }
    redis.nodes()[0].thaw();
    redis.wait_until_whole().await;
    pair.wait_until_one().await;
}
