//! Accounts, workspaces, and keys for programs.

use crate::openapi::route::{Route, delete, get, patch, post, put};
use crate::openapi::schemas::{Link, SignedIn, Switch};
use domain::accounts::{
    BrowserSession, ChangePassword, Me, NameWorkspace, SetUp, SignIn, UpdateProfile, User,
    Workspace,
};
use domain::api_keys::{ApiKey, CreateApiKey, CreatedApiKey};
use domain::audit::{AuditEvent, Deed};
use domain::invitations::{
    AcceptInvitation, CreateInvitation, CreatedInvitation, Invitation, Offer,
};
use domain::members::{Member, UpdateMember};
use serde_json::json;

pub(super) fn accounts() -> Vec<Route> {
    let tag = "Accounts";
    vec![
        post(
            tag,
            "/setup",
            "Makes the first user and workspace; 404 once there is one",
        )
        .open()
        .takes::<SetUp>()
        .answers::<SignedIn>(201),
        post(tag, "/session", "Signs in")
            .open()
            .takes::<SignIn>()
            .answers::<SignedIn>(201),
        patch(tag, "/session", "Goes to another workspace")
            .browser()
            .takes::<Switch>()
            .gives::<SignedIn>(),
        delete(tag, "/session", "Signs out"),
        get(tag, "/me", "Who is signed in, and their workspaces").gives::<Me>(),
        patch(tag, "/me", "Changes the own profile")
            .browser()
            .takes::<UpdateProfile>()
            .gives::<User>(),
        put(
            tag,
            "/me/password",
            "Changes the own password and ends all other sessions",
        )
        .browser()
        .takes::<ChangePassword>()
        .gives::<SignedIn>(),
        get(tag, "/sessions", "Lists the own sessions")
            .browser()
            .pages::<BrowserSession>(),
        delete(tag, "/sessions", "Ends all own sessions but this one").browser(),
        delete(tag, "/sessions/{id}", "Ends one of the own sessions").browser(),
    ]
}

pub(super) fn workspaces() -> Vec<Route> {
    let tag = "Workspaces and members";
    vec![
        post(tag, "/workspaces", "Makes another workspace")
            .takes::<NameWorkspace>()
            .creates::<Workspace>(),
        patch(tag, "/workspaces/{id}", "Renames the workspace")
            .takes::<NameWorkspace>()
            .gives::<Workspace>(),
        get(tag, "/members", "Lists the members").pages::<Member>(),
        patch(tag, "/members/{id}", "Changes a member's role")
            .takes::<UpdateMember>()
            .gives::<Member>()
            .conflicts("A workspace needs an owner"),
        delete(tag, "/members/{id}", "Removes a member").conflicts("A workspace needs an owner"),
        get(tag, "/invitations", "Lists the open invitations").pages::<Invitation>(),
        post(
            tag,
            "/invitations",
            "Invites somebody; the link is shown this once",
        )
        .takes::<CreateInvitation>()
        .creates::<CreatedInvitation>()
        .conflicts("The person is a member or invited already"),
        post(
            tag,
            "/invitations/offer",
            "What the holder of a link is offered",
        )
        .open()
        .takes::<Link>()
        .gives::<Offer>(),
        post(
            tag,
            "/invitations/acceptance",
            "Accepts an invitation and signs in",
        )
        .open()
        .takes::<AcceptInvitation>()
        .answers::<SignedIn>(201),
        delete(tag, "/invitations/{id}", "Takes an invitation back"),
        get(tag, "/audit-events", "Lists who changed what")
            .pages::<AuditEvent>()
            .query("action", json!({"enum": Deed::ALL}), "Only this deed.")
            .query(
                "actor_id",
                json!({"type": "string", "format": "uuid"}),
                "Only this person's.",
            )
            .query(
                "result",
                json!({"enum": ["done", "refused"]}),
                "Only this result.",
            ),
    ]
}

pub(super) fn api_keys() -> Vec<Route> {
    let tag = "API keys";
    vec![
        get(tag, "/api-keys", "Lists the own keys").pages::<ApiKey>(),
        post(tag, "/api-keys", "Makes a key; it is shown this once")
            .takes::<CreateApiKey>()
            .creates::<CreatedApiKey>(),
        delete(tag, "/api-keys/{id}", "Deletes a key"),
    ]
}
