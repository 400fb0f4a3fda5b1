//! Which keys a server starts with.

use std::os::unix::fs::PermissionsExt;

use testkit::{ScriptedModel, TestDb, inputs};

use super::{assert_model_is_reached, fingerprint, key, superuser, told};
use crate::support::{Program, TestApp};

#[tokio::test]
async fn wrong_or_missing_key_refuses_every_start() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    app.program().stop();
    let file = app.program().data_dir.path().join("master.key");
    let right = std::fs::read_to_string(&file).expect("the key");
    let mode = std::fs::metadata(&file).expect("the file").permissions();
    let expected = fingerprint(&db).await;
    let verbs = [
        vec!["serve"],
        vec!["migrate"],
        vec![
            "admin",
            "create-api-key",
            "--email",
            inputs::ADA,
            "--workspace",
            inputs::ACME,
        ],
        vec!["admin", "rotate-master-key"],
    ];

    for verb in &verbs {
        std::fs::write(&file, key(7)).expect("write");
        let wrong = app.command(verb).output().expect("run");
        std::fs::remove_file(&file).expect("remove");
        let missing = app.command(verb).output().expect("run");
        let mut configured = app.command(verb);
        let configured = configured.env("AGENTAREA_MASTER_KEY", key(8)).output();

        for (what, output, place) in [
            ("wrong", wrong, "master.key"),
            ("missing", missing, "master.key"),
            (
                "configured",
                configured.expect("run"),
                "AGENTAREA_MASTER_KEY",
            ),
        ] {
            let told = told(&output);
            assert!(
                !output.status.success(),
                "{verb:?} with a {what} key: {told}"
            );
            assert!(told.contains(&expected), "{verb:?}, {what}: {told}");
            assert!(told.contains(place), "{verb:?}, {what}: {told}");
            assert!(!told.contains(&key(7)) && !told.contains(&key(8)), "{told}");
        }
        assert!(!file.exists(), "{verb:?} made a new key");
    }
    std::fs::write(&file, right).expect("write");
    let fine = app.command(&["migrate"]).output().expect("run");

    assert!(fine.status.success(), "{}", told(&fine));
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[tokio::test]
async fn database_that_names_no_key_takes_only_the_one_that_opens_it() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    app.create_agent(&model).await;
    app.program().stop();
    let file = app.program().data_dir.path().join("master.key");
    let right = std::fs::read_to_string(&file).expect("the key");
    let expected = fingerprint(&db).await;
    let mut superuser = superuser(&db).await;
    for sql in [
        "update secrets set master_key = null",
        "update idempotent_answers set master_key = null",
        "delete from master_keys",
    ] {
        sqlx::query(sql)
            .execute(&mut superuser)
            .await
            .expect("as an older program left it");
    }

    std::fs::write(&file, key(7)).expect("write");
    let wrong = app.command(&["migrate"]).output().expect("run");
    std::fs::remove_file(&file).expect("remove");
    let missing = app.command(&["migrate"]).output().expect("run");
    std::fs::write(&file, right).expect("write");
    app.program().start().await;

    assert!(
        !wrong.status.success() && told(&wrong).contains("opens"),
        "{}",
        told(&wrong)
    );
    assert!(!missing.status.success(), "{}", told(&missing));
    assert_eq!(fingerprint(&db).await, expected);
    assert_model_is_reached(&app, &model).await;
}
