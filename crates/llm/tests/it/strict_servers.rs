//! What strict servers refuse, and how requests keep clear of it.

use std::sync::Arc;

use llm::{Image, ModelMessage, ModelRequest, ToolCall, ToolSpec};
use serde_json::{Value, json};

use crate::support::{anthropic, ask, body_of, client, gemini, hello, responses};
use crate::wire::Wire;

fn tool(input_schema: Value) -> Arc<[ToolSpec]> {
    Arc::new([ToolSpec {
        name: "look".to_owned(),
        description: "Looks.".to_owned(),
        input_schema,
    }])
}

/// A question, the call of a tool with this id, and what came of it.
fn looked(id: &str, result: &str, is_error: bool) -> Vec<ModelMessage> {
    let call = ToolCall {
        id: id.to_owned(),
        name: "look".to_owned(),
        arguments: "{}".to_owned(),
    };
    vec![
        ModelMessage::user("Look"),
        ModelMessage::Assistant {
            text: "".into(),
            tool_calls: Arc::new([call]),
            carry: None,
        },
        ModelMessage::Tool {
            call_id: id.into(),
            name: "look".into(),
            text: result.into(),
            is_error,
        },
    ]
}

#[tokio::test]
async fn openai_is_told_that_a_tool_has_no_properties() {
    let empty = json!({"type": "object", "properties": {}});
    let full = json!({"type": "object", "properties": {"x": {"type": "string"}}});
    for (schema, sent) in [
        (json!({"type": "object"}), &empty),
        (json!({"type": "object", "properties": null}), &empty),
        (full.clone(), &full),
    ] {
        let request = || ModelRequest {
            tools: tool(schema.clone()),
            ..hello()
        };

        let (chat, _) = ask(client, request(), &Wire::Chat.stop()).await;
        let (items, _) = ask(responses, request(), &Wire::Responses.stop()).await;
        let (contents, _) = ask(gemini, request(), &Wire::Gemini.stop()).await;

        assert_eq!(body_of(&chat)["tools"][0]["function"]["parameters"], *sent);
        assert_eq!(body_of(&items)["tools"][0]["parameters"], *sent);
        // Gemini refuses empty ones.
        let declared = &body_of(&contents)["tools"][0]["functionDeclarations"][0];
        assert_eq!(declared["parametersJsonSchema"], schema);
    }
}

#[tokio::test]
async fn claude_hears_of_a_failure_without_words() {
    for (result, is_error, content) in [
        ("", true, json!("The tool failed and said nothing.")),
        (" \n", true, json!("The tool failed and said nothing.")),
        ("no", true, json!("no")),
        ("", false, Value::Null),
    ] {
        let request = ModelRequest {
            messages: looked("a", result, is_error),
            ..hello()
        };

        let (seen, _) = ask(anthropic, request, &Wire::Messages.stop()).await;

        let block = &body_of(&seen)["messages"][2]["content"][0];
        assert_eq!(block["content"], content, "{block}");
    }
}

#[tokio::test]
async fn people_and_the_model_take_turns_in_a_chat() {
    let picture = ModelMessage::User {
        text: "".into(),
        images: Arc::new([Image {
            media_type: "image/png".into(),
            bytes: "png".into(),
        }]),
    };
    let mut messages = vec![ModelMessage::user("Hello"), ModelMessage::user("Anyone?")];
    messages.push(ModelMessage::assistant("Yes."));
    messages.extend(looked("a", "seen", false));
    messages.extend([
        ModelMessage::user("And?"),
        picture,
        ModelMessage::user("So?"),
    ]);
    let request = ModelRequest {
        messages,
        ..hello()
    };

    let (seen, _) = ask(client, request, &Wire::Chat.stop()).await;

    let call = json!({"id": "a", "type": "function",
        "function": {"name": "look", "arguments": "{}"}});
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}});
    let expected = json!([
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello\n\nAnyone?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "seen"},
        {"role": "assistant", "content": "[The answer broke off here.]"},
        {"role": "user", "content": [
            {"type": "text", "text": "And?"},
            picture,
            {"type": "text", "text": "So?"},
        ]},
    ]);
    assert_eq!(body_of(&seen)["messages"], expected);
}
