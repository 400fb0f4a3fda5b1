//! Names of what agents refer to by id.

use domain::agents::ModelChoice;
use domain::{ConnectionId, Error, McpServerId};
use store::TenantTx;

use crate::fault::OrFault;

/// The workspace's connections and tool servers.
pub(super) struct Names {
    connections: Vec<(ConnectionId, String)>,
    servers: Vec<(McpServerId, String)>,
}

impl Names {
    /// Reads them all.
    pub(super) async fn read(tx: &mut TenantTx) -> Result<Self, Error> {
        Ok(Self {
            connections: tx.list_connection_names().await.or_fault()?,
            servers: tx.list_server_names().await.or_fault()?,
        })
    }

    /// The name of a connection; `None` if it is gone.
    pub(super) fn connection(&self, id: ConnectionId) -> Option<&str> {
        name_of(&self.connections, id)
    }

    /// The name of a tool server; `None` if it is gone.
    pub(super) fn server(&self, id: McpServerId) -> Option<&str> {
        name_of(&self.servers, id)
    }

    /// The connection of that name.
    pub(super) fn find_connection(&self, name: &str) -> Option<ConnectionId> {
        find(&self.connections, name)
    }

    /// The tool server of that name.
    pub(super) fn find_server(&self, name: &str) -> Option<McpServerId> {
        find(&self.servers, name)
    }

    /// A model for people: connection and name.
    pub(super) fn model(&self, choice: &ModelChoice) -> String {
        let connection = self.connection(choice.connection_id);
        let connection = connection.unwrap_or("a deleted connection");
        format!("{connection} · {}", choice.name)
    }
}

fn name_of<Id: Copy + PartialEq>(known: &[(Id, String)], id: Id) -> Option<&str> {
    let found = known.iter().find(|(of, _)| *of == id);
    found.map(|(_, name)| name.as_str())
}

/// As written first; no two names differ in nothing but case.
fn find<Id: Copy>(known: &[(Id, String)], name: &str) -> Option<Id> {
    let wanted = name.trim().to_lowercase();
    let exact = known.iter().find(|(_, known)| known == name);
    let found = exact.or_else(|| {
        known
            .iter()
            .find(|(_, known)| known.to_lowercase() == wanted)
    });
    found.map(|(id, _)| *id)
}
