//! What a tool answered.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

const UNKNOWN: &str = "[content of a kind that is not known here]";

/// What a tool answered, at most 4 MiB.
#[derive(Clone, Debug)]
pub struct ToolOutput {
    result: CallToolResult,
}

impl ToolOutput {
    pub(crate) fn new(result: CallToolResult) -> Self {
        Self { result }
    }

    /// Whether the tool says that it failed.
    pub fn is_error(&self) -> bool {
        self.result.is_error == Some(true)
    }

    /// The answer as text, for a model: texts as they are, structured content as JSON if there is
    /// no text, everything else by name, type and size.
    pub fn text(&self) -> String {
        let mut parts: Vec<String> = self.result.content.iter().map(block).collect();
        if let (true, Some(structured)) = (parts.is_empty(), &self.result.structured_content) {
            parts.push(structured.to_string());
        }
        parts.join("\n")
    }

    /// The answer as the protocol has it.
    pub(crate) fn into_result(self) -> CallToolResult {
        self.result
    }
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => binary("image", &image.mime_type, &image.data),
        ContentBlock::Audio(audio) => binary("audio", &audio.mime_type, &audio.data),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => format!("{uri}:\n{text}"),
            ResourceContents::BlobResourceContents {
                uri,
                mime_type,
                blob,
                ..
            } => {
                let kind = mime_type.as_deref().unwrap_or("application/octet-stream");
                binary(&format!("file {uri}"), kind, blob)
            }
            _ => UNKNOWN.to_owned(),
        },
        ContentBlock::ResourceLink(link) => match &link.description {
            Some(description) => format!("{}: {} ({description})", link.name, link.uri),
            None => format!("{}: {}", link.name, link.uri),
        },
        _ => UNKNOWN.to_owned(),
    }
}

fn binary(what: &str, kind: &str, base64: &str) -> String {
    let bytes = base64.len() / 4 * 3;
    format!("[{what}, {kind}, about {} KiB]", bytes.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use rmcp::model::CallToolResult;
    use serde_json::json;

    use super::*;

    fn text(result: serde_json::Value) -> String {
        let result: CallToolResult = serde_json::from_value(result).expect("a result");
        ToolOutput::new(result).text()
    }

    #[test]
    fn every_kind_of_content_becomes_text() {
        let told = text(json!({"content": [
            {"type": "text", "text": "42"},
            {"type": "image", "data": "AAAA", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "demo://a", "text": "hello"}},
            {"type": "resource", "resource": {"uri": "demo://b", "blob": "AAAA"}},
            {"type": "resource_link", "uri": "demo://c", "name": "c"},
        ]}));

        assert_eq!(
            told,
            "42\n[image, image/png, about 1 KiB]\ndemo://a:\nhello\n\
             [file demo://b, application/octet-stream, about 1 KiB]\nc: demo://c"
        );
    }

    #[test]
    fn structured_content_is_told_when_there_is_no_text() {
        assert_eq!(text(json!({"structuredContent": {"a": 1}})), r#"{"a":1}"#);
        let both =
            json!({"content": [{"type": "text", "text": "one"}], "structuredContent": {"a": 1}});
        assert_eq!(text(both), "one");
    }
}
