//! What a server is asked on behalf of a caller, and what it answers.

use rmcp::model::{
    ArgumentInfo, CallToolRequest, CallToolRequestParams, CallToolResult, ClientCapabilities,
    ClientRequest, CompleteRequest, CompleteRequestParams, CompletionContext, ContentBlock,
    GetPromptRequest, GetPromptRequestParams, InputResponses, JsonObject, ReadResourceRequest,
    ReadResourceRequestParams, Reference, RequestMetaObject, ResourceContents, ServerResult,
};
use serde_json::Value;

use crate::error::CallError;
use crate::logs;
use crate::output::ToolOutput;

/// What kind of thing a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A tool is called.
    Tool,
    /// A prompt is fetched, or an argument of it completed.
    Prompt,
    /// A resource is read, or a variable of its template completed.
    Resource,
}

/// One request to one server.
#[derive(Clone, Debug)]
pub struct Ask {
    subject: Subject,
    /// A tool's or prompt's name, a resource's URI.
    name: String,
    arguments: Value,
    completion: Option<(ArgumentInfo, Option<CompletionContext>)>,
    /// What the caller's client answered to the server's questions, and what the server wants back.
    pub(crate) responses: Option<InputResponses>,
    pub(crate) state: Option<String>,
    pub(crate) client: Client,
}

/// What the caller's client can be asked and wants to hear. By default: nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) capabilities: ClientCapabilities,
    pub(crate) log_level: Option<logs::Level>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer(pub(crate) ServerResult);

/// A line of a server's log, meant for the caller whose request it is about.
#[derive(Clone, Debug)]
pub struct LogLine(pub(crate) logs::Line);

impl Ask {
    /// To call a tool; `arguments` is an object.
    pub fn tool(name: &str, arguments: Value) -> Self {
        Self::new(Subject::Tool, name.to_owned(), arguments)
    }

    fn new(subject: Subject, name: String, arguments: Value) -> Self {
        Self {
            subject,
            name,
            arguments,
            completion: None,
            responses: None,
            state: None,
            client: Client::default(),
        }
    }

    pub(crate) fn from_call(params: CallToolRequestParams, client: Client) -> Self {
        let arguments = Value::Object(params.arguments.unwrap_or_default());
        Self {
            responses: params.input_responses,
            state: params.request_state,
            client,
            ..Self::new(Subject::Tool, params.name.into_owned(), arguments)
        }
    }

    pub(crate) fn from_prompt(params: GetPromptRequestParams, client: Client) -> Self {
        let arguments = Value::Object(params.arguments.unwrap_or_default());
        Self {
            responses: params.input_responses,
            state: params.request_state,
            client,
            ..Self::new(Subject::Prompt, params.name, arguments)
        }
    }

    pub(crate) fn from_read(params: ReadResourceRequestParams, client: Client) -> Self {
        Self {
            responses: params.input_responses,
            state: params.request_state,
            client,
            ..Self::new(Subject::Resource, params.uri, Value::Null)
        }
    }

    /// `None` for a reference to something that is not known here.
    pub(crate) fn from_completion(params: CompleteRequestParams, client: Client) -> Option<Self> {
        let (subject, name) = match params.r#ref {
            Reference::Prompt(prompt) => (Subject::Prompt, prompt.name),
            Reference::Resource(resource) => (Subject::Resource, resource.uri),
            _ => return None,
        };
        Some(Self {
            completion: Some((params.argument, params.context)),
            client,
            ..Self::new(subject, name, Value::Null)
        })
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Name of the tool or prompt, URI of the resource.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Arguments of a tool or prompt.
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// The method of the protocol.
    pub fn method(&self) -> &'static str {
        match (self.subject, &self.completion) {
            (_, Some(_)) => "completion/complete",
            (Subject::Tool, None) => "tools/call",
            (Subject::Prompt, None) => "prompts/get",
            (Subject::Resource, None) => "resources/read",
        }
    }

    /// The same of a thing with another name.
    #[must_use]
    pub fn renamed(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// What goes with the request: the client's abilities and its wish for logs.
    pub(crate) fn meta(&self) -> RequestMetaObject {
        let mut meta = RequestMetaObject::new();
        meta.set_client_capabilities(self.client.capabilities.clone());
        if let Some(level) = self.client.log_level {
            meta.set_log_level(level);
        }
        meta
    }

    pub(crate) fn into_request(self) -> Result<ClientRequest, CallError> {
        let arguments = match self.arguments {
            Value::Object(arguments) => Some(arguments),
            Value::Null => None,
            _ => return Err(CallError::InvalidArguments("not an object".to_owned())),
        };
        if let Some((argument, context)) = self.completion {
            let reference = match self.subject {
                Subject::Prompt => Reference::for_prompt(self.name),
                _ => Reference::for_resource(self.name),
            };
            let mut params = CompleteRequestParams::new(reference, argument);
            params.context = context;
            return Ok(CompleteRequest::new(params).into());
        }
        Ok(match self.subject {
            Subject::Tool => {
                let mut params = CallToolRequestParams::new(self.name);
                // Some servers insist on an object.
                params.arguments = Some(arguments.unwrap_or_else(JsonObject::new));
                params.input_responses = self.responses;
                params.request_state = self.state;
                CallToolRequest::new(params).into()
            }
            Subject::Prompt => {
                let mut params = GetPromptRequestParams::new(self.name);
                params.arguments = arguments.filter(|arguments| !arguments.is_empty());
                params.input_responses = self.responses;
                params.request_state = self.state;
                GetPromptRequest::new(params).into()
            }
            Subject::Resource => {
                let mut params = ReadResourceRequestParams::new(self.name);
                params.input_responses = self.responses;
                params.request_state = self.state;
                ReadResourceRequest::new(params).into()
            }
        })
    }
}

impl Answer {
    /// The answer of a tool.
    ///
    /// # Errors
    /// `Server` if the tool asks back, or what it says is no answer of a tool.
    pub fn into_tool(self) -> Result<ToolOutput, CallError> {
        match self.0 {
            ServerResult::CallToolResult(result) => Ok(ToolOutput::new(result)),
            ServerResult::EmptyResult(_) => {
                Ok(ToolOutput::new(CallToolResult::success(Vec::new())))
            }
            ServerResult::InputRequiredResult(_) => Err(CallError::Server(
                "the tool asks its caller for more input, which agents cannot give".to_owned(),
            )),
            ServerResult::CreateTaskResult(_) => Err(CallError::Server(
                "the tool answers with a task to wait for, which it was not asked to".to_owned(),
            )),
            _ => Err(nonsense()),
        }
    }

    /// Whether a tool says that it failed.
    pub fn is_tool_error(&self) -> bool {
        matches!(&self.0, ServerResult::CallToolResult(result) if result.is_error == Some(true))
    }

    /// Adds a text of ours to what a tool answered.
    pub fn add_note(&mut self, note: &str) {
        if let ServerResult::CallToolResult(result) = &mut self.0 {
            // Structured content is told only where there is no text; now there is one.
            if let (true, Some(structured)) =
                (result.content.is_empty(), &result.structured_content)
            {
                let text = structured.to_string();
                result.content.push(ContentBlock::text(text));
            }
            result.content.push(ContentBlock::text(note));
        }
    }

    /// Renames the resources that the answer speaks of.
    pub fn map_uris(&mut self, rename: &dyn Fn(&str) -> String) {
        match &mut self.0 {
            ServerResult::CallToolResult(result) => {
                for block in &mut result.content {
                    rename_block(block, rename);
                }
            }
            ServerResult::GetPromptResult(result) => {
                for message in &mut result.messages {
                    rename_block(&mut message.content, rename);
                }
            }
            ServerResult::ReadResourceResult(result) => {
                for contents in &mut result.contents {
                    rename_contents(contents, rename);
                }
            }
            _ => {}
        }
    }
}

pub(crate) fn nonsense() -> CallError {
    CallError::Server("what it answers makes no sense".to_owned())
}

fn rename_block(block: &mut ContentBlock, rename: &dyn Fn(&str) -> String) {
    match block {
        ContentBlock::Resource(embedded) => rename_contents(&mut embedded.resource, rename),
        ContentBlock::ResourceLink(link) => link.uri = rename(&link.uri),
        _ => {}
    }
}

fn rename_contents(contents: &mut ResourceContents, rename: &dyn Fn(&str) -> String) {
    match contents {
        ResourceContents::TextResourceContents { uri, .. }
        | ResourceContents::BlobResourceContents { uri, .. } => *uri = rename(uri),
        _ => {}
    }
}
