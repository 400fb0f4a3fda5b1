//! Whoever has another role, or was removed, gets a new session token.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{ScriptedModel, inputs};

use crate::authorization::functions::paths;
use crate::people::{Person, cookies, text, token};
use crate::support::{Answer, TestApp, client};

/// How long a replaced token may work, with some time for the request itself.
const OVERLAP: Duration = Duration::from_secs(25);

/// The session that an answer sets, if it sets one.
fn renewed(answer: &Answer) -> Option<Person> {
    let set = cookies(answer);
    let is_set = set.starts_with("agentarea=") && set != "agentarea=";
    is_set.then(|| Person {
        cookie: Some(set),
        ..Person::nobody()
    })
}

/// A member whose role was changed a moment ago.
async fn demoted(app: &TestApp, ada: &Person, email: &str) -> Person {
    let mel = ada.invites(app, email, "member").await;
    let path = format!("/members/{}", mel.id);
    let changed = ada.patch(app, &path, json!({"role": "viewer"})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    mel
}

async fn status(app: &TestApp, person: &Person) -> StatusCode {
    person.get(app, "/me").await.status
}

#[tokio::test]
async fn another_role_renews_the_token_once_and_ends_the_old_one() {
    let app = TestApp::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let mel = demoted(&app, &ada, "mel@example.com").await;

    let at_once = (0..8).map(|_| mel.get(&app, "/me"));
    let answers = join_all(at_once).await;
    let since = Instant::now();
    let new: Vec<Person> = answers.iter().filter_map(renewed).collect();
    let by_ada = ada.get(&app, "/me").await;

    for answer in &answers {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["workspaces"][0]["role"], "viewer");
    }
    assert_eq!(
        new.len(),
        1,
        "of requests at once, one brings the new token"
    );
    assert!(renewed(&by_ada).is_none(), "who changed it is not renewed");
    let again = new[0].get(&app, "/me").await;
    assert_eq!(again.status, StatusCode::OK);
    assert!(renewed(&again).is_none(), "once is enough");
    while status(&app, &mel).await != StatusCode::UNAUTHORIZED {
        assert!(since.elapsed() < OVERLAP, "the old token still works");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("the old token ended after {:?}", since.elapsed());
    assert_eq!(status(&app, &new[0]).await, StatusCode::OK);
}

#[tokio::test]
async fn every_door_hands_out_the_new_token() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let doors = [
        (Method::GET, "/api/v1/agents".to_owned()),
        (Method::GET, "/api/v1/agents/unknown".to_owned()),
        (Method::POST, "/api/v1/workspaces".to_owned()),
        (
            Method::GET,
            format!("/api/v1/conversations/{conversation}/events"),
        ),
        (Method::GET, "/agents".to_owned()),
        (Method::POST, paths()["get_visit"].clone()),
    ];
    for (number, (method, path)) in doors.into_iter().enumerate() {
        let mel = demoted(&app, &ada, &format!("mel{number}@example.com")).await;

        let req = client()
            .request(method, app.url(&path))
            .header("origin", app.origin())
            .header("idempotency-key", "once")
            .header("cookie", mel.cookie.as_deref().expect("a cookie"));
        let response = req.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer {
            status,
            headers,
            body: Value::Null,
        };

        assert_ne!(status, StatusCode::UNAUTHORIZED, "{path}");
        let new = renewed(&answer).unwrap_or_else(|| panic!("{path} renews nothing: {status}"));
        assert_eq!(self::status(&app, &new).await, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn removed_and_invited_again_is_renewed() {
    let app = TestApp::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let mel = ada.invites(&app, "mel@example.com", "member").await;
    ada.delete(&app, &format!("/members/{}", mel.id)).await;
    let while_removed = status(&app, &mel).await;
    let input = json!({"email": "mel@example.com", "role": "admin"});
    let invited = ada.post(&app, "/invitations", input).await;
    let input = json!({"token": token(&invited), "password": inputs::PASSWORD});
    let accepted = Person::nobody()
        .post(&app, "/invitations/acceptance", input)
        .await;
    let other_browser = Person::from_sign_in(&accepted);

    let answer = mel.get(&app, "/me").await;

    assert_eq!(while_removed, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body["workspaces"][0]["role"], "admin");
    let new = renewed(&answer).expect("a new token");
    assert_eq!(status(&app, &new).await, StatusCode::OK);
    let fresh = other_browser.get(&app, "/me").await;
    assert!(renewed(&fresh).is_none(), "a fresh sign-in is not renewed");
}

/// What the person does with the session wins over the renewal.
#[tokio::test]
async fn signing_out_and_switching_leave_no_other_token() {
    let app = TestApp::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let mel = demoted(&app, &ada, "mel@example.com").await;
    let ann = demoted(&app, &ada, "ann@example.com").await;
    let workspace = text(&ada.get(&app, "/me").await.body["workspace_id"]);

    let signed_out = mel.delete(&app, "/session").await;
    let input = json!({"workspace_id": workspace});
    let switched = ann.patch(&app, "/session", input).await;

    assert_eq!(cookies(&signed_out), "agentarea=");
    assert_eq!(status(&app, &mel).await, StatusCode::UNAUTHORIZED);
    assert_eq!(cookies(&switched).matches("agentarea=").count(), 1);
    assert_eq!(status(&app, &ann).await, StatusCode::UNAUTHORIZED);
    let new = Person::from_sign_in(&switched);
    assert_eq!(status(&app, &new).await, StatusCode::OK);
}
