//! The cookies that a sign-in leaves in the browser; pages and REST share them.

use domain::accounts::SignedIn;
use domain::expose;
use http::HeaderValue;

/// Seconds the browser keeps the session; the server ends idle sessions earlier.
const MAX_AGE_SECONDS: u32 = 2_592_000;
/// Seconds the browser can prove that somebody signed in from it before: a year.
const DEVICE_MAX_AGE_SECONDS: u32 = 31_536_000;

/// Names and attributes of the session cookie and of the device cookie beside it.
#[derive(Clone, Copy, Debug)]
pub struct SessionCookie {
    /// Whether users come over https.
    pub is_secure: bool,
}

impl SessionCookie {
    /// The cookie's name.
    pub fn name(self) -> &'static str {
        if self.is_secure {
            "__Host-agentarea"
        } else {
            "agentarea"
        }
    }

    /// Name of the cookie that proves that somebody signed in from this browser before.
    pub fn device_name(&self) -> &'static str {
        if self.is_secure {
            "__Host-agentarea-device"
        } else {
            "agentarea-device"
        }
    }

    /// Both headers of a sign-in: they are added to the answer, neither replaces the other.
    ///
    /// The tokens must be plain ASCII without `;`.
    pub fn signed_in(&self, session: &SignedIn) -> [HeaderValue; 2] {
        let device = expose(&session.device);
        [
            self.set(expose(&session.token)),
            self.header(self.device_name(), device, DEVICE_MAX_AGE_SECONDS),
        ]
    }

    /// Header that stores `token`, which must be plain ASCII without `;`.
    pub fn set(self, token: &str) -> HeaderValue {
        self.header(self.name(), token, MAX_AGE_SECONDS)
    }

    /// Header that removes the session cookie; the device stays known.
    pub fn clear(self) -> HeaderValue {
        self.header(self.name(), "", 0)
    }

    fn header(self, name: &str, token: &str, max_age_seconds: u32) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let text = format!(
            "{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_seconds}{secure}"
        );
        // A token that cannot be a header cannot be a session either.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use domain::accounts::{User, Workspace};
    use domain::{Secret, Timestamp};

    use super::*;

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    fn session() -> SignedIn {
        let created_at: Timestamp =
            serde_json::from_str("\"2026-11-23T08:15:30.042Z\"").expect("valid time");
        SignedIn {
            user: User {
                id: ID.parse().expect("valid id"),
                email: "ada@example.com".to_owned(),
                name: String::new(),
                created_at,
            },
            workspace: Workspace {
                id: ID.parse().expect("valid id"),
                name: "Acme".to_owned(),
                created_at,
            },
            token: Secret::new("abc"),
            device: Secret::new("xyz"),
        }
    }

    #[test]
    fn secure_cookie_is_bound_to_the_host() {
        let cookie = SessionCookie { is_secure: true };

        let header = cookie.set("abc");

        assert_eq!(
            header,
            "__Host-agentarea=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure"
        );
    }

    #[test]
    fn device_is_remembered_for_a_year() {
        let cookie = SessionCookie { is_secure: true };

        let [token, device] = cookie.signed_in(&session());

        assert_eq!(token, cookie.set("abc"));
        assert_eq!(
            device,
            "__Host-agentarea-device=xyz; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000; Secure"
        );
    }

    #[test]
    fn without_https_nothing_is_bound_to_it() {
        let cookie = SessionCookie { is_secure: false };

        let [token, device] = cookie.signed_in(&session());

        assert_eq!(
            token,
            "agentarea=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000"
        );
        assert_eq!(
            device,
            "agentarea-device=xyz; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"
        );
    }
}
