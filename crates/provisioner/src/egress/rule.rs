//! One line of an allow-list.

use std::fmt;
use std::str::FromStr;

/// A host and port that a container may reach: `api.example.com:443` or `*.example.com:443`.
///
/// A name covers itself only; `*.` covers every name below, not the name itself. Without a port it
/// is 443. Names are kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule {
    /// Without the `*.`.
    host: String,
    port: u16,
    covers_below: bool,
}

/// A line that is not a host and port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line:?} is not a host and port such as api.example.com:443 or *.example.com:443")]
pub struct RuleError {
    line: String,
}

impl Rule {
    /// Whether the rule lets `host` and `port` through; a final dot of the host does not count.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        self.port == port
            && if self.covers_below {
                host.strip_suffix(&self.host)
                    .is_some_and(|below| below.len() > 1 && below.ends_with('.'))
            } else {
                host == self.host
            }
    }

    /// The exact name and port, if the rule is for one name.
    pub(crate) fn exact(&self) -> Option<(&str, u16)> {
        (!self.covers_below).then_some((self.host.as_str(), self.port))
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let error = || RuleError {
            line: line.chars().take(100).collect(),
        };
        let text = line.trim();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| error())?),
            None => (text, 443),
        };
        let (host, covers_below) = match host.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (host, false),
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_name = host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        });
        let is_too_wide = covers_below && !host.contains('.');
        if port == 0 || host.len() > 253 || !is_name || is_too_wide {
            return Err(error());
        }
        Ok(Self {
            host,
            port,
            covers_below,
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.covers_below { "*." } else { "" };
        write!(f, "{star}{}:{}", self.host, self.port)
    }
}
