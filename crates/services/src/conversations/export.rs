//! A conversation as a file.

use domain::conversations::{Conversation, Export, ExportFormat, Message};
use domain::{ConversationId, Error, MessageId, Page, RunId};
use serde::Serialize;
use store::TenantTx;

use super::markdown_export::markdown;
use crate::Session;
use crate::conversations::{fill, get};
use crate::fault::OrFault;

/// Messages read at once.
const PAGE: u8 = 100;
/// Runs read at once; each has a few messages.
const RUNS: u32 = 50;
/// Largest export, in bytes of all that was said, called and found.
const MAX_BYTES: usize = 32 * 1024 * 1024;

#[derive(Serialize)]
struct Exported<'a> {
    conversation: &'a Conversation,
    /// Every run, oldest first: the tree.
    runs: Vec<ExportedRun>,
    /// The messages of all branches, oldest first.
    messages: Vec<ExportedMessage>,
}

#[derive(Serialize)]
struct ExportedRun {
    id: RunId,
    /// The run before it on its branch.
    parent_id: Option<RunId>,
    /// The message that it answers.
    message_id: MessageId,
}

#[derive(Serialize)]
struct ExportedMessage {
    #[serde(flatten)]
    message: Message,
    /// The run before its own on its branch.
    parent_id: Option<RunId>,
}

/// Adds up what an export holds.
#[derive(Default)]
struct Bound {
    bytes: usize,
}

impl Session {
    pub(super) async fn export(
        &self,
        id: ConversationId,
        format: ExportFormat,
    ) -> Result<Export, Error> {
        let mut tx = self.snapshot().await?;
        let conversation = get(&mut tx, id).await?.conversation;
        let (extension, content_type, content) = match format {
            ExportFormat::Markdown => {
                let messages = read_branch(&mut tx, &conversation).await?;
                let content = markdown(&conversation, &messages);
                ("md", "text/markdown; charset=utf-8", content)
            }
            ExportFormat::Json => {
                let exported = read_all(&mut tx, &conversation).await?;
                let content = serde_json::to_string_pretty(&exported).expect("plain data");
                ("json", "application/json", content)
            }
        };
        Ok(Export {
            file_name: format!("{}.{extension}", file_stem(&conversation.title)),
            content_type,
            content,
        })
    }
}

/// The branch that is shown, oldest first.
async fn read_branch(
    tx: &mut TenantTx,
    conversation: &Conversation,
) -> Result<Vec<Message>, Error> {
    let id = conversation.id;
    let mut bound = Bound::default();
    let mut page = Page::first(PAGE);
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let read = tx
            .list_messages(id, conversation.head_run_id, &page)
            .await
            .or_fault()?;
        let mut read_messages: Vec<Message> = read.items.into_iter().map(|it| it.message).collect();
        fill(tx, (id, true), read_messages.iter_mut().collect()).await?;
        bound.add(read_messages.iter())?;
        messages.extend(read_messages);
        match read.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    messages.reverse();
    Ok(messages)
}

/// Every branch.
async fn read_all<'a>(
    tx: &mut TenantTx,
    conversation: &'a Conversation,
) -> Result<Exported<'a>, Error> {
    let id = conversation.id;
    let mut bound = Bound::default();
    let mut exported = Exported {
        conversation,
        runs: Vec::new(),
        messages: Vec::new(),
    };
    loop {
        let after = exported.runs.last().map(|run| run.id);
        let read = tx.list_all_messages(id, after, RUNS).await.or_fault()?;
        let (runs, mut messages) = read;
        if runs.is_empty() {
            return Ok(exported);
        }
        fill(
            tx,
            (id, true),
            messages.iter_mut().map(|it| &mut it.message).collect(),
        )
        .await?;
        bound.add(messages.iter().map(|it| &it.message))?;
        exported
            .runs
            .extend(runs.into_iter().map(|run| ExportedRun {
                id: run.id,
                parent_id: run.parent_id,
                message_id: run.message_id,
            }));
        let messages = messages.into_iter().map(|it| ExportedMessage {
            message: it.message,
            parent_id: it.parent_id,
        });
        exported.messages.extend(messages);
    }
}

impl Bound {
    fn add<'a>(&mut self, messages: impl Iterator<Item = &'a Message>) -> Result<(), Error> {
        for message in messages {
            let calls = message.tool_calls.iter();
            let calls = calls.map(|call| call.result.len() + call.arguments.to_string().len());
            let files = message.files.iter().map(|file| file.name.len());
            self.bytes += message.text.len() + message.reasoning.len();
            self.bytes += calls.sum::<usize>() + files.sum::<usize>();
        }
        match self.bytes > MAX_BYTES {
            true => Err(Error::conflict(
                "this conversation is too long for one file; read it page by page by the API",
            )),
            false => Ok(()),
        }
    }
}

/// Letters and digits of a title, as a file's name can have them.
fn file_stem(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let stem = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
        .to_lowercase();
    match stem.chars().take(60).collect::<String>().as_str() {
        "" => "conversation".to_owned(),
        stem => stem.trim_matches('-').to_owned(),
    }
}
