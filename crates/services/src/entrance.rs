//! Set-up, sign-in and invitations: what people do before they are signed in.

use std::net::IpAddr;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::accounts::{MachineCheck, SetUp, SignIn, SignedIn, User, Workspace};
use domain::audit::{Deed, Via};
use domain::invitations::{AcceptInvitation, Offer};
use domain::models::{ConnectionKind, ModelConnection};
use domain::{Entrance, Error, Secret, UserId, expose};
use store::audit::Author;
use store::invitations::OpenInvitation;
use store::models::StoredConnection;
use store::sessions::NewSession;
use store::vault::Sealed;

use crate::accounts::FOUNDER;
use crate::change::{Change, SystemChange, author};
use crate::fault::OrFault;
use crate::throttle::Subjects;
use crate::{Services, mint};

/// Longest part of a browser's name that is kept, in characters.
const USER_AGENT_CHARS: usize = 200;
/// What a device token is sealed for.
const DEVICE: &str = "device";

/// A browser that is not signed in yet, or a program.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its network address.
    pub address: IpAddr,
    /// What it says it is.
    pub user_agent: String,
    /// The token that an earlier sign-in left with it.
    pub device: Option<String>,
}

/// The entrance for one client.
#[derive(Clone)]
pub struct ClientEntrance {
    services: Services,
    client: Client,
}

#[async_trait]
impl Entrance for ClientEntrance {
    async fn is_set_up(&self) -> Result<bool, Error> {
        self.services.is_set_up().await
    }

    async fn check_machine(&self) -> Result<Vec<MachineCheck>, Error> {
        let services = &self.services;
        let has_model = services.models.has_local_model();
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
            check("Database", &services.config.database_label, true),
            check("First model", model_detail, has_model),
            check("Secrets", &services.config.key_label, true),
        ])
    }

    async fn set_up(&self, input: SetUp) -> Result<SignedIn, Error> {
        let services = &self.services;
        if services.is_set_up().await? {
            return Err(Error::NotFound);
        }
        input.validate()?;
        let password_hash = services.passwords.hash(&input.password).await?;
        let user = new_user(&input.email);
        let workspace = new_workspace(&input.workspace);
        let author = author(user.id, Via::Session);
        let mut change = services
            .change_system(workspace.id, author, Deed::SessionCreate)
            .await?;
        change.lock_accounts().await.or_fault()?;
        if store::accounts::any_user_exists(change.connection())
            .await
            .or_fault()?
        {
            return Err(Error::NotFound);
        }
        change.create_user(&user, &password_hash).await.or_fault()?;
        change.create_workspace(&workspace).await.or_fault()?;
        let (session, token) = self.create_session(&mut change, &user, &workspace).await?;
        let mut change = change.into_tenant().await?;
        services.furnish(&mut change, &workspace, user.id).await?;
        change.commit(session, "").await?;
        Ok(services.signed_in(user, workspace, token))
    }

    async fn sign_in(&self, input: SignIn) -> Result<SignedIn, Error> {
        let user = self.prove(&input.email, &input.password).await?;
        let user = user.ok_or(Error::Unauthenticated)?;
        let mut db = self.services.store.system().await.or_fault()?;
        let memberships = store::accounts::list_memberships(&mut db, user.id)
            .await
            .or_fault()?;
        drop(db);
        let workspace = memberships.into_iter().next();
        let workspace = workspace.ok_or(Error::Forbidden)?.workspace;
        let author = author(user.id, Via::Session);
        let mut change = self
            .services
            .change_system(workspace.id, author, Deed::SessionCreate)
            .await?;
        let (session, token) = self.create_session(&mut change, &user, &workspace).await?;
        change.commit(session, "").await?;
        Ok(self.services.signed_in(user, workspace, token))
    }

    async fn find_offer(&self, token: &Secret) -> Result<Offer, Error> {
        Ok(self.find_invitation(token).await?.offer)
    }

    async fn accept_invitation(&self, input: AcceptInvitation) -> Result<SignedIn, Error> {
        let services = &self.services;
        let OpenInvitation {
            id,
            workspace_id,
            offer,
        } = self.find_invitation(&input.token).await?;
        let (user, new_password) = match offer.has_account {
            true => {
                let user = self.prove(&offer.email, &input.password).await?;
                let wrong = || Error::invalid("password", "is not the password of this account");
                (user.ok_or_else(wrong)?, None)
            }
            false => {
                input.validate()?;
                let hash = services.passwords.hash(&input.password).await?;
                (new_user(&offer.email), Some(hash))
            }
        };
        let author = author(user.id, Via::Session);
        let mut change = services
            .change_system(workspace_id, author, Deed::MemberCreate)
            .await?;
        if let Some(hash) = new_password {
            match change.create_user(&user, &hash).await {
                // Somebody made the account a moment ago: its password is asked for next time.
                Err(store::Error::Constraint(_)) => {
                    return Err(Error::conflict(
                        "this address has an account by now; open the link again",
                    ));
                }
                created => created.or_fault()?,
            }
        }
        let workspace = Workspace {
            id: workspace_id,
            name: offer.workspace,
            created_at: mint::now(),
        };
        let (session, token) = self.create_session(&mut change, &user, &workspace).await?;
        let mut change = change.into_tenant().await?;
        // Only one of two acceptances finds it still there.
        if change.delete_invitation(id).await.or_fault()?.is_none() {
            return Err(Error::NotFound);
        }
        change
            .create_member(user.id, offer.role, mint::now())
            .await
            .or_fault()?;
        change.announce_access(user.id).await?;
        change.also(Deed::SessionCreate, session, "").await?;
        let workspace = change.find_own_workspace().await.or_fault()?;
        let workspace = workspace.ok_or(Error::NotFound)?;
        let what = format!("{}: {}", user.email, offer.role);
        change.commit(user.id.uuid(), &what).await?;
        Ok(services.signed_in(user, workspace, token))
    }
}

impl ClientEntrance {
    /// The person with this address and password; `None` if either is wrong, after equally long.
    async fn prove(&self, email: &str, password: &Secret) -> Result<Option<User>, Error> {
        let services = &self.services;
        let known = self.known_device();
        let stranger = Subjects::stranger(email, self.client.address);
        if known.is_none() {
            services.throttle.recall(&stranger)?;
        }
        let mut db = services.store.system().await.or_fault()?;
        let found = store::accounts::find_credentials(&mut db, email.trim())
            .await
            .or_fault()?;
        drop(db);
        let subjects = match (&found, known) {
            (Some(found), Some((user_id, token))) if found.user.id == user_id => {
                Subjects::known(token)
            }
            _ => stranger,
        };
        let attempt = async {
            let hash = found.as_ref().map(|found| found.password_hash.clone());
            let matches = services.passwords.verify(password, hash).await?;
            Ok(found.filter(|_| matches).map(|found| found.user))
        };
        services.throttle.attempt(subjects, attempt).await
    }

    /// The person who signed in from this browser before, with the proof.
    fn known_device(&self) -> Option<(UserId, &str)> {
        let token = self.client.device.as_deref()?;
        Some((self.services.open_device(token)?, token))
    }

    async fn find_invitation(&self, token: &Secret) -> Result<OpenInvitation, Error> {
        let mut db = self.services.store.system().await.or_fault()?;
        store::invitations::find(&mut db, &mint::hash(expose(token)), mint::now())
            .await
            .or_fault()?
            .ok_or(Error::NotFound)
    }

    async fn create_session(
        &self,
        change: &mut SystemChange,
        user: &User,
        workspace: &Workspace,
    ) -> Result<(uuid::Uuid, String), Error> {
        let token = mint::token();
        let id: uuid::Uuid = mint::id();
        let user_agent: String = self
            .client
            .user_agent
            .chars()
            .take(USER_AGENT_CHARS)
            .collect();
        let session = NewSession {
            id: id.into(),
            token_hash: &mint::hash(&token),
            user_id: user.id,
            workspace_id: workspace.id,
            address: &self.client.address.to_canonical().to_string(),
            user_agent: &user_agent,
            now: mint::now(),
        };
        store::sessions::create(change.connection(), session)
            .await
            .or_fault()?;
        Ok((id, token))
    }
}

impl Services {
    /// The entrance as one client sees it.
    pub fn entrance(&self, client: Client) -> ClientEntrance {
        ClientEntrance {
            services: self.clone(),
            client,
        }
    }

    /// Whether the first user exists.
    pub(crate) async fn is_set_up(&self) -> Result<bool, Error> {
        let mut db = self.store.system().await.or_fault()?;
        store::accounts::any_user_exists(&mut db).await.or_fault()
    }

    /// Makes a workspace with its founder and the built-in model.
    pub(crate) async fn make_workspace(
        &self,
        name: &str,
        founder: UserId,
        author: Author,
    ) -> Result<Workspace, Error> {
        let workspace = new_workspace(name);
        let mut change = self
            .change_system(workspace.id, author, Deed::MemberCreate)
            .await?;
        change.create_workspace(&workspace).await.or_fault()?;
        let mut change = change.into_tenant().await?;
        self.furnish(&mut change, &workspace, founder).await?;
        change.commit(founder.uuid(), FOUNDER.as_str()).await?;
        Ok(workspace)
    }

    /// Puts into a new workspace what it needs: its founder, and the built-in model.
    pub(crate) async fn furnish(
        &self,
        change: &mut Change,
        workspace: &Workspace,
        founder: UserId,
    ) -> Result<(), Error> {
        let now = mint::now();
        change
            .create_member(founder, FOUNDER, now)
            .await
            .or_fault()?;
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
        change.create_model_connection(&stored).await.or_fault()?;
        change
            .also(Deed::WorkspaceCreate, workspace.id.uuid(), &workspace.name)
            .await
    }

    /// What a browser gets that has just signed in.
    pub(crate) fn signed_in(&self, user: User, workspace: Workspace, token: String) -> SignedIn {
        SignedIn {
            device: Secret::new(self.seal_device(user.id)),
            user,
            workspace,
            token: Secret::new(token),
        }
    }

    fn seal_device(&self, user_id: UserId) -> String {
        let key = self.vault.sealing_key();
        let sealed = self.vault.seal(&key, DEVICE, user_id.uuid().as_bytes());
        let key = URL_SAFE_NO_PAD.encode(sealed.wrapped_key);
        let value = URL_SAFE_NO_PAD.encode(sealed.ciphertext);
        format!("{key}.{value}")
    }

    fn open_device(&self, token: &str) -> Option<UserId> {
        let (key, value) = token.split_once('.')?;
        let sealed = Sealed {
            wrapped_key: URL_SAFE_NO_PAD.decode(key).ok()?,
            ciphertext: URL_SAFE_NO_PAD.decode(value).ok()?,
            master_key: None,
        };
        let bytes = self.vault.open(DEVICE, &sealed).ok()?;
        uuid::Uuid::from_slice(&bytes).ok().map(Into::into)
    }
}

pub(crate) fn new_user(email: &str) -> User {
    User {
        id: mint::id(),
        email: email.trim().to_lowercase(),
        name: String::new(),
        created_at: mint::now(),
    }
}

pub(crate) fn new_workspace(name: &str) -> Workspace {
    Workspace {
        id: mint::id(),
        name: name.trim().to_owned(),
        created_at: mint::now(),
    }
}
