//! Secrets of model connections.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ScriptedModel;

use super::asker::Asker;
use super::cages::Cages;

/// Adds model connections of every kind: working, failing, replaced, malformed. Gives the id of one
/// that works.
pub async fn plant(cages: &mut Cages, asker: &Asker<'_>, model: &ScriptedModel) -> String {
    let mut working = String::new();
    for kind in ["openai_compatible"; 6] {
        let number = cages.secrets.len();
        let base_url = match number / 2 % 2 {
            0 => model.base_url(),
            _ => "http://127.0.0.1:9/v1".to_owned(),
        };
        let first = cages.plant(&format!("{kind} key {number}"));
        let body = json!({"name": format!("{kind} {number}"), "kind": kind, "base_url": &base_url, "api_key": first});
        let made = asker
            .send(
                Method::POST,
                "/model-connections",
                Some(&body),
                &first[..20],
            )
            .await;
        cages.see("created connection", &made);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let id = made["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned();
        let second = cages.plant(&format!("{kind} next key {number}"));
        let path = format!("/model-connections/{id}");
        let patch = json!({"api_key": second});
        cages.see(
            "patched",
            &asker.send(Method::PATCH, &path, Some(&patch), "").await,
        );
        for _ in 0..2 {
            let test = asker
                .send(Method::POST, &format!("{path}/test"), Some(&json!({})), "")
                .await;
            cages.see("test", &test);
        }
        if base_url == model.base_url() {
            working = id;
        }
    }
    if working.is_empty() {
        let body = json!({"name": "working", "kind": "openai_compatible", "base_url": model.base_url(),
            "api_key": cages.plant("working key")});
        let made = asker
            .send(Method::POST, "/model-connections", Some(&body), "")
            .await;
        let made: Value = serde_json::from_str(&made).expect("JSON");
        working = made["id"].as_str().expect("an id").to_owned();
    }
    let malformed = [
        json!({"name": "x", "kind": "openai_compatible", "base_url": format!("http://u:{}@127.0.0.1:9/v1", cages.plant("userinfo")), "api_key": cages.plant("refused key")}),
        json!({"name": "x", "kind": "nonsense", "api_key": cages.plant("key of no kind")}),
        json!({"name": "x", "kind": "openai", "api_key": [cages.plant("key in a list")]}),
        json!({"name": "x", "kind": "openai", "apikey": cages.plant("key under another name")}),
    ];
    for body in malformed {
        let answer = asker
            .send(Method::POST, "/model-connections", Some(&body), "")
            .await;
        assert!(answer.contains("\"errors\""), "accepted: {answer}");
        cages.see("malformed", &answer);
    }
    working
}
