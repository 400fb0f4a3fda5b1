//! Set-up and sign-in, and the same for the command line.

use async_trait::async_trait;
use domain::accounts::{
    MachineCheck, SetUp, SignIn, SignedIn, User, Workspace, check_email, check_password,
};
use domain::api_keys::{CreateApiKey, CreatedApiKey};
use domain::models::{ConnectionKind, ModelConnection};
use domain::{Actor, Entrance, Error, FieldErrors, Role, Secret, WorkspaceId};
use store::accounts::AccountsTx;
use store::models::StoredConnection;
use store::sessions::NewSession;

use crate::fault::OrFault;
use crate::{Services, mint};

#[async_trait]
impl Entrance for Services {
    async fn is_set_up(&self) -> Result<bool, Error> {
        let mut db = self.store.system().await.or_fault()?;
        store::accounts::any_user_exists(&mut db).await.or_fault()
    }

    async fn check_machine(&self) -> Result<Vec<MachineCheck>, Error> {
        let has_model = self.models.has_local_model();
        let check = |title: &str, detail: &str, is_ok| MachineCheck {
            title: title.to_owned(),
            detail: detail.to_owned(),
            is_ok,
        };
        let model_detail = if has_model {
            "SmolLM2-135M-Instruct, built in, no key needed"
        } else {
            "The built-in model's file is missing. Run scripts/fetch-model.sh, or connect another model."
        };
        Ok(vec![
            check("Database", &self.config.database_label, true),
            check("First model", model_detail, has_model),
            check("Secrets", &self.config.key_label, true),
        ])
    }

    async fn set_up(&self, input: SetUp) -> Result<SignedIn, Error> {
        if self.is_set_up().await? {
            return Err(Error::NotFound);
        }
        input.validate()?;
        let password_hash = self.passwords.hash(&input.password).await?;
        let mut tx = self.store.begin_accounts().await.or_fault()?;
        if store::accounts::any_user_exists(tx.connection())
            .await
            .or_fault()?
        {
            return Err(Error::NotFound);
        }
        let user = new_user(&input.email);
        tx.create_user(&user, &password_hash).await.or_fault()?;
        let workspace = self.make_workspace(&mut tx, &input.workspace).await?;
        tx.add_member(workspace.id, user.id, Role::Owner, mint::now())
            .await
            .or_fault()?;
        tx.commit().await.or_fault()?;
        self.add_local_model(workspace.id).await?;
        self.open_session(user, workspace).await
    }

    async fn sign_in(&self, input: SignIn) -> Result<SignedIn, Error> {
        let mut db = self.store.system().await.or_fault()?;
        let found = store::accounts::find_credentials(&mut db, input.email.trim())
            .await
            .or_fault()?;
        drop(db);
        let hash = found.as_ref().map(|found| found.password_hash.clone());
        let matches = self.passwords.verify(&input.password, hash).await?;
        let user = found
            .filter(|_| matches)
            .map(|found| found.user)
            .ok_or(Error::Unauthenticated)?;
        let mut db = self.store.system().await.or_fault()?;
        let memberships = store::accounts::list_memberships(&mut db, user.id)
            .await
            .or_fault()?;
        drop(db);
        let workspace = memberships
            .into_iter()
            .next()
            .map(|membership| membership.workspace)
            .ok_or(Error::Forbidden)?;
        self.open_session(user, workspace).await
    }
}

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
        check_password(&mut errors, password);
        errors.line("workspace", workspace, 80);
        errors.finish()?;
        let password_hash = self.passwords.hash(password).await?;
        let mut tx = self.store.begin_accounts().await.or_fault()?;
        let user = new_user(email);
        match tx.create_user(&user, &password_hash).await {
            Err(store::Error::Constraint(name)) if name == "users_email_key" => {
                return Err(Error::conflict(format!(
                    "a user {} exists already",
                    user.email
                )));
            }
            created => created.or_fault()?,
        }
        let existing = store::accounts::find_workspace(tx.connection(), workspace.trim())
            .await
            .or_fault()?;
        let is_new = existing.is_none();
        let (workspace, role) = match existing {
            Some(existing) => (existing, Role::Member),
            None => (self.make_workspace(&mut tx, workspace).await?, Role::Owner),
        };
        tx.add_member(workspace.id, user.id, role, mint::now())
            .await
            .or_fault()?;
        tx.commit().await.or_fault()?;
        if is_new {
            self.add_local_model(workspace.id).await?;
        }
        Ok((user, workspace))
    }

    /// Makes an API key for a user of a workspace.
    ///
    /// # Errors
    /// `Invalid` naming what does not exist.
    pub async fn create_api_key_for(
        &self,
        email: &str,
        workspace: &str,
        name: &str,
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
        };
        let input = CreateApiKey {
            name: name.to_owned(),
            expires_at: None,
        };
        crate::api_keys::create(self, &actor, input).await
    }

    async fn make_workspace(&self, tx: &mut AccountsTx, name: &str) -> Result<Workspace, Error> {
        let workspace = Workspace {
            id: mint::id(),
            name: name.trim().to_owned(),
            created_at: mint::now(),
        };
        tx.create_workspace(&workspace).await.or_fault()?;
        Ok(workspace)
    }

    async fn add_local_model(&self, workspace_id: WorkspaceId) -> Result<(), Error> {
        let now = mint::now();
        let stored = StoredConnection {
            connection: ModelConnection {
                id: mint::id(),
                name: "Built-in".to_owned(),
                kind: ConnectionKind::Local,
                base_url: None,
                has_api_key: false,
                created_at: now,
                updated_at: now,
            },
            secret_id: None,
        };
        let mut tx = self.store.begin(workspace_id).await.or_fault()?;
        tx.create_model_connection(&stored).await.or_fault()?;
        tx.commit().await.or_fault()
    }

    async fn open_session(&self, user: User, workspace: Workspace) -> Result<SignedIn, Error> {
        let token = mint::token();
        let session = NewSession {
            id: mint::id(),
            token_hash: &mint::hash(&token),
            user_id: user.id,
            workspace_id: workspace.id,
            now: mint::now(),
        };
        let mut db = self.store.system().await.or_fault()?;
        store::sessions::create(&mut db, session).await.or_fault()?;
        Ok(SignedIn {
            user,
            workspace,
            token: Secret::new(token),
        })
    }
}

fn new_user(email: &str) -> User {
    User {
        id: mint::id(),
        email: email.trim().to_lowercase(),
        created_at: mint::now(),
    }
}
