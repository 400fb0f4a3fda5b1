//! Models, and the agents that use them.

use crate::openapi::route::{Route, delete, get, patch, post};
use domain::agents::{
    Agent, AgentConfig, AgentFile, AgentSummary, AgentTemplate, AgentVersion, TagCount,
    UpdateAgent, VersionChanges,
};
use domain::models::{
    ConnectionTest, CreateModelConnection, Model, ModelConnection, Provider, TestModelConnection,
    UpdateModel, UpdateModelConnection,
};
use serde_json::json;

pub(super) fn models() -> Vec<Route> {
    let tag = "Models";
    vec![
        get(tag, "/model-connections", "Lists the connections").pages::<ModelConnection>(),
        post(
            tag,
            "/model-connections",
            "Connects to a provider of models",
        )
        .takes::<CreateModelConnection>()
        .creates::<ModelConnection>()
        .conflicts("The name is taken"),
        get(tag, "/model-connections/{id}", "One connection").gives::<ModelConnection>(),
        patch(tag, "/model-connections/{id}", "Changes a connection")
            .takes::<UpdateModelConnection>()
            .gives::<ModelConnection>()
            .conflicts("The name is taken"),
        delete(tag, "/model-connections/{id}", "Deletes a connection").conflicts("Agents use it"),
        post(
            tag,
            "/model-connections/test",
            "Tries a connection out before it is saved, or changed",
        )
        .takes::<TestModelConnection>()
        .gives::<ConnectionTest>(),
        post(
            tag,
            "/model-connections/{id}/test",
            "Tries a connection out",
        )
        .gives::<ConnectionTest>(),
        get(
            tag,
            "/model-providers",
            "Lists the providers of the catalog",
        )
        .pages::<Provider>(),
        get(tag, "/models", "Lists the models of all connections").pages::<Model>(),
        get(tag, "/models/{connection_id}/{name}", "One model").gives::<Model>(),
        patch(
            tag,
            "/models/{connection_id}/{name}",
            "Says what a model costs and can do",
        )
        .takes::<UpdateModel>()
        .gives::<Model>(),
        delete(
            tag,
            "/models/{connection_id}/{name}",
            "Forgets what was said of a model",
        )
        .gives::<Model>(),
    ]
}

pub(super) fn agents() -> Vec<Route> {
    let tag = "Agents";
    vec![
        get(tag, "/agents", "Lists the agents")
            .pages::<AgentSummary>()
            .query(
                "search",
                json!({"type": "string", "maxLength": 200}),
                "Words to find.",
            )
            .query(
                "tag",
                json!({"type": "string"}),
                "Only agents with this tag.",
            ),
        get(tag, "/agent-tags", "Lists the tags in use, on one page").pages::<TagCount>(),
        get(
            tag,
            "/agent-templates",
            "Lists the agents to start from, on one page",
        )
        .pages::<AgentTemplate>(),
        post(tag, "/agents", "Makes an agent")
            .takes::<AgentConfig>()
            .creates::<Agent>(),
        get(tag, "/agents/{id}", "One agent").gives::<Agent>(),
        patch(
            tag,
            "/agents/{id}",
            "Saves a new version of an agent and makes it live",
        )
        .takes::<UpdateAgent>()
        .gives::<Agent>()
        .conflicts("The agent is deleted"),
        get(
            tag,
            "/agents/{id}/draft",
            "The version that is saved and not published; 404 if there is none",
        )
        .gives::<Agent>(),
        patch(
            tag,
            "/agents/{id}/draft",
            "Saves a new version as the draft; conversations go on with the live one",
        )
        .takes::<UpdateAgent>()
        .gives::<Agent>()
        .conflicts("The agent is deleted"),
        delete(
            tag,
            "/agents/{id}/draft",
            "Lets the draft go; it stays in the list of versions",
        )
        .conflicts("The agent is deleted"),
        post(
            tag,
            "/agents/{id}/draft/publication",
            "Makes the draft the live version",
        )
        .gives::<Agent>()
        .conflicts("There is no draft, or the agent is deleted"),
        delete(
            tag,
            "/agents/{id}",
            "Deletes an agent; its conversations stay readable",
        ),
        post(tag, "/agents/{id}/duplicate", "Makes a copy of an agent")
            .creates::<Agent>()
            .conflicts("The agent is deleted"),
        get(
            tag,
            "/agents/{id}/export",
            "An agent as a YAML file that names things instead of giving ids",
        )
        .gives_raw("application/yaml", json!({"type": "string"}))
        .conflicts("It uses a connection or a server that was deleted"),
        post(tag, "/agents/import", "Makes an agent of a YAML file")
            .takes_yaml::<AgentFile>()
            .creates::<Agent>(),
        get(
            tag,
            "/agents/{id}/changes",
            "What each version changed of the one before",
        )
        .pages::<VersionChanges>(),
        get(tag, "/agents/{id}/versions", "Lists an agent's versions").pages::<AgentVersion>(),
        post(
            tag,
            "/agents/{id}/versions/{version}/restoration",
            "Makes an old version the newest",
        )
        .creates::<Agent>()
        .conflicts("The agent is deleted"),
    ]
}
