//! The conversation as its page shows it.

use domain::conversations::{
    Message, MessageRole, THREAD_MESSAGES, Thread, ThreadMessage, Variants,
};
use domain::{ConversationId, Cursor, Error, Page, RunId};
use store::branches::Knot;
use store::messages::BranchMessage;

use crate::Session;
use crate::conversations::{fill, get};
use crate::fault::OrFault;
use crate::markdown::unfinished;

impl Session {
    pub(super) async fn read_thread(
        &self,
        id: ConversationId,
        before: Option<Cursor>,
    ) -> Result<Thread, Error> {
        let mut tx = self.snapshot().await?;
        let state = get(&mut tx, id).await?;
        let page = Page {
            limit: THREAD_MESSAGES,
            after: before,
        };
        let head = state.conversation.head_run_id;
        let mut page = tx.list_messages(id, head, &page).await.or_fault()?;
        page.items.reverse();
        let mut messages = page.items;
        let to_fill = messages.iter_mut().map(|it| &mut it.message).collect();
        fill(&mut tx, (id, state.has_switched), to_fill).await?;
        let mut parents: Vec<Option<RunId>> = messages.iter().map(|it| it.parent_id).collect();
        parents.dedup();
        let siblings = match parents.is_empty() {
            true => Vec::new(),
            false => tx.list_siblings(id, &parents).await.or_fault()?,
        };
        drop(tx);
        Ok(Thread {
            conversation: state.conversation,
            is_archived: state.is_archived,
            messages: self.shown(messages, &siblings).await,
            older: page.next,
            active_run: state.active_run.map(|(id, _)| id),
            active_status: state.active_run.map(|(_, status)| status),
            last_seq: state.last_seq,
        })
    }

    /// Messages with the HTML of answers and the ways to others in their places.
    async fn shown(&self, messages: Vec<BranchMessage>, siblings: &[Knot]) -> Vec<ThreadMessage> {
        let is_finished = |message: &Message| message.finish_reason.is_some();
        let texts = messages
            .iter()
            .filter(|it| is_finished(&it.message))
            .map(|it| it.message.text.as_str())
            .collect();
        let rendered = self.services.markdown.render_all(texts).await;
        let mut rendered = rendered.into_iter();
        let mut last_run = None;
        let mut shown = Vec::with_capacity(messages.len());
        for BranchMessage { message, parent_id } in messages {
            let html = match message.role {
                _ if is_finished(&message) => rendered.next().unwrap_or_default().to_string(),
                MessageRole::Assistant => unfinished(&message.text),
                MessageRole::User => String::new(),
            };
            let variants = match message.role {
                MessageRole::User => questions(siblings, message.run_id, parent_id),
                // A run may answer in several messages; the first one leads to other answers.
                MessageRole::Assistant if last_run != Some(message.run_id) => {
                    answers(siblings, message.run_id)
                }
                MessageRole::Assistant => None,
            };
            if message.role == MessageRole::Assistant {
                last_run = Some(message.run_id);
            }
            shown.push(ThreadMessage {
                message,
                html,
                variants,
            });
        }
        shown
    }
}

/// Other answers to the message that a run answers.
fn answers(siblings: &[Knot], run_id: RunId) -> Option<Variants> {
    let own = siblings.iter().find(|knot| knot.id == run_id)?;
    let runs: Vec<RunId> = siblings
        .iter()
        .filter(|knot| knot.parent_id == own.parent_id && knot.message_id == own.message_id)
        .map(|knot| knot.id)
        .collect();
    variants(&runs, run_id)
}

/// Other messages of people in the place of the one that a run answers; each by its newest run.
fn questions(siblings: &[Knot], run_id: RunId, parent_id: Option<RunId>) -> Option<Variants> {
    let own = siblings.iter().find(|knot| knot.id == run_id)?;
    let mut messages: Vec<&Knot> = Vec::new();
    for knot in siblings.iter().filter(|knot| knot.parent_id == parent_id) {
        match messages
            .iter_mut()
            .find(|known| known.message_id == knot.message_id)
        {
            Some(known) => *known = knot,
            None => messages.push(knot),
        }
    }
    let index = messages
        .iter()
        .position(|knot| knot.message_id == own.message_id)?;
    let runs: Vec<RunId> = messages.iter().map(|knot| knot.id).collect();
    variants(&runs, runs[index])
}

fn variants(runs: &[RunId], shown: RunId) -> Option<Variants> {
    let index = runs.iter().position(|run| *run == shown)?;
    (runs.len() > 1).then(|| Variants {
        number: index as u32 + 1,
        count: runs.len() as u32,
        previous: index.checked_sub(1).map(|index| runs[index]),
        next: runs.get(index + 1).copied(),
    })
}
