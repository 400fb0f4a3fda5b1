//! One program, run in parts.

use std::time::Instant;

use reqwest::StatusCode;
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, TestRedis, inputs, texts};

use crate::fleet::early_text_of;
use crate::people::{Person, form};
use crate::support::{Program, TestApp, at_once, client, sign_in};

/// A server of some roles on a database.
fn program(db: &TestDb, roles: &str) -> Program {
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_ROLES", roles);
    program
}

async fn status(app: &TestApp, path: &str) -> StatusCode {
    let answer = app.client.get(app.url(path)).send().await;
    answer.expect("an answer").status()
}

#[tokio::test]
async fn each_part_answers_only_its_own_addresses() {
    let db = TestDb::create().await;
    let api = TestApp::on(program(&db, "api")).await;
    let web = api.beside(program(&db, "web")).await;
    let worker = api.beside(program(&db, "worker")).await;
    let manager = api.beside(program(&db, "mcp-manager")).await;

    for app in [&api, &web, &worker, &manager] {
        for path in ["/health", "/health/db", "/health/redis", "/metrics"] {
            assert_eq!(status(app, path).await, StatusCode::OK, "{path}");
        }
    }
    for (app, page, rest) in [
        (&api, StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED),
        (&web, StatusCode::OK, StatusCode::NOT_FOUND),
        (&worker, StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
        (&manager, StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
    ] {
        assert_eq!(status(app, "/sign-in").await, page);
        assert_eq!(status(app, "/api/v1/me").await, rest);
    }
    // Pages follow conversations.
    let events = "/api/v1/conversations/x/events";
    assert_eq!(status(&web, events).await, StatusCode::UNAUTHORIZED);
}

/// Everything that pages link to or send files to works on the server that has the pages.
#[tokio::test]
async fn server_of_pages_has_what_they_link_to() {
    let db = TestDb::create().await;
    let api = TestApp::on(program(&db, "api,worker")).await;
    let web = api.beside(program(&db, "web")).await;
    let model = ScriptedModel::start().await;
    let agent = api.create_agent(&model).await;
    let conversation = api.create_conversation(&agent).await;
    let ada = Person {
        cookie: Some(sign_in(&api, inputs::ADA).await),
        ..Person::default()
    };

    let file = ada.upload(&web, "notes.txt", b"12 percent").await.created();
    let (content_type, body) = form("more.txt", b"13 percent");
    let text =
        "--boundary-of-a-test\r\ncontent-disposition: form-data; name=\"text\"\r\n\r\nRead\r\n";
    let posted = client()
        .post(web.url(&format!("/conversations/{conversation}/messages")))
        .header("cookie", ada.cookie.as_deref().expect("a cookie"))
        .header("origin", web.origin())
        .header("content-type", content_type)
        .body([text.as_bytes(), &body].concat())
        .send()
        .await
        .expect("an answer");
    let log = api.log(&conversation).await;

    assert_eq!(posted.status(), StatusCode::SEE_OTHER);
    assert_eq!(log.last().expect("events").event, "run_completed");
    for path in [
        format!("/files/{file}"),
        format!("/conversations/{conversation}/export?format=markdown"),
        format!("/conversations/{conversation}/export?format=json"),
        format!("/agents/{agent}/export"),
        "/usage/export?days=7".to_owned(),
    ] {
        assert_eq!(ada.get(&web, &path).await.status, StatusCode::OK, "{path}");
        let nobody = Person::nobody().get(&web, &path).await.status;
        assert_eq!(nobody, StatusCode::UNAUTHORIZED, "{path}");
    }
    // The rest of the interface is elsewhere, and so is the form of pages.
    for path in ["/me", "/agents", "/files", "/conversations"] {
        let status = ada.get(&web, path).await.status;
        assert_ne!(status, StatusCode::OK, "{path}");
    }
    let form = format!("/conversations/{conversation}/messages");
    assert_eq!(status(&api, &form).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn message_posted_to_an_api_server_is_answered_by_a_worker() {
    for redis in [Some(TestRedis::start().await), None] {
        let db = TestDb::create().await;
        let part = |roles: &str| {
            let mut program = program(&db, roles);
            if let Some(redis) = &redis {
                program.set("REDIS_URL", &redis.url());
            }
            program
        };
        let api = TestApp::on(part("api")).await;
        let model = ScriptedModel::start().await;
        let agent = api.create_agent(&model).await;
        let conversation = api.create_conversation(&agent).await;
        // Nobody runs agents yet.
        let (answer, gate) = Scripted::numbered(3).held();
        model.next(answer);
        api.ask(&conversation, "count").await;
        let waiting = api.get("/runs").await.body["items"][0]["status"].clone();
        let _worker = api.beside(part("worker")).await;
        model.wait_for_requests(1).await;
        gate.finish();
        api.log(&conversation).await;

        // And now quickly.
        model.always(Scripted::text("done"));
        at_once(async |number| {
            let posted = Instant::now();
            api.ask(&conversation, "again").await;
            model.wait_for_requests(number + 2).await;
            let took = posted.elapsed();
            // The next one has to be taken anew.
            api.log(&conversation).await;
            took
        })
        .await;
        let log = api.log(&conversation).await;
        let last = log.last().and_then(|event| event.id).expect("events");

        // With early text where there is Redis.
        let (answer, gate) = Scripted::numbered(3).held();
        model.next(answer);
        let mut stream = api.events(&conversation, &format!("?after={last}")).await;
        if let Some(redis) = &redis {
            redis.wait_for_hearer(&early_text_of(&conversation)).await;
        }
        api.ask(&conversation, "once more").await;
        gate.release(1);
        let first_text = if redis.is_some() {
            "text_live"
        } else {
            "text_delta"
        };
        stream
            .collect_until(|event| {
                event.event == first_text && event.data.to_string().contains("0 ")
            })
            .await
            .expect("first words");
        gate.finish();
        let log = api.log(&conversation).await;

        assert_eq!(waiting, "queued");
        let texts = texts(&log).expect("exact");
        let whole = texts.values().filter(|text| text.ends_with("2 ")).count();
        assert_eq!(whole, 2, "{texts:?}");
    }
}

#[tokio::test]
async fn roles_are_taken_from_the_command_line_too() {
    let program = Program::new(None);

    for (roles, is_known) in [
        ("web,api", true),
        ("worker", true),
        ("boss", false),
        ("api,boss", false),
    ] {
        let output = program
            .command(&["serve", "--check", "--roles", roles])
            .output();
        let output = output.expect("run serve --check");
        let text = String::from_utf8_lossy(&output.stderr);

        assert_eq!(output.status.success(), is_known, "{roles}: {text}");
        assert_eq!(text.contains("boss"), !is_known, "{text}");
    }
}

#[tokio::test]
async fn unknown_role_in_the_environment_stops_the_start() {
    let mut program = Program::new(None);
    program.set("AGENTAREA_ROLES", "api,boss");

    let output = program.command(&["serve", "--check"]).output();
    let output = output.expect("run serve --check");

    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("boss"), "{text}");
}
