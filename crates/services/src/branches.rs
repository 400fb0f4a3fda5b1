//! Where in the tree of a conversation messages go, and which branch is shown.

use domain::conversations::MessageRole;
use domain::{ConversationId, Error, RunId};
use store::TenantTx;
use store::questions::Question;

use crate::fault::OrFault;
use crate::posting::Ask;

/// The message beside which a branch shall begin; `None` if none shall.
pub(crate) async fn find_question(
    tx: &mut TenantTx,
    id: ConversationId,
    ask: Ask<'_>,
    has_active_run: bool,
) -> Result<Option<Question>, Error> {
    let message_id = match ask {
        Ask::Next(_) | Ask::Behind(..) => return Ok(None),
        Ask::Instead(message_id, _) | Ask::Again(message_id) => message_id,
    };
    let question = tx.find_question(id, message_id).await.or_fault()?;
    let question = match (ask, question) {
        (Ask::Instead(..), None) => {
            let text = "there is no such message in this conversation";
            return Err(Error::invalid("replaces", text));
        }
        (Ask::Instead(..), Some(question)) if question.found == MessageRole::Assistant => {
            return Err(Error::invalid("replaces", "is no message of a person"));
        }
        (_, question) => question.ok_or(Error::NotFound)?,
    };
    if has_active_run {
        let text = "an answer is being written here; stop it or wait for its end";
        return Err(Error::conflict(text));
    }
    Ok(Some(question))
}

/// The run behind which a new message stands. A branch that has only grown since its author looked is
/// still the same.
pub(crate) async fn find_end(
    tx: &mut TenantTx,
    id: ConversationId,
    ask: Ask<'_>,
    head: Option<RunId>,
) -> Result<Option<RunId>, Error> {
    let Ask::Behind(seen, _) = ask else {
        return Ok(head);
    };
    if head == Some(seen) {
        return Ok(head);
    }
    let behind = tx.list_behind(id, seen).await.or_fault()?;
    let is_shown = head.is_some_and(|head| behind.contains(&head));
    match is_shown {
        true => Ok(head),
        false => newest(&behind).map(Some),
    }
}

/// The newest end of the branch that a run is on.
pub(crate) async fn find_branch(
    tx: &mut TenantTx,
    id: ConversationId,
    run_id: RunId,
) -> Result<RunId, Error> {
    newest(&tx.list_behind(id, run_id).await.or_fault()?)
}

fn newest(runs: &[RunId]) -> Result<RunId, Error> {
    let newest = runs.last().copied();
    newest.ok_or_else(|| Error::invalid("head_run_id", "there is no such run in this conversation"))
}
