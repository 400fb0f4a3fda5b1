//! People, workspaces and signing in.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Error, FieldErrors, Page, Paged, Role, Secret, SessionId, Timestamp, UserId, WorkspaceId,
    expose,
};

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// The id.
    pub id: UserId,
    /// Address used to sign in, lower case.
    pub email: String,
    /// What others see, at most 80 characters; may be empty.
    pub name: String,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// A team or project; everything else belongs to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Workspace {
    /// The id.
    pub id: WorkspaceId,
    /// Shown name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A workspace as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Membership {
    /// The workspace.
    pub workspace: Workspace,
    /// The member's role there.
    pub role: Role,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The person.
    pub user: User,
    /// The workspace this session looks at.
    pub workspace_id: WorkspaceId,
    /// Every workspace the person belongs to, oldest first.
    pub workspaces: Vec<Membership>,
}

/// First visit: makes the owner and the first workspace.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// Address to sign in with.
    pub email: String,
    /// 12 to 128 characters.
    pub password: Secret,
    /// Name of the workspace, at most 80 characters.
    pub workspace: String,
}

/// Address and password.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Address of the account.
    pub email: String,
    /// Its password.
    pub password: Secret,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BrowserSession {
    /// The id.
    pub id: SessionId,
    /// Network address that signed in.
    pub address: String,
    /// What the browser says it is, at most 200 characters.
    pub user_agent: String,
    /// When it signed in.
    pub created_at: Timestamp,
    /// Last use, at most a minute old. An hour after it the session ends.
    pub seen_at: Timestamp,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// Change of one's own profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateProfile {
    /// What others see, at most 80 characters; may be empty.
    pub name: String,
}

/// Change of one's own password.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until now.
    pub current_password: Secret,
    /// 12 to 128 characters.
    pub new_password: Secret,
}

/// Name of a workspace to make or rename.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NameWorkspace {
    /// At most 80 characters.
    pub name: String,
}

/// A fresh sign-in: the tokens go into cookies and nowhere else.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The person.
    pub user: User,
    /// The workspace the session looks at.
    pub workspace: Workspace,
    /// Opaque session token.
    pub token: Secret,
    /// Proves later that the person signed in from this browser before.
    pub device: Secret,
}

/// One line of the set-up page's check of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MachineCheck {
    /// What was looked at.
    pub title: String,
    /// What was found, or what to do.
    pub detail: String,
    /// Whether it is as it should be.
    pub is_ok: bool,
}

/// What a signed-in person can do with the account itself.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Who is signed in, and where.
    async fn me(&self) -> Result<Me, Error>;

    /// Ends this session; of an API key, does nothing.
    async fn sign_out(&self) -> Result<(), Error>;

    /// Changes the name that others see.
    ///
    /// # Errors
    /// `Invalid`.
    async fn update_profile(&self, input: UpdateProfile) -> Result<User, Error>;

    /// Changes the password, ends every other session and renews this one.
    ///
    /// # Errors
    /// `Invalid`, also for a wrong current password; `RateLimited` after too many of those.
    async fn change_password(&self, input: ChangePassword) -> Result<SignedIn, Error>;

    /// Lists the browsers that are signed in, the last used first.
    async fn list_sessions(&self, page: Page) -> Result<Paged<BrowserSession>, Error>;

    /// Signs a browser out; its live streams end within 5 s.
    ///
    /// # Errors
    /// `NotFound`.
    async fn delete_session(&self, id: SessionId) -> Result<(), Error>;

    /// Signs every other browser out.
    async fn delete_other_sessions(&self) -> Result<(), Error>;

    /// Looks at another workspace from now on; the session gets a new token.
    ///
    /// # Errors
    /// `NotFound` if the person is no member there.
    async fn switch_workspace(&self, id: WorkspaceId) -> Result<SignedIn, Error>;

    /// Makes a workspace with the built-in model; the person becomes its owner.
    ///
    /// # Errors
    /// `Invalid`.
    async fn create_workspace(&self, input: NameWorkspace) -> Result<Workspace, Error>;

    /// Renames the workspace that the session looks at.
    ///
    /// # Errors
    /// `NotFound` for another one; `Invalid`.
    async fn update_workspace(
        &self,
        id: WorkspaceId,
        input: NameWorkspace,
    ) -> Result<Workspace, Error>;
}

impl SetUp {
    /// Checks every field.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        errors.line("workspace", &self.workspace, 80);
        check_email(&mut errors, &self.email);
        check_new_password(&mut errors, "password", &self.password);
        errors.finish()
    }
}

impl UpdateProfile {
    /// Checks every field.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        if !self.name.trim().is_empty() {
            errors.line("name", &self.name, 80);
        }
        errors.finish()
    }
}

impl ChangePassword {
    /// Checks the new password.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        check_new_password(&mut errors, "new_password", &self.new_password);
        errors.finish()
    }
}

impl NameWorkspace {
    /// Checks every field.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        errors.line("name", &self.name, 80);
        errors.finish()
    }
}

/// Checks an address: something, an `@`, something with no blank inside.
pub fn check_email(errors: &mut FieldErrors, email: &str) {
    let email = email.trim();
    let parts = email.split_once('@');
    if email.is_empty() {
        errors.push("email", "is required");
    } else if email.len() > 254
        || email.chars().any(|c| c.is_whitespace() || c.is_control())
        || !parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
    {
        errors.push("email", "must be an address such as ada@example.com");
    }
}

/// Checks a new password: 12 to 128 characters, nothing else (NIST SP 800-63B, 3.1.1.2).
pub fn check_new_password(errors: &mut FieldErrors, field: &str, password: &Secret) {
    let length = expose(password).chars().count();
    if length < 12 {
        errors.push(
            field,
            format!("must have at least 12 characters; this one has {length}"),
        );
    } else if length > 128 {
        errors.push(
            field,
            format!("must have at most 128 characters; this one has {length}"),
        );
    }
}
