//! The only place where ids, times and tokens are made.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use rand::RngCore;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

/// A new id.
pub(crate) fn id<Id: From<Uuid>>() -> Id {
    Uuid::now_v7().into()
}

/// Now.
pub(crate) fn now() -> Timestamp {
    OffsetDateTime::now_utc().into()
}

/// 256 random bits as URL-safe text.
pub(crate) fn token() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// How tokens are stored. They are random, so one round of SHA-256 is enough.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
