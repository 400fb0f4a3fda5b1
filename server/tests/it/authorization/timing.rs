//! How long a refusal takes does not tell whether the object exists elsewhere.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{ScriptedModel, inputs};

use super::functions::paths;
use super::principals::{objects, stranger};
use crate::people::Person;
use crate::support::{TestApp, client};

/// Tries of each kind; they take turns, so that whatever else the machine does meets both.
const TRIES: usize = 300;
/// What the medians may differ by: 5 %, or what a loaded machine makes of nothing.
const SHARE: f64 = 0.05;
const NOISE: Duration = Duration::from_micros(60);
/// Of pairs that were tried one after the other, how many may have the same one take longer: half,
/// and four standard deviations of 300 throws of a coin.
const OFTEN: f64 = 0.62;

/// A request by id.
struct Door {
    name: String,
    method: Method,
    path: Box<dyn Fn(&str) -> String>,
    form: Option<&'static str>,
    body: Option<Value>,
    foreign: String,
}

#[tokio::test]
async fn foreign_and_missing_take_equally_long() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let acme = objects(&app, &ada, &model).await;
    let grace = stranger(&app).await;
    let client = client();
    let own = objects(&app, &grace, &model).await;
    let mut unequal = Vec::new();

    // What does take longer is seen as such, so equal times below mean something.
    let control = Door {
        foreign: own.conversation.clone(),
        ..doors(&own).remove(4)
    };
    let mut tries = Vec::new();
    loop {
        let compared = compare(&app, &client, &grace, &control, StatusCode::OK).await;
        if !compared.is_equal() {
            break;
        }
        tries.push(compared.to_string());
        // A busy machine hides it now and then.
        assert!(tries.len() < 3, "the clock is too coarse: {tries:?}");
    }
    for door in doors(&acme) {
        let comparison = compare(&app, &client, &grace, &door, StatusCode::NOT_FOUND).await;
        println!("{comparison}");
        if !comparison.is_equal() {
            unequal.push(comparison.to_string());
        }
    }

    assert_eq!(unequal, Vec::<String>::new());
}

/// How long two kinds of ids took at one door.
struct Comparison {
    door: String,
    foreign: Duration,
    missing: Duration,
    /// Of pairs, how many times the foreign one took longer.
    foreign_is_later: f64,
}

impl Comparison {
    fn is_equal(&self) -> bool {
        let apart = self.foreign.abs_diff(self.missing);
        let often = self.foreign_is_later.max(1.0 - self.foreign_is_later);
        apart <= NOISE.max(self.missing.mul_f64(SHARE)) || often <= OFTEN
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            door,
            foreign,
            missing,
            foreign_is_later,
        } = self;
        write!(
            f,
            "{door}: foreign {foreign:?}, missing {missing:?}, foreign is later {:.0} %",
            100.0 * foreign_is_later
        )
    }
}

/// Asks for the door's object and for missing ones by turns.
async fn compare(
    app: &TestApp,
    client: &reqwest::Client,
    grace: &Person,
    door: &Door,
    expected: StatusCode,
) -> Comparison {
    let mut times = [Vec::new(), Vec::new()];
    for number in 0..TRIES + 20 {
        // Which one comes first changes, too.
        for kind in [number % 2, 1 - number % 2] {
            let (id, expected) = match kind {
                0 => (door.foreign.clone(), expected),
                _ => (uuid::Uuid::now_v7().to_string(), StatusCode::NOT_FOUND),
            };
            let req = request(app, client, grace, door, &id);
            let since = Instant::now();
            let response = req.send().await.expect("an answer");
            let (status, body) = (response.status(), response.bytes().await);
            let took = since.elapsed();
            assert_eq!(status, expected, "{}: {body:?}", door.name);
            // The first ones only warm up.
            if number >= 20 {
                times[kind].push(took);
            }
        }
    }
    let pairs = times[0].iter().zip(&times[1]);
    let later = pairs.filter(|(foreign, missing)| foreign > missing).count();
    let [foreign, missing] = times.map(median);
    Comparison {
        door: door.name.clone(),
        foreign,
        missing,
        foreign_is_later: later as f64 / TRIES as f64,
    }
}

fn doors(acme: &super::rows::Objects) -> Vec<Door> {
    let rest = |method: Method, feature: &'static str, rest: &'static str, foreign: &String| Door {
        name: format!("{method} /{feature}/{{id}}{rest}"),
        method,
        path: Box::new(move |id| format!("/api/v1/{feature}/{id}{rest}")),
        form: None,
        body: None,
        foreign: foreign.clone(),
    };
    let function = |name: &'static str, form: &'static str, foreign: &String| {
        let path = paths()[name].clone();
        Door {
            name: name.to_owned(),
            method: Method::POST,
            path: Box::new(move |_| path.clone()),
            form: Some(form),
            body: None,
            foreign: foreign.clone(),
        }
    };
    let (get, delete) = (Method::GET, Method::DELETE);
    vec![
        rest(get.clone(), "agents", "", &acme.agent),
        rest(get.clone(), "agents", "/versions", &acme.agent),
        rest(get.clone(), "model-connections", "", &acme.connection),
        rest(get.clone(), "conversations", "", &acme.conversation),
        rest(
            get.clone(),
            "conversations",
            "/messages",
            &acme.conversation,
        ),
        rest(get.clone(), "conversations", "/events", &acme.conversation),
        rest(get, "runs", "", &acme.run),
        rest(delete.clone(), "agents", "", &acme.agent),
        rest(delete.clone(), "conversations", "", &acme.conversation),
        rest(delete.clone(), "invitations", "", &acme.invitation),
        rest(delete.clone(), "members", "", &acme.member),
        rest(delete, "api-keys", "", &acme.api_key),
        Door {
            body: Some(json!({"title": "mine"})),
            ..rest(Method::PATCH, "conversations", "", &acme.conversation)
        },
        Door {
            body: Some(inputs::message("hi")),
            ..rest(
                Method::POST,
                "conversations",
                "/messages",
                &acme.conversation,
            )
        },
        rest(Method::POST, "runs", "/cancellation", &acme.run),
        function("get_agent", "id=", &acme.agent),
        function("open_thread", "id=", &acme.conversation),
        function("get_run", "id=", &acme.run),
        function("delete_agent", "id=", &acme.agent),
        function("cancel_run", "run_id=", &acme.run),
    ]
}

fn request(
    app: &TestApp,
    client: &reqwest::Client,
    grace: &Person,
    door: &Door,
    id: &str,
) -> reqwest::RequestBuilder {
    let mut req = client
        .request(door.method.clone(), app.url(&(door.path)(id)))
        .header("origin", app.origin())
        .header("cookie", grace.cookie.as_deref().expect("a cookie"));
    if let Some(form) = door.form {
        req = req
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("{form}{id}"));
    }
    match &door.body {
        Some(body) => req.json(body),
        None => req,
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
