//! Values that are kept for a while because looking them up again costs more.
//!
//! Twins: in this process, or in Redis for all processes. Whatever is in here can be lost at any
//! moment, and a value may be missing right after it was put.

mod memory;
mod redis;

use std::time::Duration;

use bytes::Bytes;

use self::memory::MemoryCache;
use self::redis::RedisCache;
use crate::redis::Redis;

/// A cache. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Memory(MemoryCache),
    Redis(RedisCache),
}

impl Cache {
    /// A cache in Redis if there is one, else in this process.
    pub fn new(redis: Option<Redis>) -> Self {
        let kind = match redis {
            Some(redis) => Kind::Redis(RedisCache::new(redis)),
            None => Kind::Memory(MemoryCache::new()),
        };
        Self { kind }
    }

    /// The value under a key.
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        match &self.kind {
            Kind::Memory(cache) => cache.get(key),
            Kind::Redis(cache) => cache.get(key).await,
        }
    }

    /// The values under two keys.
    pub async fn get_both(&self, first: &str, second: &str) -> (Option<Bytes>, Option<Bytes>) {
        match &self.kind {
            Kind::Memory(cache) => (cache.get(first), cache.get(second)),
            Kind::Redis(cache) => cache.get_both(first, second).await,
        }
    }

    /// Keeps a value for at most `lifetime`.
    pub async fn put(&self, key: &str, value: Bytes, lifetime: Duration) {
        match &self.kind {
            Kind::Memory(cache) => cache.put(key, value, lifetime),
            Kind::Redis(cache) => cache.put(key, value, lifetime).await,
        }
    }

    /// Keeps a value unless there is one; gives the one that is kept then, if that is known.
    pub async fn put_if_missing(
        &self,
        key: &str,
        value: Bytes,
        lifetime: Duration,
    ) -> Option<Bytes> {
        match &self.kind {
            Kind::Memory(cache) => Some(cache.put_if_missing(key, value, lifetime)),
            Kind::Redis(cache) => cache.put_if_missing(key, value, lifetime).await,
        }
    }

    /// Forgets a value; tells whether it is certainly gone.
    pub async fn delete(&self, key: &str) -> bool {
        match &self.kind {
            Kind::Memory(cache) => {
                cache.delete(key);
                true
            }
            Kind::Redis(cache) => cache.delete(key).await,
        }
    }
}
