//! Which package or address of a file is taken, and where it is reached.

use super::*;

#[test]
fn first_package_that_can_be_run_is_taken() {
    let listed = read(json!({
        "name": "io.modelcontextprotocol/text-editor", "description": "Edits text",
        "version": "1.0.2",
        "packages": [
            {
                "registryType": "mcpb",
                "identifier": "https://github.com/example/editor/releases/download/v1.0.2/editor.mcpb",
                "fileSha256": "fe333e598595000ae021bd27117db32ec69af6987f507ba7a63c90638ff633ce",
                "transport": {"type": "stdio"},
            },
            {
                "registryType": "npm", "registryBaseUrl": "https://registry.npmjs.org",
                "identifier": "@example/text-editor", "version": "1.0.2", "runtimeHint": "npx",
                "runtimeArguments": [{"type": "positional", "value": "-y"}],
                "transport": {"type": "stdio"},
            },
        ],
        "remotes": [{"type": "streamable-http", "url": "https://editor.example.com/mcp"}],
    }))
    .expect("readable");

    assert_eq!(listed.entry.kind, "npm");
    let package = package(&listed, given([]));
    assert_eq!(
        (&*package.name, &*package.version),
        ("@example/text-editor", "1.0.2")
    );
}

#[test]
fn address_that_can_be_called_is_taken_behind_one_that_cannot() {
    let listed = read(json!({
        "name": "io.example/hybrid", "description": "Both ways", "version": "1.5.0",
        "packages": [{
            "registryType": "nuget", "identifier": "Example.Hybrid", "version": "1.5.0",
            "transport": {"type": "stdio"},
        }],
        "remotes": [
            {"type": "sse", "url": "https://hybrid.example.com/sse"},
            {
                "type": "streamable-http", "url": "https://hybrid.example.com/http",
                "headers": [
                    {"name": "X-API-Key", "description": "API key", "isRequired": true, "isSecret": true},
                    {
                        "name": "X-Region", "description": "Region", "default": "us-east-1",
                        "choices": ["us-east-1", "eu-west-1"],
                    },
                    {"name": "X-Client", "value": "agents"},
                ],
            },
        ],
    }))
    .expect("readable");

    assert_eq!(names(&listed), ["X-API-Key", "X-Region"]);
    let taken = remote(
        &listed,
        given([("X-API-Key", "k"), ("X-Region", "eu-west-1")]),
    );
    assert_eq!(taken.url, "https://hybrid.example.com/http");
    let headers = secrets(&taken.headers);
    assert_eq!(
        headers,
        [
            ("X-API-Key", "k"),
            ("X-Client", "agents"),
            ("X-Region", "eu-west-1")
        ]
    );
    let wrong = listed.expand(&given([("X-API-Key", "k"), ("X-Region", "mars-1")]));
    let wrong = wrong.expect_err("no such choice");
    assert_eq!(
        wrong.field("source.values.X-Region"),
        Some("must be one of us-east-1, eu-west-1")
    );
}

#[test]
fn each_package_and_address_that_is_refused_says_why() {
    let why = read(json!({
        "name": "io.example/none", "description": "Neither", "version": "1.0.0",
        "packages": [{
            "registryType": "mcpb", "identifier": "https://example.com/a.mcpb",
            "transport": {"type": "stdio"},
        }],
        "remotes": [{"type": "sse", "url": "https://none.example.com/sse"}],
    }));

    assert_eq!(
        why.err().as_deref(),
        Some(
            "mcpb https://example.com/a.mcpb: such packages cannot be run yet; \
             sse https://none.example.com/sse: this transport is not spoken here"
        )
    );
}

#[test]
fn address_with_variables_is_filled_in() {
    let tenant = |variable: Value| {
        read(json!({
            "name": "com.example/tenants", "description": "Tenants", "version": "2.0.0",
            "remotes": [{
                "type": "streamable-http", "url": "https://{tenant}.example.com/{region}/mcp",
                "variables": {
                    "tenant": variable,
                    "region": {"default": "eu", "choices": ["eu", "us"]},
                },
            }],
        }))
    };
    let listed = tenant(json!({"description": "Your tenant"})).expect("readable");

    let filled = remote(&listed, given([("tenant", "acme")]));

    assert_eq!(filled.url, "https://acme.example.com/eu/mcp");
    let missing = listed.expand(&given([])).expect_err("incomplete");
    assert_eq!(missing.field("source.values.tenant"), Some("is required"));
    let secret = tenant(json!({"isSecret": true})).err().unwrap_or_default();
    assert!(secret.contains("address has a secret in it"), "{secret}");
}

#[test]
fn package_that_speaks_http_listens_where_its_settings_say() {
    let listed = read(json!({
        "name": "com.example/served", "description": "Served", "version": "2.0.0",
        "packages": [{
            "registryType": "oci", "registryBaseUrl": "https://ghcr.io",
            "identifier": "example/served", "version": "2.0.0", "runtimeHint": "docker",
            "runtimeArguments": [
                {"type": "named", "name": "--rm"},
                {"type": "named", "name": "-e", "value": "REGION={region}",
                 "variables": {"region": {"description": "Region", "default": "eu"}}},
                {"type": "named", "name": "--memory", "description": "Memory"},
            ],
            "packageArguments": [{"type": "named", "name": "--port", "default": "8080",
                                  "format": "number"}],
            "environmentVariables": [{"name": "BASE_PATH", "default": "api"}],
            "transport": {"type": "streamable-http", "url": "http://localhost:{port}/{BASE_PATH}/mcp"},
        }],
    }))
    .expect("readable");

    let made = listed.expand(&given([("--port", "9000")])).expect("valid");

    let McpServerSourceInput::Container(made) = made else {
        panic!("it becomes {made:?}");
    };
    assert_eq!(made.image, "ghcr.io/example/served:2.0.0");
    assert_eq!(made.command, ["--port", "9000"]);
    assert_eq!(made.env.get("REGION").map(String::as_str), Some("eu"));
    let http = made.http.expect("it speaks HTTP");
    assert_eq!((http.port, &*http.path), (9000, "/api/mcp"));
    let wrong = listed
        .expand(&given([("--port", "90000")]))
        .expect_err("no port");
    let told = wrong.to_string();
    assert!(wrong.field("source.values.--port").is_some(), "{told}");
}
