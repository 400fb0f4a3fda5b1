//! What the gateway shows and asks for one caller.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::audit::DeedResult;
use domain::mcp_servers::{McpToolState, ToolDefinition};
use domain::tools::NAME_SEPARATOR;
use domain::{Action, Error, McpServerId};
use mcp::gateway::{Followed, GatewayCaller, Hearing, Listing, ShownServer, URI_PREFIX, long_uri};
use mcp::{Answer, Ask, CallError, Subject};
use store::mcp_tools::ServerWithTools;
use tokio::sync::watch;

use crate::Session;
use crate::call_audit::CallRecord;
use crate::call_costs::{CallCosts, NoMoney, PricedCall};
use crate::fault::OrFault;
use crate::tool_servers::{Snapshot, ToolCallOptions};

struct SessionCaller {
    session: Session,
    /// The only server that is shown.
    only: Option<McpServerId>,
}

impl Session {
    /// The gateway for this actor: to all tool servers of the workspace, or to the one of a name.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` if no server has, or had, that name.
    pub async fn gateway(&self, server: Option<&str>) -> Result<Arc<dyn GatewayCaller>, Error> {
        self.actor.require(Action::Read)?;
        let only = match server {
            Some(name) => {
                let snapshot = self.tools().await?;
                let found = snapshot.server_named(name).ok_or(Error::NotFound)?;
                Some(found.stored.server.id)
            }
            None => None,
        };
        Ok(Arc::new(SessionCaller {
            session: self.clone(),
            only,
        }))
    }

    /// Sets aside what a call costs; an error says why there is no money for it.
    pub(crate) async fn pay(
        &self,
        mut record: CallRecord,
        usd_micros: u64,
        timeout: Duration,
    ) -> Result<CallRecord, String> {
        if let (1.., Some(id)) = (usd_micros, record.id()) {
            let costs = CallCosts {
                store: self.services.store.clone(),
                budgeted: self.services.budgeted.clone(),
            };
            let reserved = costs.reserve(PricedCall {
                workspace_id: self.actor.workspace_id,
                agent_id: None,
                id,
                usd_micros,
                timeout,
            });
            if let Err(NoMoney { message, .. }) = reserved.await {
                record.refused();
                return Err(message);
            }
            record.costs(usd_micros);
        }
        Ok(record)
    }

    async fn tools(&self) -> Result<Arc<Snapshot>, Error> {
        let servers = &self.services.tool_servers;
        servers.snapshot(self.actor.workspace_id).await.or_fault()
    }
}

impl SessionCaller {
    fn may_call(&self) -> bool {
        self.session.actor.can(Action::Converse)
    }

    /// The server that has what is asked for, and its own name for that.
    async fn find(&self, subject: Subject, name: &str) -> Result<Found, CallError> {
        if !self.may_call() {
            return Err(CallError::NoSuchTool);
        }
        let snapshot = self.session.tools().await;
        let snapshot = snapshot.map_err(|_| CallError::Unavailable)?;
        if let Some(server) = self.only.and_then(|id| snapshot.server(id)) {
            // Alone, a server's own names count; those with its name in front are understood, too.
            let is_own = match subject {
                Subject::Tool => server.find(name).is_some(),
                Subject::Prompt => !name.contains(NAME_SEPARATOR) || offers_prompt(server, name),
                Subject::Resource => !name.starts_with(URI_PREFIX),
            };
            if is_own {
                return Ok(Found::new(server, name));
            }
        }
        let parts = match subject {
            Subject::Tool | Subject::Prompt => name.split_once(NAME_SEPARATOR),
            Subject::Resource => name
                .strip_prefix(URI_PREFIX)
                .and_then(|rest| rest.split_once('/')),
        };
        let (server, name) = parts.ok_or(CallError::NoSuchTool)?;
        let server = snapshot.server_named(server).ok_or(CallError::NoSuchTool)?;
        let is_shown = self.only.is_none_or(|only| only == server.stored.server.id)
            && (subject != Subject::Tool || server.find(name).is_some());
        match is_shown {
            true => Ok(Found::new(server, name)),
            false => Err(CallError::NoSuchTool),
        }
    }
}

/// Where something is.
struct Found {
    server_id: McpServerId,
    server: String,
    name: String,
    /// What a call of a tool costs.
    call_price_usd_micros: u64,
}

impl Found {
    fn new(server: &ServerWithTools, name: &str) -> Self {
        Self {
            server_id: server.stored.server.id,
            server: server.stored.server.name.clone(),
            name: name.to_owned(),
            call_price_usd_micros: server.stored.server.call_price_usd_micros.unwrap_or(0),
        }
    }
}

#[async_trait]
impl GatewayCaller for SessionCaller {
    async fn list(&self) -> Result<Listing, String> {
        if !self.may_call() {
            return Ok(Listing::new(std::iter::empty()));
        }
        let snapshot = self
            .session
            .tools()
            .await
            .map_err(|error| error.to_string())?;
        Ok(match self.only {
            Some(id) => snapshot.listing_of(id),
            None => snapshot.listing(),
        })
    }

    async fn ask(&self, ask: Ask, hearing: Hearing<'_>) -> Result<Answer, CallError> {
        let started = Instant::now();
        let (subject, method) = (ask.subject(), ask.method());
        let mut record = match (subject, method) {
            (Subject::Tool, "tools/call") => {
                let begun = self
                    .session
                    .services
                    .call_audit
                    .begin(&self.session, ask.name());
                Some(begun.await.ok_or(CallError::Unavailable)?)
            }
            _ => None,
        };
        let found = match self.find(subject, ask.name()).await {
            Ok(found) => found,
            Err(error) => {
                if let (Some(record), false) = (record, self.may_call()) {
                    record.ended(DeedResult::Refused);
                }
                return Err(error);
            }
        };
        if let Some(record) = &mut record {
            record.found(found.server_id, &found.server, &found.name);
        }
        let patience = self.session.services.tool_servers.call_patience();
        let record = match record {
            Some(record) => {
                let paid = self
                    .session
                    .pay(record, found.call_price_usd_micros, patience.longest);
                Some(paid.await.map_err(CallError::NoMoney)?)
            }
            None => None,
        };
        let options = ToolCallOptions {
            patience,
            cancel: hearing.cancel,
            on_progress: hearing.on_progress,
            on_log: hearing.on_log,
            on_question: hearing.on_question,
        };
        let actor = &self.session.actor;
        let servers = &self.session.services.tool_servers;
        // Waited for at once: a future in a variable is moved once more.
        let result = servers
            .ask(
                actor.workspace_id,
                found.server_id,
                ask.renamed(found.name.clone()),
                options,
            )
            .await;
        let outcome = match &result {
            Ok(answer) if answer.is_tool_error() => Cow::Borrowed("the tool failed"),
            Ok(_) => Cow::Borrowed("ok"),
            Err(error) => Cow::Owned(error.to_string()),
        };
        // Who used what, and what came of it; never what was said.
        tracing::info!(
            workspace.id = %actor.workspace_id,
            user.id = %actor.user_id,
            mcp_server.id = %found.server_id,
            mcp_server.name = found.server,
            method,
            name = match subject {
                // A URI may hold what is nobody else's business.
                Subject::Resource => "",
                _ => found.name.as_str(),
            },
            outcome = %outcome,
            duration_ms = started.elapsed().as_millis() as u64,
            "gateway request"
        );
        if let Some(mut record) = record {
            if result.as_ref().is_err_and(|error| !error.may_have_acted()) {
                record.costs(0);
            }
            record.ended(match &result {
                Ok(answer) if !answer.is_tool_error() => DeedResult::Done,
                _ => DeedResult::Failed,
            });
        }
        let mut answer = result?;
        if self.only.is_none() {
            answer.map_uris(&|uri| long_uri(Some(&found.server), uri));
        }
        Ok(answer)
    }

    async fn follow(&self, uri: &str) -> Result<Followed, CallError> {
        let found = self.find(Subject::Resource, uri).await?;
        let servers = &self.session.services.tool_servers;
        let workspace_id = self.session.actor.workspace_id;
        let followed = servers.follow(workspace_id, found.server_id, &found.name);
        let (following, held) = followed.await?;
        Ok(Followed {
            following,
            held: Box::new(held),
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.session.services.tool_servers.changes()
    }

    async fn access_ends(&self) {
        self.session.watch_access().over().await;
    }

    fn identity(&self) -> String {
        let actor = &self.session.actor;
        let only = self.only.map(|id| id.to_string()).unwrap_or_default();
        format!("{} {} {only}", actor.workspace_id, actor.user_id)
    }
}

/// A server as the gateway shows it.
pub(crate) fn shown<'a>(server: &'a ServerWithTools, prefix: Option<&'a str>) -> ShownServer<'a> {
    ShownServer {
        prefix,
        tools: active(server).collect(),
        offers: &server.stored.server.offers,
    }
}

fn offers_prompt(server: &ServerWithTools, name: &str) -> bool {
    let prompts = &server.stored.server.offers.prompts;
    prompts.iter().any(|prompt| prompt.name == name)
}

/// The tools of a server that may be called.
pub(crate) fn active(server: &ServerWithTools) -> impl Iterator<Item = &ToolDefinition> {
    let tools = server.tools.iter();
    tools
        .filter(|tool| tool.state == McpToolState::Active)
        .map(|tool| &tool.definition)
}
