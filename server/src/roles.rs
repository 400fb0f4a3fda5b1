//! What parts of the platform a server runs.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use serde::Deserialize;

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Pages, their server functions and files.
    Web,
    /// The REST interface, event streams included.
    Api,
    /// Runs agents; over HTTP only health and metrics.
    Worker,
    /// Looks after containers.
    McpManager,
}

/// The parts of one server, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Roles {
    has: [bool; Role::ALL.len()],
}

impl Role {
    const ALL: [Self; 4] = [Self::Web, Self::Api, Self::Worker, Self::McpManager];

    fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Api => "api",
            Self::Worker => "worker",
            Self::McpManager => "mcp-manager",
        }
    }

    /// Where a server listens whose first role this is.
    fn port(self) -> u16 {
        match self {
            Self::Web => 3000,
            Self::Api => 8000,
            Self::McpManager => 8001,
            Self::Worker => 8002,
        }
    }
}

impl Roles {
    /// Whether a part runs here.
    pub fn has(self, role: Role) -> bool {
        self.has[role as usize]
    }

    /// The port of a server that is not told one.
    pub fn port(self) -> u16 {
        let by_importance = [Role::Web, Role::Api, Role::McpManager, Role::Worker];
        let first = by_importance.into_iter().find(|role| self.has(*role));
        first.unwrap_or(Role::Web).port()
    }
}

impl FromStr for Roles {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut has = [false; Role::ALL.len()];
        for name in text.split(',').map(str::trim) {
            match Role::ALL.into_iter().find(|role| role.as_str() == name) {
                Some(role) => has[role as usize] = true,
                None => {
                    bail!("there is no role {name:?}; roles are web, api, worker and mcp-manager")
                }
            }
        }
        Ok(Self { has })
    }
}

impl TryFrom<String> for Roles {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        text.parse()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Role::ALL
            .into_iter()
            .filter(|role| self.has(*role))
            .map(Role::as_str)
            .collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(text: &str) -> Roles {
        text.parse().expect("roles")
    }

    #[test]
    fn named_parts_run_and_no_others() {
        let roles = roles("api, worker");

        assert!(roles.has(Role::Api) && roles.has(Role::Worker));
        assert!(!roles.has(Role::Web) && !roles.has(Role::McpManager));
        assert_eq!(roles.to_string(), "api,worker");
    }

    #[test]
    fn each_part_has_its_port() {
        for (text, port) in [
            ("web,api,worker,mcp-manager", 3000),
            ("web", 3000),
            ("api", 8000),
            ("api,worker", 8000),
            ("mcp-manager", 8001),
            ("worker", 8002),
        ] {
            assert_eq!(roles(text).port(), port, "{text}");
        }
    }

    #[test]
    fn unknown_part_is_named() {
        for text in ["boss", "web,boss", "web,,api", ""] {
            let error = text.parse::<Roles>().expect_err("no such role").to_string();
            assert!(
                error.contains("web, api, worker and mcp-manager"),
                "{error}"
            );
        }
    }
}
