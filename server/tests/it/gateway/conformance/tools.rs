//! What the conformance suite calls, gets and reads.

use serde_json::{Value, json};

use super::server::Changes;

/// A picture of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
/// A sound of no length.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

const TOOLS: [&str; 28] = [
    "test_touch_resource",
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_error_handling",
    "test_tool_with_logging",
    "test_logging_tool",
    "test_tool_with_progress",
    "test_sampling",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_streaming_elicitation",
    "test_missing_capability",
    "test_trigger_tool_change",
    "test_trigger_prompt_change",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
    "test_reconnection",
    "test_client_elicitation_defaults",
];

/// What a request comes to.
pub enum Reply {
    Done(Value),
    Input(Value),
    Error(i32, &'static str, Value),
    /// Notifications, then a result.
    Steps(Vec<Value>, Value),
}

pub fn list(version: u64) -> Vec<Value> {
    let arguments = json!({"type": "object", "properties": {
        "prompt": {"type": "string"}, "message": {"type": "string"}}});
    let tool = |name: String| json!({"name": name, "description": format!("The tool {name}"), "inputSchema": arguments});
    let fixed = TOOLS.iter().map(|name| tool((*name).to_owned()));
    let added = (0..version).map(|number| tool(format!("added_{number}")));
    fixed.chain(added).collect()
}

fn text(text: impl Into<String>) -> Value {
    json!({"content": [{"type": "text", "text": text.into()}]})
}

fn resource(uri: &str, kind: &str, text: &str) -> Value {
    json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}})
}

fn elicitation(message: &str, properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().expect("properties").keys().collect();
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": message,
        "requestedSchema": {"type": "object", "required": required, "properties": properties}}})
}

fn sampling(prompt: &str) -> Value {
    json!({"method": "sampling/createMessage", "params": {"maxTokens": 100,
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}]}})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

pub fn call(params: &Value, changes: &Changes) -> Reply {
    let argument = |name: &str| params["arguments"][name].as_str().unwrap_or_default();
    let meta = &params["_meta"];
    let can = |what: &str| meta["io.modelcontextprotocol/clientCapabilities"][what].is_object();
    let ok = || json!({"ok": {"type": "boolean"}});
    match params["name"].as_str().unwrap_or_default() {
        "test_simple_text" => Reply::Done(text("This is a simple text response for testing.")),
        "test_image_content" => Reply::Done(
            json!({"content": [{"type": "image", "data": PNG, "mimeType": "image/png"}]}),
        ),
        "test_audio_content" => Reply::Done(
            json!({"content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]}),
        ),
        "test_embedded_resource" => Reply::Done(json!({"content": [resource(
            "test://embedded-resource", "text/plain", "This is an embedded resource content.")]})),
        "test_multiple_content_types" => Reply::Done(json!({"content": [
            {"type": "text", "text": "Multiple content types test:"},
            {"type": "image", "data": PNG, "mimeType": "image/png"},
            resource("test://mixed-content-resource", "application/json",
                r#"{"test":"data","value":123}"#)]})),
        "test_error_handling" => {
            let mut result = text("This tool intentionally returns an error for testing");
            result["isError"] = true.into();
            Reply::Done(result)
        }
        "test_tool_with_logging" | "test_logging_tool" => {
            let said = [
                "Tool execution started",
                "Tool processing data",
                "Tool execution completed",
            ];
            let line = |data: &str| {
                json!({"jsonrpc": "2.0", "method": "notifications/message",
                "params": {"level": "info", "data": data}})
            };
            let wants = meta["io.modelcontextprotocol/logLevel"].is_string();
            let lines = said.into_iter().filter(|_| wants).map(line).collect();
            Reply::Steps(lines, complete(text("logged")))
        }
        "test_tool_with_progress" => {
            let token = &meta["progressToken"];
            let step = |at: u32| {
                json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": token, "progress": at, "total": 100}})
            };
            Reply::Steps([0, 50, 100].map(step).into(), complete(text("done")))
        }
        "test_missing_capability" if !can("sampling") => Reply::Error(
            -32021,
            "sampling is needed",
            json!({"requiredCapabilities": {"sampling": {}}}),
        ),
        "test_sampling" => ask(params, [("answer", sampling(argument("prompt")))], None),
        "test_elicitation" => {
            let fields = json!({"username": {"type": "string"}, "email": {"type": "string"}});
            let message = argument("message");
            ask(params, [("answer", elicitation(message, fields))], None)
        }
        "test_streaming_elicitation" => {
            ask(params, [("answer", elicitation("Go on?", ok()))], None)
        }
        "test_elicitation_sep1034_defaults" => {
            let fields = json!({
                "name": {"type": "string", "default": "John Doe"},
                "age": {"type": "integer", "default": 30},
                "score": {"type": "number", "default": 95.5},
                "status": {"type": "string", "enum": ["active", "inactive", "pending"],
                    "default": "active"},
                "verified": {"type": "boolean", "default": true}});
            ask(params, [("answer", elicitation("Who?", fields))], None)
        }
        "test_elicitation_sep1330_enums" => {
            let values = |key: &str| {
                let value =
                    |n: u32, title: &str| json!({"const": format!("value{n}"), "title": title});
                json!({key: [value(1, "First Option"), value(2, "Second Option"),
                    value(3, "Third Option")]})
            };
            let mut titled = values("oneOf");
            titled["type"] = "string".into();
            let options = json!(["option1", "option2", "option3"]);
            let fields = json!({
                "untitledSingle": {"type": "string", "enum": options},
                "titledSingle": titled,
                "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"]},
                "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
                "titledMulti": {"type": "array", "items": values("anyOf")}});
            ask(params, [("answer", elicitation("Which?", fields))], None)
        }
        "test_trigger_tool_change" => {
            changes.tools.send_modify(|version| *version += 1);
            Reply::Done(text("changed"))
        }
        "test_touch_resource" => {
            changes.resource.send_modify(|version| *version += 1);
            Reply::Done(text("touched"))
        }
        "test_trigger_prompt_change" => {
            changes.prompts.send_modify(|version| *version += 1);
            Reply::Done(text("changed"))
        }
        "test_input_required_result_elicitation" => ask(params, [("user_name", name())], None),
        "test_input_required_result_sampling" => {
            let question = sampling("What is the capital of France?");
            ask(params, [("capital_question", question)], None)
        }
        "test_input_required_result_list_roots" => ask(params, [("client_roots", roots())], None),
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => {
            let question = elicitation("Please confirm", ok());
            ask(params, [("confirm", question)], Some("sealed-1"))
        }
        "test_input_required_result_multiple_inputs" => {
            let questions = [
                ("user_name", name()),
                ("greeting", sampling("Generate a greeting")),
                ("client_roots", roots()),
            ];
            ask(params, questions, Some("sealed-1"))
        }
        "test_input_required_result_multi_round" => match params["requestState"].as_str() {
            None => ask(params, [("step1", name())], Some("round-1")),
            Some("round-1") => Reply::Input(json!({"requestState": "round-2", "inputRequests": {
                "step2": elicitation("Step 2: What is your favorite color?",
                    json!({"color": {"type": "string"}}))}})),
            Some(_) => Reply::Done(text("all rounds are done")),
        },
        "test_input_required_result_capabilities" => match can("sampling") {
            true => ask(params, [("only", sampling("Say something"))], None),
            false => Reply::Done(text("nothing can be asked")),
        },
        _ => Reply::Done(text("done")),
    }
}

fn name() -> Value {
    elicitation("What is your name?", json!({"name": {"type": "string"}}))
}

fn complete(mut result: Value) -> Value {
    result["resultType"] = "complete".into();
    result
}

/// Asks until everything is answered; what is kept between must come back unchanged.
fn ask<const N: usize>(
    params: &Value,
    questions: [(&str, Value); N],
    state: Option<&str>,
) -> Reply {
    let responses = &params["inputResponses"];
    let is_answered = questions.iter().all(|(key, _)| responses[*key].is_object());
    if !is_answered {
        let questions: serde_json::Map<_, _> = questions
            .into_iter()
            .map(|(key, question)| (key.to_owned(), question))
            .collect();
        let mut result = json!({"inputRequests": questions});
        if let Some(state) = state {
            result["requestState"] = state.into();
        }
        return Reply::Input(result);
    }
    if params["requestState"].as_str() != state {
        return Reply::Error(-32602, "the state is not what it was", Value::Null);
    }
    Reply::Done(text(format!("state-ok, thank you: {responses}")))
}

pub fn prompts(version: u64) -> Vec<Value> {
    let argument = |name: &str| json!({"name": name, "description": name, "required": true});
    let fixed = [
        ("test_simple_prompt", vec![]),
        (
            "test_prompt_with_arguments",
            vec![argument("arg1"), argument("arg2")],
        ),
        (
            "test_prompt_with_embedded_resource",
            vec![argument("resourceUri")],
        ),
        ("test_prompt_with_image", vec![]),
        ("test_input_required_result_prompt", vec![]),
    ];
    let fixed = fixed.map(|(name, arguments)| {
        json!({"name": name, "description": format!("The prompt {name}"), "arguments": arguments})
    });
    let added = (0..version)
        .map(|number| json!({"name": format!("added_{number}"), "description": "Added later"}));
    fixed.into_iter().chain(added).collect()
}

pub fn prompt(params: &Value) -> Reply {
    let argument = |name: &str| params["arguments"][name].as_str().unwrap_or_default();
    let says = |content: Value| json!({"role": "user", "content": content});
    let words = |words: &str| says(json!({"type": "text", "text": words}));
    let messages = match params["name"].as_str().unwrap_or_default() {
        "test_simple_prompt" => vec![words("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (one, two) = (argument("arg1"), argument("arg2"));
            vec![words(&format!(
                "Prompt with arguments: arg1='{one}', arg2='{two}'"
            ))]
        }
        "test_prompt_with_embedded_resource" => vec![
            says(resource(
                argument("resourceUri"),
                "text/plain",
                "Embedded resource content for testing.",
            )),
            words("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![
            says(json!({"type": "image", "data": PNG, "mimeType": "image/png"})),
            words("Please analyze the image above."),
        ],
        "test_input_required_result_prompt" => {
            let fields = json!({"context": {"type": "string"}});
            let question = elicitation("What context should the prompt use?", fields);
            let Reply::Done(_) = ask(params, [("user_context", question.clone())], None) else {
                return Reply::Input(json!({"inputRequests": {"user_context": question}}));
            };
            vec![words("in context")]
        }
        _ => return Reply::Error(-32602, "unknown prompt", Value::Null),
    };
    Reply::Done(json!({ "messages": messages }))
}

pub fn resources() -> Vec<Value> {
    let resource = |uri: &str, name: &str, kind: &str| {
        json!({"uri": uri, "name": name,
        "description": format!("The resource {name}"), "mimeType": kind})
    };
    vec![
        resource("test://static-text", "text", "text/plain"),
        resource("test://static-binary", "binary", "image/png"),
        resource("test://watched-resource", "watched", "text/plain"),
    ]
}

pub fn templates() -> Vec<Value> {
    vec![
        json!({"uriTemplate": "test://template/{id}/data", "name": "template",
        "description": "Data by its id", "mimeType": "application/json"}),
    ]
}

pub fn read(params: &Value) -> Reply {
    let uri = params["uri"].as_str().unwrap_or_default();
    let id = uri
        .strip_prefix("test://template/")
        .and_then(|rest| rest.strip_suffix("/data"));
    let mut contents = match (uri, id) {
        ("test://static-text", _) => {
            json!({"mimeType": "text/plain", "text": "This is the content of the static text resource."})
        }
        ("test://watched-resource", _) => json!({"mimeType": "text/plain", "text": "unchanged"}),
        ("test://static-binary", _) => json!({"mimeType": "image/png", "blob": PNG}),
        (_, Some(id)) => {
            let data =
                json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            json!({"mimeType": "application/json", "text": data.to_string()})
        }
        _ => return Reply::Error(-32602, "unknown resource", json!({"uri": uri})),
    };
    contents["uri"] = uri.into();
    Reply::Done(json!({"contents": [contents]}))
}
