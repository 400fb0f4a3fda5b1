//! The cache of one process.

use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::sync::Cache;

/// Bytes kept in all.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// What an entry weighs besides its texts, roughly.
const OVERHEAD_BYTES: usize = 128;

/// Values of this process, the least used ones forgotten first.
#[derive(Clone, Debug)]
pub(super) struct MemoryCache {
    values: Cache<String, Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    value: Bytes,
    lifetime: Duration,
}

struct OwnLifetime;

impl MemoryCache {
    pub(super) fn new() -> Self {
        let values = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|key: &String, kept: &Kept| {
                let bytes = key.len() + kept.value.len() + OVERHEAD_BYTES;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .expire_after(OwnLifetime)
            .build();
        Self { values }
    }

    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.values.get(key).map(|kept| kept.value)
    }

    pub(super) fn put(&self, key: &str, value: Bytes, lifetime: Duration) {
        self.values.insert(key.to_owned(), Kept { value, lifetime });
    }

    pub(super) fn put_if_missing(&self, key: &str, value: Bytes, lifetime: Duration) -> Bytes {
        let kept = Kept { value, lifetime };
        self.values.get_with_by_ref(key, || kept).value
    }

    pub(super) fn delete(&self, key: &str) {
        self.values.invalidate(key);
    }
}

impl Expiry<String, Kept> for OwnLifetime {
    fn expire_after_create(&self, _: &String, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &String,
        kept: &Kept,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.lifetime)
    }
}
