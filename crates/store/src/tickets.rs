//! Proofs that whoever asks holds the installation's master key.
//!
//! A ticket is a text that was sealed for one place. Nothing of it is kept anywhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::master_keys::Fingerprint;
use crate::vault::{Sealed, Vault};

impl Vault {
    /// A ticket for a place that is good for exactly this text.
    pub fn ticket(&self, place: &str, text: &str) -> String {
        let key = self.sealing_key();
        let sealed = self.seal(&key, place, text.as_bytes());
        let fingerprint = key.fingerprint();
        let parts: [&[u8]; 3] = [fingerprint.bytes(), &sealed.wrapped_key, &sealed.ciphertext];
        parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    }

    /// Whether a ticket was made for this place and text, by somebody with a key of ours.
    pub fn admits(&self, place: &str, text: &str, ticket: &str) -> bool {
        let read = || {
            let mut parts = ticket.split('.').map(|part| URL_SAFE_NO_PAD.decode(part));
            let mut next = || parts.next()?.ok();
            let (key, wrapped_key, ciphertext) = (next()?, next()?, next()?);
            let sealed = Sealed {
                wrapped_key,
                ciphertext,
                master_key: Some(Fingerprint::from_bytes(&key).ok()?),
            };
            self.open(place, &sealed).ok()
        };
        read().is_some_and(|plain| plain == text.as_bytes())
    }
}
