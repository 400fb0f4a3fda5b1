//! Who may use which server function.

use domain::Action;
use reqwest::StatusCode;
use testkit::inputs;

use super::rows::{Needs, Objects};

/// Fields of a form.
pub type Fields = Vec<(&'static str, String)>;

/// A server function with a form that is accepted.
pub struct Row {
    pub name: &'static str,
    pub needs: Needs,
    pub does: Does,
    pub fields: fn(&Objects) -> Fields,
    /// Fields that name an object, and the answer if it is foreign or missing.
    pub ids: (&'static [&'static str], StatusCode),
}

/// What a function does when it is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Does {
    /// Nothing changes.
    Read,
    /// Something changes, and the audit log says so.
    Change,
    /// The same, and the session that the next rows need ends or is renewed.
    EndSession,
}

/// A row for every server function.
pub fn rows() -> Vec<Row> {
    use Action::{
        BuildAgents, Converse, CreateWorkspaces, DecideApprovals, ManageMembers, ManageModels,
        ManageOwnAccount, ManageOwnApiKeys, ManageTools, ManageWorkspace, ReadAudit,
    };
    use Does::*;
    use Needs::*;
    let row = |name, needs, does, fields: fn(&Objects) -> Fields| Row {
        name,
        needs,
        does,
        fields,
        ids: (&[], StatusCode::NOT_FOUND),
    };
    let by_id = |name, needs, does, fields: fn(&Objects) -> Fields| Row {
        ids: (&["id"], StatusCode::NOT_FOUND),
        ..row(name, needs, does, fields)
    };
    let none: fn(&Objects) -> Fields = |_| Vec::new();
    vec![
        // The frame.
        row("get_visit", Nothing, Read, none),
        row("set_theme", Nothing, Read, |_| field("theme", "dark")),
        row("toggle_nav", Nothing, Read, none),
        row("sign_out", May(Action::Read), EndSession, none),
        // Before anybody is signed in.
        row("check_machine", Nothing, Read, none),
        row("set_up", Nothing, Read, |_| {
            vec![
                ("input[email]", "late@example.com".into()),
                ("input[password]", inputs::PASSWORD.into()),
                ("input[workspace]", "Late".into()),
            ]
        }),
        row("sign_in", Nothing, Read, |_| {
            let email = format!("{}@example.com", uuid::Uuid::now_v7());
            vec![
                ("input[email]", email),
                ("input[password]", "wrong password".into()),
                ("next", "/".into()),
            ]
        }),
        row("get_offer", Nothing, Read, |_| field("token", "unknown")),
        row("accept_invitation", Nothing, Read, |_| {
            vec![
                ("token", "unknown".into()),
                ("password", inputs::PASSWORD.into()),
            ]
        }),
        // The account.
        row("save_profile", Browser(ManageOwnAccount), Change, |_| {
            field("name", "Somebody")
        }),
        row(
            "change_password",
            Browser(ManageOwnAccount),
            EndSession,
            |_| {
                vec![
                    ("current_password", inputs::PASSWORD.into()),
                    ("new_password", inputs::PASSWORD.into()),
                ]
            },
        ),
        row("list_sessions", Browser(ManageOwnAccount), Read, none),
        by_id("end_session", Browser(ManageOwnAccount), Change, |o| {
            field("id", &o.session)
        }),
        row(
            "end_other_sessions",
            Browser(ManageOwnAccount),
            EndSession,
            none,
        ),
        // Workspaces.
        by_id("rename_workspace", May(ManageWorkspace), Change, |o| {
            vec![("id", o.workspace.clone()), ("name", "Acme".into())]
        }),
        row(
            "create_workspace",
            May(CreateWorkspaces),
            EndSession,
            |_| field("name", "Another"),
        ),
        by_id(
            "switch_workspace",
            Browser(ManageOwnAccount),
            EndSession,
            |o| field("id", &o.workspace),
        ),
        // Members and invitations.
        row("get_team", May(Action::Read), Read, none),
        by_id("change_role", May(ManageMembers), Change, |o| {
            vec![("id", o.member.clone()), ("role", "member".into())]
        }),
        by_id("remove_member", May(ManageMembers), Change, |o| {
            field("id", &o.member)
        }),
        row("invite", May(ManageMembers), Change, |_| {
            let email = format!("{}@example.com", uuid::Uuid::now_v7());
            vec![("email", email), ("role", "viewer".into())]
        }),
        by_id("withdraw_invitation", May(ManageMembers), Change, |o| {
            field("id", &o.invitation)
        }),
        row("list_audit_events", May(ReadAudit), Read, none),
        // API keys.
        row("list_api_keys", May(ManageOwnApiKeys), Read, none),
        row("create_api_key", May(ManageOwnApiKeys), Change, |_| {
            vec![
                ("name", "another".into()),
                ("days", "30".into()),
                ("is_limited", "false".into()),
            ]
        }),
        by_id("delete_api_key", May(ManageOwnApiKeys), Change, |o| {
            field("id", &o.api_key)
        }),
        // Models.
        row("list_connections", May(Action::Read), Read, none),
        by_id("get_connection", May(Action::Read), Read, |o| {
            field("id", &o.connection)
        }),
        row("list_models", May(Action::Read), Read, none),
        row("create_connection", May(ManageModels), Change, |_| {
            vec![
                ("name", uuid::Uuid::now_v7().to_string()),
                ("kind", "local".into()),
                ("base_url", String::new()),
                ("api_key", String::new()),
            ]
        }),
        by_id("update_connection", May(ManageModels), Change, |o| {
            let name = uuid::Uuid::now_v7().to_string();
            vec![("id", o.connection.clone()), ("name", name)]
        }),
        by_id("delete_connection", May(ManageModels), Change, |o| {
            field("id", &o.connection)
        }),
        by_id("test_connection", May(ManageModels), Change, |o| {
            field("id", &o.connection)
        }),
        row("find_servers", May(ManageModels), Read, none),
        row("get_choice", May(Action::Read), Read, |_| {
            vec![("provider", String::new()), ("wanted", String::new())]
        }),
        by_id("get_model", May(Action::Read), Read, |o| {
            field("id", &format!("{}/scripted-large", o.connection))
        }),
        by_id("save_model", May(ManageModels), Change, |o| {
            let id = format!("{}/scripted-large", o.connection);
            let blank = [
                "input[input_price]",
                "input[output_price]",
                "input[cached_price]",
                "input[cache_write_price]",
                "input[context_window]",
                "input[max_output_tokens]",
                "input[supports_tools]",
                "input[supports_vision]",
            ];
            let blank = blank.into_iter().map(|name| (name, String::new()));
            std::iter::once(("id", id)).chain(blank).collect()
        }),
        by_id("reset_model", May(ManageModels), Change, |o| {
            field("id", &format!("{}/scripted-large", o.connection))
        }),
        // Tool servers.
        row("list_tool_servers", May(Action::Read), Read, none),
        by_id("get_tool_server", May(Action::Read), Read, |o| {
            field("id", &o.mcp_server)
        }),
        row("add_tool_server", May(ManageTools), Change, |_| {
            vec![
                ("name", server_name()),
                ("url", "http://127.0.0.1:9/mcp".into()),
            ]
        }),
        by_id("change_tool_server", May(ManageTools), Change, |o| {
            vec![
                ("id", o.mcp_server.clone()),
                ("name", server_name()),
                ("url", "http://127.0.0.1:9/mcp".into()),
            ]
        }),
        by_id("restart_tool_server", May(ManageTools), Change, |o| {
            field("id", &o.mcp_server)
        }),
        by_id("begin_tool_server_sign_in", May(ManageTools), Change, |o| {
            field("id", &o.mcp_server)
        }),
        by_id("end_tool_server_sign_in", May(ManageTools), Change, |o| {
            field("id", &o.mcp_server)
        }),
        by_id("accept_tool", May(ManageTools), Change, |o| {
            vec![
                ("id", o.mcp_server.clone()),
                ("tool", "echo".into()),
                ("hash", String::new()),
            ]
        }),
        by_id("try_tool", May(BuildAgents), Change, |o| {
            vec![("id", o.mcp_server.clone()), ("tool", "echo".into())]
        }),
        row("list_catalog", May(Action::Read), Read, none),
        row("add_catalog_entry", May(ManageTools), Change, |_| {
            let name = uuid::Uuid::new_v4().simple();
            vec![(
                "file",
                format!(
                    r#"{{"name": "com.example/{name}", "description": "x", "version": "1",
                      "remotes": [{{"type": "streamable-http", "url": "https://example.com/mcp"}}]}}"#
                ),
            )]
        }),
        by_id("delete_catalog_entry", May(ManageTools), Change, |o| {
            field("id", &o.catalog_entry)
        }),
        row("add_catalog_server", May(ManageTools), Change, |_| {
            vec![("name", server_name()), ("key", "time".into())]
        }),
        row("add_container_server", May(ManageTools), Change, |_| {
            vec![
                ("name", server_name()),
                ("typed[image]", "example.com/none:1".into()),
            ]
        }),
        by_id("change_container_server", May(ManageTools), Change, |o| {
            vec![
                ("id", o.container_server.clone()),
                ("name", server_name()),
                ("typed[image]", "example.com/none:1".into()),
            ]
        }),
        by_id("stop_tool_server", May(ManageTools), Change, |o| {
            field("id", &o.mcp_server)
        }),
        by_id("delete_tool_server", May(ManageTools), Change, |o| {
            field("id", &o.mcp_server)
        }),
        // Agents.
        row("get_agent_start", May(Action::Read), Read, none),
        row("list_agents", May(Action::Read), Read, none),
        by_id("get_agent", May(Action::Read), Read, |o| {
            field("id", &o.agent)
        }),
        Row {
            ids: (&["input[connection_id]"], StatusCode::UNPROCESSABLE_ENTITY),
            ..row("create_agent", May(BuildAgents), Change, agent)
        },
        by_id("save_agent", May(BuildAgents), Change, |o| {
            let mut fields = agent(o);
            fields.push(("id", o.agent.clone()));
            fields
        }),
        by_id("discard_draft", May(BuildAgents), Change, |o| {
            field("id", &o.agent)
        }),
        by_id("duplicate_agent", May(BuildAgents), Change, |o| {
            field("id", &o.agent)
        }),
        row("import_agent", May(BuildAgents), Change, |o| {
            vec![(
                "file",
                format!(
                    "name: Another\nmodel: {{connection: {}, name: m}}\n",
                    o.connection_name
                ),
            )]
        }),
        by_id("get_agent_history", May(Action::Read), Read, |o| {
            field("id", &o.agent)
        }),
        by_id("restore_version", May(BuildAgents), Change, |o| {
            vec![("id", o.agent.clone()), ("version", "1".into())]
        }),
        by_id("delete_agent", May(BuildAgents), Change, |o| {
            field("id", &o.agent)
        }),
        // Conversations and runs.
        row("get_overview", May(Action::Read), Read, none),
        row("list_conversations", May(Action::Read), Read, none),
        by_id("open_thread", May(Action::Read), Read, |o| {
            field("id", &o.conversation)
        }),
        Row {
            ids: (&["agent_id"], StatusCode::UNPROCESSABLE_ENTITY),
            ..row("start_conversation", May(Converse), Change, |o| {
                field("agent_id", &o.agent)
            })
        },
        by_id("rename_conversation", May(Converse), Change, |o| {
            vec![("id", o.conversation.clone()), ("title", "Renamed".into())]
        }),
        by_id("pin_conversation", May(Converse), Change, |o| {
            vec![("id", o.conversation.clone()), ("is_pinned", "true".into())]
        }),
        by_id("show_branch", May(Converse), Change, |o| {
            vec![("id", o.conversation.clone()), ("run_id", o.run.clone())]
        }),
        Row {
            ids: (&["id", "message_id"], StatusCode::NOT_FOUND),
            ..row("regenerate", May(Converse), Change, |o| {
                vec![
                    ("id", o.conversation.clone()),
                    ("message_id", o.message.clone()),
                ]
            })
        },
        by_id("delete_conversation", May(Converse), Change, |o| {
            field("id", &o.conversation)
        }),
        by_id("post_message", May(Converse), Change, |o| {
            vec![
                ("id", o.conversation.clone()),
                ("text", "hello".into()),
                ("key", uuid::Uuid::now_v7().to_string()),
            ]
        }),
        row("list_approvals", May(Action::Read), Read, none),
        row("count_approvals", May(Action::Read), Read, none),
        by_id("decide_tool_call", May(DecideApprovals), Change, |o| {
            vec![("id", o.approval.clone()), ("decision", "approve".into())]
        }),
        by_id("list_conversation_files", May(Action::Read), Read, |o| {
            field("id", &o.conversation)
        }),
        row("list_budgets", May(Action::Read), Read, none),
        Row {
            ids: (&["agent_id"], StatusCode::UNPROCESSABLE_ENTITY),
            ..row("create_budget", May(ManageWorkspace), Change, |o| {
                vec![
                    ("agent_id", o.agent.clone()),
                    ("period", "day".into()),
                    ("limit", "2.50".into()),
                ]
            })
        },
        by_id("change_budget", May(ManageWorkspace), Change, |o| {
            vec![("id", o.budget.clone()), ("limit", "$7".into())]
        }),
        by_id("delete_budget", May(ManageWorkspace), Change, |o| {
            field("id", &o.budget)
        }),
        row("get_usage", May(Action::Read), Read, |_| {
            field("days", "30")
        }),
        row("list_runs", May(Action::Read), Read, |_| {
            field("limit", "20")
        }),
        by_id("get_run", May(Action::Read), Read, |o| field("id", &o.run)),
        Row {
            ids: (&["run_id"], StatusCode::NOT_FOUND),
            ..row("cancel_run", May(Converse), Change, |o| {
                field("run_id", &o.run)
            })
        },
    ]
}

fn server_name() -> String {
    let name = format!("s{}", uuid::Uuid::now_v7().simple());
    name[..32].to_owned()
}

fn field(name: &'static str, value: &str) -> Fields {
    vec![(name, value.to_owned())]
}

fn agent(objects: &Objects) -> Fields {
    vec![
        ("input[name]", "Another".into()),
        ("input[description]", String::new()),
        ("input[instructions]", "Be brief.".into()),
        ("input[connection_id]", objects.connection.clone()),
        ("input[model]", "scripted-large".into()),
        ("input[temperature]", String::new()),
        ("input[max_output_tokens]", String::new()),
        ("input[max_seconds]", "60".into()),
    ]
}
