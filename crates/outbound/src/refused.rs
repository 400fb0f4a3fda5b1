//! Why an address is not called.

use std::error::Error;

/// Why an address is not called, in words for the person who gave it.
///
/// It names the host as given, never the address it resolves to: that would map the private
/// network for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Neither `https` nor `http`.
    #[error("addresses must begin with https:// – {scheme}:// is not supported")]
    Scheme {
        /// The scheme as given.
        scheme: String,
    },
    /// No host to call.
    #[error("the address has no host name")]
    NoHost,
    /// A name or password in front of the host.
    #[error("the address must not contain a user name or password; put the key in its own field")]
    UserInfo,
    /// `http` to a host that is not let through.
    #[error(
        "{host} must be called with https:// – plain http:// works only for hosts that the \
         administrator of this server lets through"
    )]
    PlainHttp {
        /// The host as given.
        host: String,
    },
    /// A private, local or reserved address, literal or by DNS.
    #[error(
        "{host} is in a private network; the administrator of this server can let it through \
         by its host and port"
    )]
    Private {
        /// The host as given.
        host: String,
    },
    /// DNS knows no address.
    #[error("{host} has no address; check the host name")]
    Unresolved {
        /// The host as given.
        host: String,
    },
}

/// Finds the refusal behind a failed request; `None` if it failed for another reason.
pub fn refusal(error: &reqwest::Error) -> Option<&Refused> {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = source {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        source = error.source();
    }
    None
}
