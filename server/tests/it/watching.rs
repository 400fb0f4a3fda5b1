//! Watchers cost the database nothing while they watch.

use futures::future::join_all;
use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb};

use crate::support::{Program, TestApp};

/// Has a question answered before so many watchers; gives the conversation.
async fn answer_with(app: &TestApp, model: &ScriptedModel, agent: &str, watchers: usize) -> String {
    let conversation = app.create_conversation(agent).await;
    let (answer, gate) = Scripted::numbered(50).held();
    model.next(answer);
    let opened = (0..watchers).map(|_| app.events(&conversation, ""));
    let streams = join_all(opened).await;
    app.ask(&conversation, "count").await;
    gate.finish();
    let watched = streams.into_iter().map(async |mut stream| {
        let end = stream.collect_until(|event| event.event == "run_completed");
        end.await.expect("the whole answer");
    });
    join_all(watched).await;
    conversation
}

#[tokio::test]
async fn answer_is_written_as_often_for_fifty_watchers_as_for_one() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let mut written = Vec::new();

    for watchers in [1, 50] {
        let conversation = answer_with(&app, &model, &agent, watchers).await;
        let events: i64 =
            sqlx::query_scalar("select count(*) from events where conversation_id = $1::uuid")
                .bind(&conversation)
                .fetch_one(&mut superuser)
                .await
                .expect("a count");
        written.push(events);
    }

    // Text is written every half second: a slow machine takes one or two more.
    assert!(written[1] <= written[0] + 2, "events written: {written:?}");
}
