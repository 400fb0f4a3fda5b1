//! Reading the audit log; `change` writes it.

use async_trait::async_trait;
use domain::audit::{Audit, AuditEvent, AuditFilter};
use domain::{Action, Error, Page, Paged};

use crate::Session;
use crate::fault::OrFault;

#[async_trait]
impl Audit for Session {
    async fn list_audit_events(
        &self,
        filter: AuditFilter,
        page: Page,
    ) -> Result<Paged<AuditEvent>, Error> {
        let mut tx = self.begin_reading(Action::ReadAudit).await?;
        tx.list_audit_events(filter, &page).await.or_fault()
    }
}
