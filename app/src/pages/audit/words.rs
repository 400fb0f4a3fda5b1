//! Deeds in words.

use domain::audit::{Deed, Via};

/// What was done.
pub fn deed(deed: Deed) -> &'static str {
    match deed {
        Deed::AgentCreate => "Created an agent",
        Deed::AgentDelete => "Deleted an agent",
        Deed::AgentDiscard => "Discarded an agent’s draft",
        Deed::AgentDraft => "Saved an agent’s draft",
        Deed::AgentPublish => "Published an agent’s draft",
        Deed::AgentRestore => "Restored an agent’s version",
        Deed::AgentUpdate => "Changed an agent",
        Deed::ApiKeyCreate => "Created an API key",
        Deed::ApiKeyDelete => "Deleted an API key",
        Deed::ApprovalDecide => "Decided about a tool call",
        Deed::BudgetCreate => "Set a budget",
        Deed::BudgetDelete => "Lifted a budget",
        Deed::BudgetUpdate => "Changed a budget",
        Deed::ConversationCreate => "Began a conversation",
        Deed::ConversationDelete => "Deleted a conversation",
        Deed::ConversationUpdate => "Changed a conversation",
        Deed::FileCreate => "Uploaded a file",
        Deed::FileDelete => "Deleted a file",
        Deed::InvitationCreate => "Invited somebody",
        Deed::InvitationDelete => "Took an invitation back",
        Deed::McpServerCreate => "Added a tool server",
        Deed::McpServerDelete => "Deleted a tool server",
        Deed::McpServerRestart => "Restarted a tool server",
        Deed::McpServerSignIn => "Signed in at a tool server",
        Deed::McpServerSignOut => "Signed out of a tool server",
        Deed::McpServerStop => "Stopped a tool server",
        Deed::McpCatalogEntryCreate => "Added to the catalog",
        Deed::McpCatalogEntryDelete => "Took out of the catalog",
        Deed::McpServerUpdate => "Changed a tool server",
        Deed::McpToolAccept => "Accepted a changed tool",
        Deed::McpToolCall => "Called a tool through the gateway",
        Deed::McpToolTry => "Tried a tool",
        Deed::MemberCreate => "Joined the workspace",
        Deed::MemberDelete => "Removed a member",
        Deed::MemberUpdate => "Changed a role",
        Deed::MessageCreate => "Posted a message",
        Deed::ModelUpdate => "Changed a model’s price or abilities",
        Deed::ModelConnectionCreate => "Added a model connection",
        Deed::ModelConnectionDelete => "Deleted a model connection",
        Deed::ModelConnectionTest => "Tested a model connection",
        Deed::ModelConnectionUpdate => "Changed a model connection",
        Deed::RunCancel => "Stopped a run",
        Deed::RunCreate => "Asked again",
        Deed::SessionCreate => "Signed in",
        Deed::SessionDelete => "Signed out",
        Deed::SessionUpdate => "Went to another workspace",
        Deed::UserUpdate => "Changed name or password",
        Deed::WorkspaceCreate => "Created the workspace",
        Deed::WorkspaceUpdate => "Renamed the workspace",
    }
}

/// How the person was signed in.
pub fn via(via: Via) -> &'static str {
    match via {
        Via::Session => "Browser",
        Via::ApiKey => "API key",
        Via::CommandLine => "Command line",
    }
}
