//! Runs, as lists and pages show them, and stopping them.

use async_trait::async_trait;
use domain::audit::Deed;
use domain::events::{EventBody, FinishReason, RunEnd};
use domain::runs::{Run, RunSummary, Runs, Usage};
use domain::{Action, Error, MessageId, Page, Paged, RunId};
use store::events::NewEvent;

use crate::conversations::{answer_created, new_event};
use crate::fault::OrFault;
use crate::{Session, mint, watch};

#[async_trait]
impl Runs for Session {
    async fn list_runs(&self, page: Page) -> Result<Paged<RunSummary>, Error> {
        let mut tx = self.begin_reading(Action::Read).await?;
        tx.list_runs(&page).await.or_fault()
    }

    async fn get_run(&self, id: RunId) -> Result<Run, Error> {
        let mut tx = self.begin(Action::Read).await?;
        tx.find_run(id).await.or_fault()?.ok_or(Error::NotFound)
    }

    async fn cancel_run(&self, id: RunId) -> Result<(), Error> {
        let mut tx = self.change(Action::Converse, Deed::RunCancel).await?;
        let run = tx.find_run(id).await.or_fault()?.ok_or(Error::NotFound)?;
        let title = &run.summary.conversation_title;
        let now = mint::now();
        if let Some(untouched) = tx.cancel_untouched(id, now).await.or_fault()? {
            let events = ending_of(untouched.answer_id);
            let logged = tx.log_untouched(id, untouched, &events, now);
            let logged = logged.await.or_fault()?;
            tx.commit(id.uuid(), title).await?;
            metrics::counter!("agentarea_runs_total", "status" => "cancelled").increment(1);
            let publisher = self.services.bus.publisher(untouched.conversation_id);
            watch::publish(&publisher, &logged);
            // It may have stood before another.
            self.services.worker.wake_all();
            return Ok(());
        }
        if !tx.request_cancellation(id).await.or_fault()? {
            return Err(Error::conflict(format!(
                "this run has ended already: {}",
                run.summary.status
            )));
        }
        tx.commit(id.uuid(), title).await?;
        self.services.worker.cancel(id);
        Ok(())
    }
}

/// The events of a run that was stopped before it began.
fn ending_of(answer_id: MessageId) -> [NewEvent; 3] {
    let usage = Usage::default();
    [
        answer_created(answer_id),
        new_event(EventBody::MessageCompleted {
            message_id: answer_id,
            text: String::new(),
            finish_reason: FinishReason::Cancelled,
            usage,
        }),
        new_event(EventBody::RunCancelled(RunEnd { usage, error: None })),
    ]
}
