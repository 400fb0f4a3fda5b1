//! What the command line does without anybody signed in.

use domain::accounts::{User, Workspace, check_email, check_new_password};
use domain::api_keys::{CreateApiKey, CreatedApiKey};
use domain::audit::{Deed, Via};
use domain::{Action, Actor, Error, FieldErrors, Role, Scopes, Secret};

use crate::Services;
use crate::accounts::FOUNDER;
use crate::change::author;
use crate::entrance::{new_user, new_workspace};
use crate::fault::OrFault;

impl Services {
    /// Makes a user, and the workspace with that user as owner if there is none of that name.
    /// In a workspace that exists the user becomes a member.
    ///
    /// # Errors
    /// `Invalid`; `Conflict` if the address is taken.
    pub async fn create_user(
        &self,
        email: &str,
        password: &Secret,
        workspace: &str,
    ) -> Result<(User, Workspace), Error> {
        let mut errors = FieldErrors::default();
        check_email(&mut errors, email);
        check_new_password(&mut errors, "password", password);
        errors.line("workspace", workspace, 80);
        errors.finish()?;
        let password_hash = self.passwords.hash(password).await?;
        let user = new_user(email);
        let mut db = self.store.system().await.or_fault()?;
        let existing = store::accounts::find_workspace(&mut db, workspace.trim())
            .await
            .or_fault()?;
        drop(db);
        let is_new = existing.is_none();
        let workspace = existing.unwrap_or_else(|| new_workspace(workspace));
        let author = author(user.id, Via::CommandLine);
        let mut change = self
            .change_system(workspace.id, author, Deed::MemberCreate)
            .await?;
        change.lock_accounts().await.or_fault()?;
        match change.create_user(&user, &password_hash).await {
            Err(store::Error::Constraint(name)) if name == "users_email_key" => {
                return Err(Error::conflict(format!(
                    "a user {} exists already",
                    user.email
                )));
            }
            created => created.or_fault()?,
        }
        if is_new {
            change.create_workspace(&workspace).await.or_fault()?;
        }
        let mut change = change.into_tenant().await?;
        let role = match is_new {
            true => {
                self.furnish(&mut change, &workspace, user.id).await?;
                FOUNDER
            }
            false => {
                let now = user.created_at;
                change
                    .create_member(user.id, Role::Member, now)
                    .await
                    .or_fault()?;
                Role::Member
            }
        };
        let what = format!("{}: {role}", user.email);
        change.commit(user.id.uuid(), &what).await?;
        Ok((user, workspace))
    }

    /// Makes an API key for a user of a workspace.
    ///
    /// # Errors
    /// `Invalid` naming what does not exist, or a scope that the user's role lacks.
    pub async fn create_api_key_for(
        &self,
        email: &str,
        workspace: &str,
        name: &str,
        scopes: Option<Vec<Action>>,
    ) -> Result<CreatedApiKey, Error> {
        let mut db = self.store.system().await.or_fault()?;
        let user = store::accounts::find_credentials(&mut db, email.trim())
            .await
            .or_fault()?
            .ok_or_else(|| Error::invalid("email", format!("no user has the address {email}")))?
            .user;
        let membership = store::accounts::list_memberships(&mut db, user.id)
            .await
            .or_fault()?
            .into_iter()
            .find(|membership| membership.workspace.name == workspace.trim())
            .ok_or_else(|| {
                Error::invalid(
                    "workspace",
                    format!("{email} is no member of {workspace:?}"),
                )
            })?;
        drop(db);
        let actor = Actor {
            user_id: user.id,
            workspace_id: membership.workspace.id,
            role: membership.role,
            scopes: Scopes::ALL,
        };
        let input = CreateApiKey {
            name: name.to_owned(),
            scopes,
            expires_at: None,
        };
        let author = author(user.id, Via::CommandLine);
        self.make_api_key(&actor, author, input).await
    }
}
