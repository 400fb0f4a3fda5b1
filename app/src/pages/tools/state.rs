//! States of servers and kinds of tools, as pills.

use domain::containers::PackageRegistry;
use domain::mcp_servers::{McpServer, McpServerSource, McpServerState, ToolDefinition};
use leptos::prelude::*;

use crate::ui::{Icon, Pill, Tone};

/// Where a server is or what it runs, in a few words.
pub fn place(source: &McpServerSource) -> String {
    match source {
        McpServerSource::Remote(remote) => remote.url.clone(),
        McpServerSource::Container(source) => source.image.clone(),
        McpServerSource::Package(source) => {
            let registry = match source.registry {
                PackageRegistry::Npm => "npm",
                PackageRegistry::PyPi => "PyPI",
            };
            format!("{} {} of {registry}", source.name, source.version)
        }
    }
}

/// How a server is.
pub fn state_pill(state: McpServerState) -> AnyView {
    let (tone, icon, label, icon_class) = match state {
        McpServerState::Connecting => (Tone::Accent, "loader-circle", "Connecting", "spin"),
        McpServerState::Ready => (Tone::Success, "circle-check", "Ready", ""),
        McpServerState::Requested => (Tone::Accent, "loader-circle", "Requested", "spin"),
        McpServerState::Building => (Tone::Accent, "loader-circle", "Getting image", "spin"),
        McpServerState::Starting => (Tone::Accent, "loader-circle", "Starting", "spin"),
        McpServerState::Unhealthy => (Tone::Warning, "circle-alert", "Unhealthy", ""),
        McpServerState::SignInNeeded => (Tone::Warning, "key-round", "Sign in needed", ""),
        McpServerState::Failed => (Tone::Danger, "circle-x", "Failed", ""),
        McpServerState::Asleep => (Tone::Neutral, "circle-check", "Asleep", ""),
        McpServerState::Stopped => (Tone::Neutral, "circle-x", "Stopped", ""),
    };
    view! { <Pill tone icon label icon_class /> }.into_any()
}

/// How many of its tools wait to be accepted; nothing if none does.
pub fn quarantine_pill(server: &McpServer) -> Option<AnyView> {
    let label = match server.quarantined_count {
        0 => return None,
        1 => "1 tool quarantined".to_owned(),
        count => format!("{count} tools quarantined"),
    };
    let pill = view! {
        <span class="pill pill-warning">
            <Icon name="shield-alert" />
            <span>{label}</span>
        </span>
    };
    Some(pill.into_any())
}

/// What a server claims that a tool does.
pub fn kind_tag(definition: &ToolDefinition) -> AnyView {
    let (icon, label) = if definition.is_read_only() {
        ("eye", "Read-only")
    } else if definition.is_destructive() {
        ("circle-alert", "May destroy")
    } else {
        ("pencil", "Writes")
    };
    view! {
        <span class="tag">
            <Icon name=icon class="icon-sm" />
            {label}
        </span>
    }
    .into_any()
}
