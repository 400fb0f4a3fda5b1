//! Who asks, and what there is to ask about.

use domain::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use testkit::scripted_model::Answer;
use testkit::tool_server::Era;
use testkit::{ScriptedModel, TestDb, ToolServer, inputs};

use super::rows::Objects;
use crate::people::{Person, text};
use crate::support::TestApp;

/// Principals whom nothing is told.
pub async fn rejected(app: &TestApp, db: &TestDb, ada: &Person) -> Vec<(&'static str, Person)> {
    let revoked = ada.makes_key(app, Value::Null).await;
    let deleted = ada.delete(app, &format!("/api-keys/{}", revoked.id)).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let signed_out = Person::sign_in(app, inputs::ADA).await;
    signed_out.delete(app, "/session").await;
    let expired = ada.makes_key(app, Value::Null).await;
    let stale = Person::sign_in(app, inputs::ADA).await;
    let stale_session = current_session(app, &stale).await;
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let sql = format!(
        "update api_keys set expires_at = now() - interval '1 second' where id = '{}';
         update sessions set seen_at = now() - interval '61 minutes' where id = '{stale_session}';
         -- Time has not passed: have the server forget when it was last used.
         select pg_notify('agentarea_access', '')",
        expired.id
    );
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut superuser);
    done.await.expect("they expire");
    vec![
        ("nobody", Person::nobody()),
        ("nonsense", Person::with_key("aa_nonsense")),
        ("revoked key", revoked),
        ("expired key", expired),
        ("signed out", signed_out),
        ("stale session", stale),
    ]
}

pub async fn members(app: &TestApp, ada: &Person) -> Vec<(&'static str, Role, Person)> {
    vec![
        (
            "viewer",
            Role::Viewer,
            ada.invites(app, "vera@example.com", "viewer").await,
        ),
        (
            "member",
            Role::Member,
            ada.invites(app, "mel@example.com", "member").await,
        ),
        (
            "admin",
            Role::Admin,
            ada.invites(app, "ann@example.com", "admin").await,
        ),
        (
            "owner",
            Role::Owner,
            ada.invites(app, "olga@example.com", "owner").await,
        ),
    ]
}

/// Grace, owner of a workspace of her own.
pub async fn stranger(app: &TestApp) -> Person {
    app.create_user(inputs::GRACE, "Initech");
    Person::sign_in(app, inputs::GRACE).await
}

/// New objects of each kind in the workspace of `owner`.
pub async fn objects(app: &TestApp, owner: &Person, model: &ScriptedModel) -> Objects {
    let name = uuid::Uuid::now_v7().to_string();
    let input = inputs::model_connection(&name, &model.base_url());
    let connection = owner.post(app, "/model-connections", input).await.created();
    let input = inputs::agent("Release Scout", &connection, "scripted-large");
    let agent = owner.post(app, "/agents", input).await.created();
    let draft = json!({"description": "drafted"});
    let path = format!("/agents/{agent}/draft");
    let drafted = owner.patch(app, &path, draft).await;
    assert_eq!(drafted.status, StatusCode::OK);
    // It ends with this function; what it said stays.
    let tools = ToolServer::start(Era::Modern).await;
    let short = format!("s{}", uuid::Uuid::now_v7().simple());
    let source = json!({"type": "remote", "url": tools.url()});
    let input = json!({"name": &short[..32], "source": source});
    let mcp_server = owner.post(app, "/mcp-servers", input).await.created();
    // Kept, although nothing here can run it.
    let short = format!("c{}", uuid::Uuid::now_v7().simple());
    let source = json!({"type": "container", "image": "example.com/none:1"});
    let input = json!({"name": &short[..32], "source": source});
    let container_server = owner.post(app, "/mcp-servers", input).await.created();
    let input = json!({"name": format!("com.example/{name}"), "description": "x", "version": "1",
        "remotes": [{"type": "streamable-http", "url": "https://example.com/mcp"}]});
    let entry = owner.post(app, "/mcp-catalog", input).await;
    let input = inputs::conversation(&agent);
    let conversation = owner.post(app, "/conversations", input).await.created();
    let path = format!("/conversations/{conversation}/messages");
    let posted = owner.post(app, &path, inputs::message("hello")).await;
    let approval = waiting_approval(app, owner, model, &connection).await;
    let input = json!({"agent_id": agent, "period": "month", "limit_usd_micros": 5_000_000});
    let budget = owner.post(app, "/budgets", input).await.created();
    let email = format!("{name}@example.com");
    let input = json!({"email": email, "role": "viewer"});
    let invitation = owner.post(app, "/invitations", input).await.created();
    let member = owner.invites(app, &format!("m-{email}"), "viewer").await.id;
    let me = owner.get(app, "/me").await;
    Objects {
        workspace: text(&me.body["workspace_id"]),
        connection,
        connection_name: name,
        agent,
        mcp_server,
        container_server,
        catalog_entry: text(&entry.body["key"]),
        conversation,
        message: text(&posted.body["message_id"]),
        run: text(&posted.body["run_id"]),
        approval,
        budget,
        api_key: owner.makes_key(app, Value::Null).await.id,
        session: current_session(app, owner).await,
        member,
        invitation,
        file: owner
            .upload(app, "notes.txt", b"some notes")
            .await
            .created(),
    }
}

/// A question about a tool call, and nobody has decided.
async fn waiting_approval(
    app: &TestApp,
    owner: &Person,
    model: &ScriptedModel,
    connection: &str,
) -> String {
    let mut agent = inputs::agent("Careful Scout", connection, "scripted-asking");
    agent["tools"] = json!([{"builtin": "calculator", "approval": "always"}]);
    let agent = owner.post(app, "/agents", agent).await.created();
    let input = inputs::conversation(&agent);
    let conversation = owner.post(app, "/conversations", input).await.created();
    let path = format!("/conversations/{conversation}/messages");
    let call = ("call_1", "calculator", r#"{"expression":"1+1"}"#);
    model.next_for("scripted-asking", Answer::tool_calls(&[call]));
    owner.post(app, &path, inputs::message("count")).await;
    let asked = async {
        loop {
            let open = owner.get(app, "/approvals?status=pending").await.body;
            let items = open["items"].as_array().cloned().unwrap_or_default();
            let asked = items
                .iter()
                .find(|approval| approval["conversation_id"] == conversation.as_str());
            if let Some(asked) = asked {
                return text(&asked["id"]);
            }
        }
    };
    let patience = std::time::Duration::from_secs(30);
    let asked = tokio::time::timeout(patience, asked).await;
    asked.expect("a question within 30 s")
}

/// The same objects, with a session and a key of this person.
pub async fn own(app: &TestApp, person: &Person, objects: Objects) -> Objects {
    let me = person.get(app, "/me").await;
    let other = Person::sign_in(app, me.body["user"]["email"].as_str().expect("an address")).await;
    Objects {
        session: current_session(app, &other).await,
        api_key: person.makes_key(app, Value::Null).await.id,
        ..objects
    }
}

pub async fn current_session(app: &TestApp, person: &Person) -> String {
    let sessions = person.get(app, "/sessions").await.body;
    let items = sessions["items"].as_array().expect("sessions");
    let current = items.iter().find(|session| session["is_current"] == true);
    text(&current.expect("the own session")["id"])
}
