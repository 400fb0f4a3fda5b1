//! The signed-in person: profile, password, sessions, workspaces.

use async_trait::async_trait;
use domain::accounts::{
    Accounts, BrowserSession, ChangePassword, Me, NameWorkspace, SignedIn, UpdateProfile, User,
    Workspace,
};
use domain::audit::Deed;
use domain::{Action, Error, Page, Paged, Role, SessionId, WorkspaceId};

use crate::authentication::SESSION_LIFETIME;
use crate::fault::OrFault;
use crate::throttle::Subjects;
use crate::{Credential, Session, mint};

#[async_trait]
impl Accounts for Session {
    async fn me(&self) -> Result<Me, Error> {
        let mut db = self.services.store.system().await.or_fault()?;
        let account = store::accounts::find_account(&mut db, self.actor.user_id).await;
        let (user, mut workspaces) = account.or_fault()?.ok_or(Error::Unauthenticated)?;
        // A key knows one workspace only.
        if matches!(self.credential, Credential::ApiKey { .. }) {
            workspaces.retain(|membership| membership.workspace.id == self.actor.workspace_id);
        }
        Ok(Me {
            user,
            workspace_id: self.actor.workspace_id,
            workspaces,
        })
    }

    async fn sign_out(&self) -> Result<(), Error> {
        match self.credential {
            Credential::Session(id) => self.delete_session(id).await,
            Credential::ApiKey { .. } => Ok(()),
        }
    }

    async fn update_profile(&self, input: UpdateProfile) -> Result<User, Error> {
        let mut change = self
            .change_system(Action::ManageOwnAccount, Deed::UserUpdate)
            .await?;
        input.validate()?;
        let user_id = self.actor.user_id;
        store::accounts::rename_user(change.connection(), user_id, input.name.trim())
            .await
            .or_fault()?;
        let user = store::accounts::find_user(change.connection(), user_id)
            .await
            .or_fault()?
            .ok_or(Error::Unauthenticated)?;
        change.commit(user_id.uuid(), "profile").await?;
        Ok(user)
    }

    async fn change_password(&self, input: ChangePassword) -> Result<SignedIn, Error> {
        self.allow(Action::ManageOwnAccount, Deed::UserUpdate)
            .await?;
        let session_id = self.browser()?;
        input.validate()?;
        let user_id = self.actor.user_id;
        let services = &self.services;
        let matches = services
            .throttle
            .attempt(Subjects::known(&session_id.to_string()), async {
                let mut db = services.store.system().await.or_fault()?;
                let hash = store::accounts::find_password(&mut db, user_id).await;
                drop(db);
                let password = &input.current_password;
                let matches = services
                    .passwords
                    .verify(password, hash.or_fault()?)
                    .await?;
                Ok(matches.then_some(()))
            });
        if matches.await?.is_none() {
            let message = "is not your current password";
            return Err(Error::invalid("current_password", message));
        }
        let password_hash = services.passwords.hash(&input.new_password).await?;
        let mut change = self
            .change_system(Action::ManageOwnAccount, Deed::UserUpdate)
            .await?;
        let db = change.connection();
        store::accounts::update_password(db, user_id, &password_hash)
            .await
            .or_fault()?;
        store::sessions::delete_others(db, user_id, Some(session_id))
            .await
            .or_fault()?;
        let token = mint::token();
        store::sessions::renew(db, session_id, &mint::hash(&token), self.actor.workspace_id)
            .await
            .or_fault()?;
        change.announce_access(user_id).await?;
        change.commit(user_id.uuid(), "password").await?;
        self.signed_in(self.actor.workspace_id, token).await
    }

    async fn list_sessions(&self, page: Page) -> Result<Paged<BrowserSession>, Error> {
        self.actor.require(Action::ManageOwnAccount)?;
        let current = self.browser()?;
        let mut db = self.services.store.system().await.or_fault()?;
        let alive_since = (mint::now().date_time() - SESSION_LIFETIME).into();
        let user_id = self.actor.user_id;
        store::sessions::list(&mut db, user_id, Some(current), alive_since, &page)
            .await
            .or_fault()
    }

    async fn delete_session(&self, id: SessionId) -> Result<(), Error> {
        let mut change = self
            .change_system(Action::ManageOwnAccount, Deed::SessionDelete)
            .await?;
        let user_id = self.actor.user_id;
        let db = change.connection();
        if !store::sessions::delete(db, user_id, id).await.or_fault()? {
            return Err(Error::NotFound);
        }
        change.announce_access(user_id).await?;
        change.commit(id.uuid(), "").await
    }

    async fn delete_other_sessions(&self) -> Result<(), Error> {
        let mut change = self
            .change_system(Action::ManageOwnAccount, Deed::SessionDelete)
            .await?;
        let kept = self.browser()?;
        let user_id = self.actor.user_id;
        let db = change.connection();
        store::sessions::delete_others(db, user_id, Some(kept))
            .await
            .or_fault()?;
        change.announce_access(user_id).await?;
        change.commit(None, "all others").await
    }

    async fn switch_workspace(&self, id: WorkspaceId) -> Result<SignedIn, Error> {
        self.actor.require(Action::ManageOwnAccount)?;
        let session_id = self.browser()?;
        let there = self.clone().in_workspace(id).await?;
        let mut change = there
            .change_system(Action::ManageOwnAccount, Deed::SessionUpdate)
            .await?;
        let token = mint::token();
        store::sessions::renew(change.connection(), session_id, &mint::hash(&token), id)
            .await
            .or_fault()?;
        // The old token is no longer good.
        change.announce_access(self.actor.user_id).await?;
        change.commit(session_id.uuid(), "").await?;
        self.signed_in(id, token).await
    }

    async fn create_workspace(&self, input: NameWorkspace) -> Result<Workspace, Error> {
        self.allow(Action::CreateWorkspaces, Deed::WorkspaceCreate)
            .await?;
        input.validate()?;
        let user_id = self.actor.user_id;
        self.services
            .make_workspace(&input.name, user_id, self.author())
            .await
    }

    async fn update_workspace(
        &self,
        id: WorkspaceId,
        input: NameWorkspace,
    ) -> Result<Workspace, Error> {
        if id != self.actor.workspace_id {
            return Err(Error::NotFound);
        }
        let mut change = self
            .change(Action::ManageWorkspace, Deed::WorkspaceUpdate)
            .await?;
        input.validate()?;
        change
            .rename_workspace(input.name.trim())
            .await
            .or_fault()?;
        let workspace = change.find_own_workspace().await.or_fault()?;
        let workspace = workspace.ok_or(Error::NotFound)?;
        change.commit(id.uuid(), &workspace.name).await?;
        Ok(workspace)
    }
}

impl Session {
    /// The browser session behind this one.
    ///
    /// # Errors
    /// `Forbidden` for an API key.
    pub(crate) fn browser(&self) -> Result<SessionId, Error> {
        match self.credential {
            Credential::Session(id) => Ok(id),
            Credential::ApiKey { .. } => Err(Error::Forbidden),
        }
    }

    async fn signed_in(&self, id: WorkspaceId, token: String) -> Result<SignedIn, Error> {
        let me = self.me().await?;
        let workspace = me
            .workspaces
            .into_iter()
            .find(|membership| membership.workspace.id == id)
            .ok_or(Error::NotFound)?
            .workspace;
        Ok(self.services.signed_in(me.user, workspace, token))
    }
}

/// What the person who makes a workspace becomes there.
pub(crate) const FOUNDER: Role = Role::Owner;
