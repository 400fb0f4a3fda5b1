//! Runs, as lists and pages show them, and stopping them.

use async_trait::async_trait;
use domain::audit::Deed;
use domain::runs::{Run, RunSummary, Runs};
use domain::{Action, Error, Page, Paged, RunId};

use crate::Session;
use crate::fault::OrFault;

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
        if !tx.request_cancellation(id).await.or_fault()? {
            return Err(Error::conflict(format!(
                "this run has ended already: {}",
                run.summary.status
            )));
        }
        tx.commit(id.uuid(), &run.summary.conversation_title)
            .await?;
        self.services.worker.cancel(id);
        Ok(())
    }
}
