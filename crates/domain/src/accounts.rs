//! People, workspaces and signing in.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Error, FieldErrors, Role, Secret, Timestamp, UserId, WorkspaceId, expose};

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// Address used to sign in, lower case.
    pub email: String,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// A team or project; everything else belongs to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct Membership {
    /// The workspace.
    pub workspace: Workspace,
    /// The member's role there.
    pub role: Role,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Address of the account.
    pub email: String,
    /// Its password.
    pub password: Secret,
}

/// A fresh sign-in: the token goes into the cookie and nowhere else.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The person.
    pub user: User,
    /// The workspace the session looks at.
    pub workspace: Workspace,
    /// Opaque session token.
    pub token: Secret,
}

/// One line of the set-up page's check of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        check_password(&mut errors, &self.password);
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
pub fn check_password(errors: &mut FieldErrors, password: &Secret) {
    let length = expose(password).chars().count();
    if length < 12 {
        errors.push(
            "password",
            format!("must have at least 12 characters; this one has {length}"),
        );
    } else if length > 128 {
        errors.push(
            "password",
            format!("must have at most 128 characters; this one has {length}"),
        );
    }
}
