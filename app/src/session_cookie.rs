//! The cookie that carries the session token; pages and REST share it.

use http::HeaderValue;

/// Seconds the browser keeps the cookie; the server ends idle sessions earlier.
const MAX_AGE_SECONDS: u32 = 2_592_000;

/// Name and attributes of the session cookie.
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

    /// Header that stores `token`, which must be plain ASCII without `;`.
    pub fn set(self, token: &str) -> HeaderValue {
        self.header(token, MAX_AGE_SECONDS)
    }

    /// Header that removes the cookie.
    pub fn clear(self) -> HeaderValue {
        self.header("", 0)
    }

    fn header(self, token: &str, max_age_seconds: u32) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let text = format!(
            "{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_seconds}{secure}",
            self.name()
        );
        // A token that cannot be a header cannot be a session either.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secure_cookie_is_bound_to_the_host() {
        let cookie = SessionCookie { is_secure: true };

        let header = cookie.set("abc");

        assert_eq!(
            header,
            "__Host-agentarea=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure"
        );
    }
}
