//! What a file asks people for, and where their values go.

use super::*;

#[test]
fn arguments_without_a_value_are_settings() {
    let listed = read(database(
        json!([
            {"type": "positional", "value": "mcp"},
            {"type": "named", "name": "--host", "description": "Host", "default": "localhost",
             "isRequired": true},
            {"type": "named", "name": "--port", "description": "Port", "format": "number"},
            {"type": "named", "name": "--stdio"},
            {"type": "named", "name": "--read-only", "description": "Only read",
             "format": "boolean", "default": "true"},
            {"type": "named", "name": "--schema", "description": "Schemas", "isRepeated": true},
            {"type": "positional", "valueHint": "database_name", "description": "Database",
             "isRequired": true, "placeholder": "shop"},
        ]),
        json!([]),
    ))
    .expect("readable");

    assert_eq!(
        names(&listed),
        [
            "--host",
            "--port",
            "--read-only",
            "--schema",
            "database_name"
        ]
    );
    let database = listed.entry.settings.last().expect("settings");
    assert!(database.is_required);
    assert_eq!(database.description, "Database (for example shop)");
    let missing = listed.expand(&given([])).expect_err("incomplete");
    assert_eq!(
        missing.field("source.values.database_name"),
        Some("is required")
    );
    let least = package(&listed, given([("database_name", "shop")]));
    assert_eq!(
        least.command,
        [
            "mcp",
            "--host",
            "localhost",
            "--stdio",
            "--read-only",
            "shop"
        ]
    );
    let all = [
        ("database_name", "shop"),
        ("--host", "db"),
        ("--port", "5432"),
        ("--read-only", "false"),
        ("--schema", "public\nsales"),
    ];
    assert_eq!(
        package(&listed, given(all)).command.join(" "),
        "mcp --host db --port 5432 --stdio --read-only=false --schema public --schema sales shop"
    );
}

#[test]
fn fixed_values_and_variables_in_them_reach_the_environment() {
    let listed = read(database(
        json!([{
            "type": "named", "name": "--dsn", "value": "{kind}://{host}/{unknown}",
            "variables": {
                "kind": {"description": "Kind", "choices": ["postgres", "mysql"], "isRequired": true},
                "host": {"value": "db.internal"},
            },
        }]),
        json!([
            {"name": "LOG_FORMAT", "value": "json"},
            {"name": "AUTH", "value": "Basic {user}:{password}", "variables": {
                "user": {"description": "User", "default": "agent"},
                "password": {"description": "Password", "isRequired": true, "isSecret": true},
            }},
            {"name": "SSL_MODE", "description": "SSL", "default": "prefer",
             "choices": ["disable", "prefer", "require"]},
            {"name": "PROFILE", "value": "{name}", "variables": {"name": {}}},
        ]),
    ))
    .expect("readable");

    let values = [("password", "hunter2"), ("kind", "mysql")];
    let made = package(&listed, given(values));

    assert_eq!(
        names(&listed),
        ["user", "password", "SSL_MODE", "name", "kind"]
    );
    assert_eq!(made.command, ["--dsn", "mysql://db.internal/{unknown}"]);
    let env: Vec<_> = made
        .env
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(env, [("LOG_FORMAT", "json"), ("SSL_MODE", "prefer")]);
    assert_eq!(secrets(&made.secrets), [("AUTH", "Basic agent:hunter2")]);
}

#[test]
fn variables_with_one_name_are_told_apart() {
    let listed = read(database(
        json!([]),
        json!([
            {"name": "SOURCE", "value": "{path}/a", "variables": {"path": {"description": "From"}}},
            {"name": "SAME", "value": "{path}/b", "variables": {"path": {"description": "From"}}},
            {"name": "TARGET", "value": "{path}/c", "variables": {"path": {"description": "To"}}},
        ]),
    ))
    .expect("readable");

    let made = package(&listed, given([("path", "/x"), ("TARGET.path", "/y")]));

    assert_eq!(names(&listed), ["path", "TARGET.path"]);
    let env: Vec<_> = made.env.values().map(String::as_str).collect();
    assert_eq!(env, ["/x/b", "/x/a", "/y/c"]);
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let one = |change: Value| {
        let mut file = database(json!([]), json!([]));
        let package = file["packages"][0].as_object_mut().expect("a package");
        package.extend(change.as_object().expect("an object").clone());
        read(file).err().unwrap_or_default()
    };

    for (change, words) in [
        (
            json!({"packageArguments": [{"type": "named", "name": "--token", "isSecret": true}]}),
            "argument --token is secret",
        ),
        (
            json!({"packageArguments": [{"type": "positional", "value": "{key}", "valueHint": "key",
                "variables": {"key": {"isSecret": true}}}]}),
            "argument key is secret",
        ),
        (
            json!({"runtimeArguments": [{"type": "named", "name": "--python", "value": "3.9"}]}),
            "started with --python",
        ),
        (
            json!({"registryType": "oci", "runtimeArguments": [{"type": "named", "name": "--mount",
                "value": "type=bind,src={source},dst=/project", "isRequired": true}]}),
            "started with --mount",
        ),
        (
            json!({"registryBaseUrl": "https://pypi.example.com"}),
            "from pypi.org only",
        ),
        (json!({"fileSha256": "fe33"}), "fileSha256"),
        (
            json!({"transport": {"type": "sse", "url": "http://localhost/sse"}}),
            "sse",
        ),
        (
            json!({"transport": {"type": "streamable-http", "url": "http://localhost:{port}/"}}),
            "names {port}",
        ),
        (
            json!({"transport": {"type": "streamable-http", "url": "http://localhost:80/", "headers":
                [{"name": "X-Key", "isRequired": true}]}}),
            "a header X-Key",
        ),
        (
            json!({"environmentVariables": [{"name": "a[b]"}]}),
            "cannot be the name of a setting",
        ),
    ] {
        let told = one(change);
        assert!(told.contains(words), "{told:?} lacks {words:?}");
    }
}
