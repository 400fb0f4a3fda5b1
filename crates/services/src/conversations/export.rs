//! A conversation as a file.

use domain::conversations::{Conversation, Export, ExportFormat, Message, MessageRole};
use domain::{ConversationId, Error, Page};
use serde::Serialize;

use crate::Session;
use crate::conversations::{fill, get};
use crate::fault::OrFault;

/// Messages read at once.
const PAGE: u8 = 100;
/// Largest export, in bytes of text.
const MAX_BYTES: usize = 32 * 1024 * 1024;

#[derive(Serialize)]
struct Exported<'a> {
    conversation: &'a Conversation,
    messages: &'a [Message],
}

impl Session {
    pub(super) async fn export(
        &self,
        id: ConversationId,
        format: ExportFormat,
    ) -> Result<Export, Error> {
        let mut tx = self.snapshot().await?;
        let conversation = get(&mut tx, id).await?.conversation;
        let mut messages: Vec<Message> = Vec::new();
        let mut page = Page::first(PAGE);
        let mut bytes = 0;
        loop {
            let read = tx
                .list_messages(id, conversation.head_run_id, &page)
                .await
                .or_fault()?;
            messages.extend(read.items.into_iter().map(|it| it.message));
            bytes += messages
                .iter()
                .rev()
                .take(usize::from(PAGE))
                .map(|message| message.text.len())
                .sum::<usize>();
            if bytes > MAX_BYTES {
                return Err(Error::conflict(
                    "this conversation is too long for one file; read it page by page by the API",
                ));
            }
            match read.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        messages.reverse();
        fill(&mut tx, id, messages.iter_mut().collect()).await?;
        drop(tx);
        let (extension, content_type, content) = match format {
            ExportFormat::Markdown => (
                "md",
                "text/markdown; charset=utf-8",
                markdown(&conversation, &messages),
            ),
            ExportFormat::Json => ("json", "application/json", json(&conversation, &messages)),
        };
        Ok(Export {
            file_name: format!("{}.{extension}", file_stem(&conversation.title)),
            content_type,
            content,
        })
    }
}

fn json(conversation: &Conversation, messages: &[Message]) -> String {
    let exported = Exported {
        conversation,
        messages,
    };
    serde_json::to_string_pretty(&exported).expect("plain data")
}

fn markdown(conversation: &Conversation, messages: &[Message]) -> String {
    let title = match conversation.title.as_str() {
        "" => "Conversation",
        title => title,
    };
    let mut text = format!("# {title}\n");
    for message in messages.iter().filter(|message| !message.text.is_empty()) {
        let name = match message.role {
            MessageRole::User => "You",
            MessageRole::Assistant => conversation.agent_name.as_str(),
        };
        let time = message.created_at;
        text.push_str(&format!(
            "\n## {name}\n\n<!-- {time} -->\n\n{}\n",
            message.text.trim_end()
        ));
    }
    text
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
