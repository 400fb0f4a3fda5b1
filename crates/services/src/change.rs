//! Mutations: authorized first, and audited in their own transaction.

use std::ops::{Deref, DerefMut};

use domain::audit::{Deed, DeedResult, Via};
use domain::{Action, Error, UserId, WorkspaceId};
use store::TenantTx;
use store::accounts::SystemTx;
use store::audit::{Author, NewAuditEvent};
use uuid::Uuid;

use crate::fault::{OrFault, REQUEST_ID};
use crate::{Credential, Services, Session, mint};

/// A transaction that changes a workspace. It ends with a line in the audit log, or not at all.
pub(crate) struct Change {
    tx: TenantTx,
    author: Author,
    deed: Deed,
    access: ChangedAccess,
}

/// The same for people and sessions, which belong to no workspace; the line goes to the one that
/// the actor is in.
pub(crate) struct SystemChange {
    tx: SystemTx,
    workspace_id: WorkspaceId,
    author: Author,
    deed: Deed,
    access: ChangedAccess,
}

/// Whose access is changed; this process heeds it as soon as that is committed.
struct ChangedAccess {
    services: Services,
    people: Vec<UserId>,
}

impl Session {
    /// Authorizes, then begins a change. A refusal is audited.
    pub(crate) async fn change(&self, action: Action, deed: Deed) -> Result<Change, Error> {
        self.allow(action, deed).await?;
        let store = &self.services.store;
        Ok(Change {
            tx: store.begin(self.actor.workspace_id).await.or_fault()?,
            author: self.author(),
            deed,
            access: ChangedAccess::none(&self.services),
        })
    }

    /// Authorizes, then begins a change of people or sessions. A refusal is audited.
    pub(crate) async fn change_system(
        &self,
        action: Action,
        deed: Deed,
    ) -> Result<SystemChange, Error> {
        self.allow(action, deed).await?;
        let services = &self.services;
        services
            .change_system(self.actor.workspace_id, self.author(), deed)
            .await
    }

    /// Passes if the actor may; otherwise audits the refusal.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) async fn allow(&self, action: Action, deed: Deed) -> Result<(), Error> {
        match self.actor.can(action) {
            true => Ok(()),
            false => self.refuse(deed).await,
        }
    }

    /// Audits a refusal.
    ///
    /// # Errors
    /// `Forbidden`, always.
    pub(crate) async fn refuse<T>(&self, deed: Deed) -> Result<T, Error> {
        let store = &self.services.store;
        let mut tx = store.begin(self.actor.workspace_id).await.or_fault()?;
        let author = self.author();
        write(&mut tx, &author, deed, (None, ""), DeedResult::Refused).await?;
        tx.commit().await.or_fault()?;
        Err(Error::Forbidden)
    }

    /// Who acts, for the audit log.
    pub(crate) fn author(&self) -> Author {
        let via = match self.credential {
            Credential::Session(_) => Via::Session,
            Credential::ApiKey { .. } => Via::ApiKey,
        };
        author(self.actor.user_id, via)
    }
}

impl Services {
    /// Begins a change of people or sessions by somebody who is not signed in yet.
    pub(crate) async fn change_system(
        &self,
        workspace_id: WorkspaceId,
        author: Author,
        deed: Deed,
    ) -> Result<SystemChange, Error> {
        Ok(SystemChange {
            tx: self.store.begin_system().await.or_fault()?,
            workspace_id,
            author,
            deed,
            access: ChangedAccess::none(self),
        })
    }
}

/// Who acts in this request.
pub(crate) fn author(user_id: UserId, via: Via) -> Author {
    Author {
        user_id,
        via,
        request_id: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
    }
}

impl ChangedAccess {
    fn none(services: &Services) -> Self {
        Self {
            services: services.clone(),
            people: Vec::new(),
        }
    }

    async fn heed(self) {
        for user_id in self.people {
            self.services.access_changed(user_id).await;
        }
    }
}

impl Change {
    /// Has every process, this one first, look up anew what a person may do.
    pub(crate) async fn announce_access(&mut self, user_id: UserId) -> Result<(), Error> {
        self.access.people.push(user_id);
        self.tx.announce_access(user_id).await.or_fault()
    }

    /// Audits another deed of the same transaction.
    pub(crate) async fn also(
        &mut self,
        deed: Deed,
        id: impl Into<Option<Uuid>>,
        name: &str,
    ) -> Result<(), Error> {
        let object = (id.into(), name);
        write(&mut self.tx, &self.author, deed, object, DeedResult::Done).await
    }

    /// Audits what was done to the object, and makes it last.
    pub(crate) async fn commit(
        mut self,
        id: impl Into<Option<Uuid>>,
        name: &str,
    ) -> Result<(), Error> {
        self.also(self.deed, id, name).await?;
        self.tx.commit().await.or_fault()?;
        self.access.heed().await;
        Ok(())
    }
}

impl SystemChange {
    /// Has every process, this one first, look up anew what a person may do.
    pub(crate) async fn announce_access(&mut self, user_id: UserId) -> Result<(), Error> {
        self.access.people.push(user_id);
        store::access::announce(self.tx.connection(), user_id)
            .await
            .or_fault()
    }

    /// Goes on inside the workspace, in the same transaction.
    pub(crate) async fn into_tenant(self) -> Result<Change, Error> {
        Ok(Change {
            tx: self.tx.into_tenant(self.workspace_id).await.or_fault()?,
            author: self.author,
            deed: self.deed,
            access: self.access,
        })
    }

    /// Audits what was done to the object, and makes it last.
    pub(crate) async fn commit(self, id: impl Into<Option<Uuid>>, name: &str) -> Result<(), Error> {
        self.into_tenant().await?.commit(id, name).await
    }
}

async fn write(
    tx: &mut TenantTx,
    author: &Author,
    action: Deed,
    (object_id, object_name): (Option<Uuid>, &str),
    result: DeedResult,
) -> Result<(), Error> {
    let event = NewAuditEvent {
        id: mint::id(),
        time: mint::now(),
        author,
        action,
        object_id,
        object_name,
        result,
    };
    tx.create_audit_event(event).await.or_fault()
}

impl Deref for Change {
    type Target = TenantTx;

    fn deref(&self) -> &TenantTx {
        &self.tx
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut TenantTx {
        &mut self.tx
    }
}

impl Deref for SystemChange {
    type Target = SystemTx;

    fn deref(&self) -> &SystemTx {
        &self.tx
    }
}

impl DerefMut for SystemChange {
    fn deref_mut(&mut self) -> &mut SystemTx {
        &mut self.tx
    }
}
