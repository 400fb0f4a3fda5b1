//! B15: what is secret stays where it belongs.

mod asker;
mod cages;
mod models;
mod tool_servers;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, TestEngine, inputs};

use self::asker::Asker;
use self::cages::Cages;
use crate::files::remains::files_below;
use crate::support::{Program, client};
use crate::vault::{superuser, told};

/// B15: what is secret is in no log, answer, page, stream, metric, prompt or table.
#[tokio::test]
async fn thirty_two_canaries_stay_in_their_cages() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    let log = program.data_dir.path().join("log");
    program.set("RUST_LOG", "trace");
    program.log_to(log.clone());
    let engine = TestEngine::start().await;
    if let Some(engine) = &engine {
        program.set("DOCKER_HOST", &engine.address());
    }
    program.start().await;
    let mut cages = Cages::default();
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("nothing to hide"));

    // Passwords: set, tried in vain, and too long.
    let (ada, wrong, long) = (
        cages.plant("password"),
        cages.plant("wrong"),
        cages.plant("long"),
    );
    let set_up = json!({"email": inputs::ADA, "password": ada, "workspace": inputs::ACME});
    let api = |path: &str| program.url(&format!("/api/v1{path}"));
    let answer = client().post(api("/setup")).json(&set_up).send().await;
    let answer = answer.expect("an answer");
    cages.plant_this("session of the set-up", &session_token(&answer));
    cages.see("set-up", &answer.text().await.expect("text"));
    for password in [&wrong, &long.repeat(4)] {
        let body = json!({"email": inputs::ADA, "password": password});
        let answer = client().post(api("/session")).json(&body).send().await;
        let body = json!({"email": "nobody@example.com", "password": password});
        let nobody = client().post(api("/session")).json(&body).send().await;
        for answer in [answer, nobody] {
            let answer = answer.expect("an answer");
            cages.see("failed sign-in", &answer.text().await.expect("text"));
        }
    }
    let mut cookie = String::new();
    for number in 0..3 {
        let body = json!({"email": inputs::ADA, "password": ada});
        let answer = client().post(api("/session")).json(&body).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), StatusCode::CREATED);
        cookie = format!("agentarea={}", session_token(&answer));
        cages.plant_this(&format!("session {number}"), &session_token(&answer));
        cages.see("sign-in", &answer.text().await.expect("text"));
    }
    let grace = cages.plant("password of Grace");
    let verb = [
        "admin",
        "create-user",
        "--email",
        inputs::GRACE,
        "--workspace",
        "Initech",
    ];
    let made = program
        .command(&verb)
        .env("AGENTAREA_PASSWORD", &grace)
        .output();
    let made = made.expect("run");
    assert!(made.status.success(), "{}", told(&made));
    cages.see("create-user", &told(&made));

    // API keys: by the command line, which prints it, and by the API, whose answer shows it once.
    let verb = [
        "admin",
        "create-api-key",
        "--email",
        inputs::ADA,
        "--workspace",
        inputs::ACME,
    ];
    let made = program.command(&verb).output().expect("run");
    cages.see("create-api-key", &String::from_utf8_lossy(&made.stderr));
    let key = String::from_utf8(made.stdout)
        .expect("text")
        .trim()
        .to_owned();
    cages.plant_this("API key of the command line", &key);
    let asker = Asker {
        program: &program,
        key: key.clone(),
    };
    for number in 0..4 {
        let once = format!("once-{number}");
        let body = json!({"name": format!("key {number}")});
        let shown = asker
            .send(Method::POST, "/api-keys", Some(&body), &once)
            .await;
        let again = asker
            .send(Method::POST, "/api-keys", Some(&body), &once)
            .await;
        assert_eq!(shown, again, "an idempotent answer");
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let shown = shown["key"].as_str().expect("the key").to_owned();
        cages.plant_this(&format!("API key {number}"), &shown);
        let me = client().get(api("/me")).bearer_auth(&shown).send().await;
        cages.see("me", &me.expect("an answer").text().await.expect("text"));
    }
    let (no_key, no_cookie) = (cages.plant("aa_no key"), cages.plant("no cookie"));
    let strangers = [
        client().get(api("/me")).bearer_auth(format!("aa_{no_key}")),
        client()
            .get(api("/me"))
            .header("authorization", format!("Basic {no_key}")),
        client()
            .get(api("/me"))
            .header("cookie", format!("agentarea={no_cookie}")),
        client()
            .get(program.url("/agents"))
            .header("cookie", format!("agentarea={no_cookie}")),
    ];
    for stranger in strangers {
        let answer = stranger.send().await.expect("an answer");
        cages.see("stranger", &answer.text().await.expect("text"));
    }

    let working = models::plant(&mut cages, &asker, &model).await;

    // A conversation with it, one that works and one that fails.
    let agent = inputs::agent("Release Scout", &working, "scripted-large");
    let agent = asker
        .send(Method::POST, "/agents", Some(&agent), "agent")
        .await;
    let agent: Value = serde_json::from_str(&agent).expect("JSON");
    let agent = agent["id"].as_str().expect("an id").to_owned();
    model.next(Scripted::text("fine"));
    model.next(Scripted::status(401));
    for number in 0..2 {
        let made = asker
            .send(
                Method::POST,
                "/conversations",
                Some(&inputs::conversation(&agent)),
                "",
            )
            .await;
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let path = format!("/conversations/{}", made["id"].as_str().expect("an id"));
        let posted = asker
            .send(
                Method::POST,
                &format!("{path}/messages"),
                Some(&inputs::message("hello")),
                &format!("message-{number}"),
            )
            .await;
        cages.see("posted", &posted);
        cages.see(
            "stream",
            &asker.get(&format!("{path}/events?until=idle")).await,
        );
        cages.see("conversation", &asker.get(&path).await);
        cages.see("messages", &asker.get(&format!("{path}/messages")).await);
        let page = client()
            .get(program.url(&path.replace("/api/v1", "")))
            .header("cookie", &cookie);
        cages.see(
            "page",
            &page
                .send()
                .await
                .expect("an answer")
                .text()
                .await
                .expect("text"),
        );
    }

    let servers = tool_servers::plant(&mut cages, &asker, engine.as_ref()).await;

    // The key file before and after a change.
    let file = program.data_dir.path().join("master.key");
    cages.plant_master_key(
        "master key",
        &std::fs::read_to_string(&file).expect("the key"),
    );
    let rotated = program
        .command(&["admin", "rotate-master-key"])
        .env("RUST_LOG", "trace")
        .output();
    cages.see("rotation", &told(&rotated.expect("run")));
    cages.plant_master_key(
        "next master key",
        &std::fs::read_to_string(&file).expect("the key"),
    );

    for path in [
        "/me",
        "/api-keys",
        "/model-connections",
        "/models",
        "/agents",
        "/conversations",
        "/runs",
        "/mcp-servers",
        "/audit-events",
        "/usage",
    ] {
        cages.see(path, &asker.get(path).await);
    }
    for path in [
        "/",
        "/sign-in",
        "/setup",
        "/conversations",
        "/agents",
        "/agents/new",
        "/models",
        "/runs",
        "/tools",
        "/settings/audit",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(servers.iter().map(|id| format!("/tools/{id}")))
    {
        let page = client()
            .get(program.url(&path))
            .header("cookie", &cookie)
            .send()
            .await;
        let page = page.expect("an answer");
        assert!(
            page.status() == StatusCode::OK || ["/sign-in", "/setup"].contains(&path.as_str()),
            "{path}: {}",
            page.status()
        );
        cages.see(&path, &page.text().await.expect("text"));
    }
    back_up(&mut cages, &program);
    let metrics = client().get(program.url("/metrics")).send().await;
    cages.see(
        "metrics",
        &metrics.expect("an answer").text().await.expect("text"),
    );
    let prompts: Vec<String> = model.requests().iter().map(Value::to_string).collect();
    assert!(!prompts.is_empty());
    cages.see("prompts", &prompts.join("\n"));
    cages.see("dump", &dump(&db).await);
    program.stop();
    let log = std::fs::read(&log).expect("the log");
    assert!(
        log.len() > 10_000,
        "a trace is longer than {} bytes",
        log.len()
    );
    cages.see("log", &String::from_utf8_lossy(&log));

    assert!(
        cages.secrets.len() >= 32,
        "{} canaries",
        cages.secrets.len()
    );
    println!(
        "{} canaries, {} texts, {} bytes of log",
        cages.secrets.len(),
        cages.texts.len(),
        log.len()
    );
    assert_eq!(cages.escaped(), Vec::<String>::new());
    // The scan finds what is there: the keys of working connections, where they belong.
    cages.texts.clear();
    cages.see("headers to the model", &format!("{:?}", model.seen()));
    assert!(!cages.escaped().is_empty());
}

/// Looks at a backup: what is kept of it, and what the command says.
fn back_up(cages: &mut Cages, program: &Program) {
    let folder = tempfile::tempdir().expect("a folder");
    let made = program
        .command(&["backup", "create"])
        .env(
            "AGENTAREA_BACKUP_STORE",
            format!("file://{}", folder.path().display()),
        )
        .env("RUST_LOG", "trace")
        .output()
        .expect("run");
    assert!(made.status.success(), "{}", told(&made));
    cages.see("making a backup", &told(&made));
    let files = files_below(folder.path());
    assert!(!files.is_empty());
    for file in files {
        let content = std::fs::read(&file).expect("a file of the backup");
        let name = format!("backup: {}", file.display());
        cages.see(&name, &String::from_utf8_lossy(&content));
    }
}

/// Every row of every table, as text.
async fn dump(db: &TestDb) -> String {
    let mut superuser = superuser(db).await;
    let tables = "select table_schema || '.' || quote_ident(table_name) from information_schema.tables
                  where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'";
    let tables = sqlx::query(tables)
        .fetch_all(&mut superuser)
        .await
        .expect("tables");
    let mut dump = String::new();
    for table in tables {
        let table: String = table.get(0);
        let sql = format!("select t::text from {table} t");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut superuser)
            .await;
        for row in rows.expect("rows") {
            dump.push_str(row.get::<&str, _>(0));
            dump.push('\n');
        }
    }
    assert!(dump.contains(inputs::ADA));
    dump
}

fn session_token(answer: &reqwest::Response) -> String {
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    let pair = cookie.split(';').next().expect("a pair");
    pair.split_once('=').expect("a value").1.to_owned()
}
