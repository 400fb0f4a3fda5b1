//! How containers end, and what is said about it.

use provisioner::{Error, Exit, LogBook, Provisioner, Veil};

use crate::support::{Bench, docker, spec};

#[tokio::test]
async fn killed_container_is_noticed() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut session = bench.start_session(&spec("victim")).await;
    session.call("echo", "alive").await.unwrap();

    let (status, _) = bench
        .engine
        .call("POST", "/containers/agentarea-test-victim/kill")
        .await;

    assert_eq!(status, 204);
    let exit = session.running.ended().await;
    assert_eq!((exit.code, exit.is_out_of_memory), (Some(137), false));
    assert_eq!(session.try_call("echo", "dead").await, None);
}

#[tokio::test]
async fn too_much_memory_is_told_apart_from_other_ends() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut session = bench.start_session(&spec("greedy")).await;

    assert_eq!(session.try_call("memory", "200").await, None);

    let exit = session.running.ended().await;
    assert!(exit.is_out_of_memory, "{exit:?}");
    let error = exit.to_error(32 << 20).to_string();
    assert!(error.contains("limit 32 MiB"), "{error}");
}

#[tokio::test]
async fn end_by_itself_comes_with_code_and_last_words() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut crashing = spec("crashing");
    crashing.command = vec!["crash".to_owned()];

    let session = bench.start_session(&crashing).await;

    let exit = session.running.ended().await;
    assert_eq!(exit.code, Some(7));
    let last = session.running.log.tail(1).pop().unwrap();
    assert_eq!(last.text, "configuration file not found");
    let path = "/containers/agentarea-test-crashing/json";
    let (_, made) = bench.engine.call("GET", path).await;
    assert_eq!(
        made["HostConfig"]["LogConfig"]["Type"], "none",
        "the engine keeps no copy of what a server says"
    );
}

#[tokio::test]
async fn last_words_count_although_their_line_has_no_end() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut gasping = spec("gasping");
    gasping.command = vec!["gasp".to_owned()];

    let session = bench.start_session(&gasping).await;

    assert_eq!(session.running.ended().await.code, Some(8));
    let lines: Vec<String> = session
        .running
        .log
        .tail(10)
        .into_iter()
        .map(|line| line.text)
        .collect();
    assert_eq!(lines, ["reading settings", "no such setting: color"]);
}

#[tokio::test]
async fn missing_image_and_missing_command_say_so() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let mut missing = spec("missing");
    missing.image = "localhost:9/nowhere/nothing:1".to_owned();
    let mut no_command = spec("no-command");
    no_command.image = bench.engine.import_empty("agentarea-test/empty:1").await;
    no_command.command = vec!["/no/such/program".to_owned()];

    let mut private = spec("private");
    private.image = "10.0.0.5:5000/nothing:1".to_owned();

    let private = bench.docker.start(&private).await.err().unwrap();
    let missing = bench.docker.start(&missing).await.err().unwrap();
    let containers = bench.engine.containers().await;
    let session = bench.start_session(&no_command).await;

    assert!(matches!(missing, Error::ImageMissing { .. }), "{missing}");
    assert!(missing.to_string().contains("private network"), "{missing}");
    assert!(private.to_string().contains("private network"), "{private}");
    assert_eq!(containers.len(), 0, "nothing is left behind");
    assert_eq!(session.running.ended().await.code, Some(127));
    let last = session.running.log.tail(1).pop().unwrap();
    assert!(last.text.contains("/no/such/program"), "{last:?}");
}

#[tokio::test]
async fn engine_that_is_away_is_named_and_used_again_when_back() {
    let Some(mut bench) = Bench::start().await else {
        return;
    };
    let mut session = bench.start_session(&spec("patient")).await;
    session.call("echo", "before").await.unwrap();

    bench.engine.restart().await;

    let exit: Exit = session.running.ended().await;
    assert_ne!(exit.code, Some(0));
    assert_eq!(session.try_call("echo", "gone").await, None);
    let mut session = bench.start_session(&spec("patient")).await;
    assert_eq!(session.call("echo", "after").await.unwrap(), "after");

    bench.engine.stop().await;
    let error = bench.docker.start(&spec("late")).await.err().unwrap();
    assert!(error.is_transient(), "{error}");
    let newcomer = docker(&bench.engine, "test", &[]);
    let error = newcomer.engine().await.err().unwrap();
    assert!(matches!(error, Error::NoEngine { .. }), "{error}");
    assert!(error.to_string().contains("DOCKER_HOST"), "{error}");
}

#[test]
fn log_shows_no_secret_in_other_letters() {
    let secret = "p/ssw\u{f6}rd \"1\"+?&2";
    let book = LogBook::behind(Veil::over([secret]));

    for dressed in [
        // As base64 writes it, alone and behind a name, with and without an end.
        "cC9zc3fDtnJkICIxIis/JjI=",
        "cC9zc3fDtnJkICIxIis/JjI",
        "cC9zc3fDtnJkICIxIis_JjI",
        "p%2Fssw%C3%B6rd%20%221%22%2B%3F%262",
        "p%2fssw%c3%b6rd+%221%22%2b%3f%262",
        r#"p/ssw\u00f6rd \"1\"+?&2"#,
        r#"p\/sswörd \"1\"+?&2"#,
    ] {
        book.note(&format!("it is {dressed}, so"));
    }
    book.note("Basic dXNlcjpwL3Nzd8O2cmQgIjEiKz8mMg==");

    let lines: Vec<String> = book.tail(10).into_iter().map(|line| line.text).collect();
    for line in &lines[..7] {
        assert_eq!(line, "it is •••, so");
    }
    // What stands beside it may show some of its first and last bits.
    assert!(
        lines[7].contains("•••") && lines[7].len() < 30,
        "{}",
        lines[7]
    );
}

#[test]
fn log_never_shows_what_was_secret_not_even_across_the_cut() {
    let secrets = [
        "hunter2-and-more",
        "line one\nsecond line",
        "a \"quoted\" one",
        "abc",
    ];
    let book = LogBook::behind(Veil::over(secrets));

    book.write(b"the key is hunter2-and-more, abc\nline one\nsecond line\n");
    book.write(br#"{"key":"a \"quoted\" one"}"#);
    book.write(b"\n");
    book.write("x".repeat(4096 - 8).as_bytes());
    book.write(b"hunter2-and-more hunter2-and-more\n");
    book.note("it said hunter2-and-more");

    let lines: Vec<String> = book.tail(10).into_iter().map(|line| line.text).collect();
    assert_eq!(
        lines[..4],
        ["the key is •••, abc", "•••", "•••", r#"{"key":"•••"}"#]
    );
    assert_eq!(lines[4], format!("{}•••", "x".repeat(4096 - 8)));
    assert_eq!(lines[5], "it said •••");
}
