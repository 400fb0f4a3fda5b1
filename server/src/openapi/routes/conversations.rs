//! Conversations, with the runs, questions and files in them.

use crate::openapi::route::{Route, delete, get, patch, post};
use domain::approvals::{Approval, DecideApproval};
use domain::conversations::{
    Conversation, CreateConversation, Message, PostMessage, PostedMessage, UpdateConversation,
};
use domain::events::Event;
use domain::files::{ConversationFile, File};
use domain::runs::{Run, RunSummary};
use serde_json::json;

pub(super) fn conversations() -> Vec<Route> {
    let tag = "Conversations";
    vec![
        get(
            tag,
            "/conversations",
            "Lists the conversations, last touched first",
        )
        .pages::<Conversation>()
        .query(
            "query",
            json!({"type": "string", "maxLength": 200}),
            "Words to find.",
        ),
        post(tag, "/conversations", "Begins a conversation")
            .takes::<CreateConversation>()
            .creates::<Conversation>()
            .conflicts("The agent is deleted"),
        get(tag, "/conversations/{id}", "One conversation").gives::<Conversation>(),
        patch(tag, "/conversations/{id}", "Renames a conversation")
            .takes::<UpdateConversation>()
            .gives::<Conversation>(),
        delete(
            tag,
            "/conversations/{id}",
            "Deletes a conversation with all it holds",
        ),
        get(tag, "/conversations/{id}/messages", "Lists the messages").pages::<Message>(),
        post(
            tag,
            "/conversations/{id}/messages",
            "Writes a message; a run answers it",
        )
        .takes::<PostMessage>()
        .answers::<PostedMessage>(202)
        .conflicts("The agent is deleted"),
        post(
            tag,
            "/conversations/{id}/messages/{message_id}/regeneration",
            "Asks a message again, on a branch of its own",
        )
        .answers::<PostedMessage>(202)
        .conflicts("An answer is being written, or the agent is deleted"),
        get(
            tag,
            "/conversations/{id}/files",
            "Lists the files that the agent keeps there, and the attachments",
        )
        .pages::<ConversationFile>(),
        get(
            tag,
            "/conversations/{id}/export",
            "The conversation as a file: as Markdown the branch that is shown, as JSON every branch",
        )
        .gives_raw("*/*", json!({}))
        .query(
            "format",
            json!({"enum": ["markdown", "json"]}),
            "What it is.",
        ),
        get(
            tag,
            "/conversations/{id}/events",
            "The log: with `Accept: application/json` a page of it, ascending; otherwise a stream \
             (text/event-stream) that goes on with what happens",
        )
        .pages::<Event>()
        .query(
            "until",
            json!({"enum": ["idle"]}),
            "Ends the stream once no run is left.",
        ),
    ]
}

pub(super) fn approvals() -> Vec<Route> {
    let tag = "Approvals";
    let status = json!({"enum": ["pending", "approved", "rejected"]});
    vec![
        get(tag, "/approvals", "Lists the tool calls that ask a person")
            .pages::<Approval>()
            .query("status", status, "Only those."),
        get(tag, "/approvals/{id}", "One question").gives::<Approval>(),
        post(
            tag,
            "/approvals/{id}/decision",
            "Lets a tool call go ahead, or not",
        )
        .takes::<DecideApproval>()
        .gives::<Approval>()
        .conflicts("It is decided already"),
    ]
}

pub(super) fn runs() -> Vec<Route> {
    let tag = "Runs";
    vec![
        get(tag, "/runs", "Lists the runs").pages::<RunSummary>(),
        get(tag, "/runs/{id}", "One run with its journal").gives::<Run>(),
        post(tag, "/runs/{id}/cancellation", "Stops a run")
            .answers::<Run>(202)
            .conflicts("The run has ended"),
    ]
}

pub(super) fn files() -> Vec<Route> {
    let tag = "Files";
    let form = json!({
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    });
    vec![
        post(
            tag,
            "/files",
            "Uploads a file; one that no message has is deleted after a day",
        )
        .takes_raw("multipart/form-data", form)
        .creates::<File>(),
        get(tag, "/files/{id}", "Downloads a file").gives_raw("*/*", json!({})),
        delete(tag, "/files/{id}", "Deletes a file").conflicts("A message has it"),
    ]
}
