//! The cache that processes share. While Redis is away nothing is found and nothing is kept.

use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, Value, cmd};
use bytes::Bytes;

use crate::redis::Redis;

/// Values in Redis.
#[derive(Clone, Debug)]
pub(super) struct RedisCache {
    redis: Redis,
}

impl RedisCache {
    pub(super) fn new(redis: Redis) -> Self {
        Self { redis }
    }

    pub(super) async fn get(&self, key: &str) -> Option<Bytes> {
        self.redis.send(&get(key)).await.ok().flatten()
    }

    pub(super) async fn get_both(
        &self,
        first: &str,
        second: &str,
    ) -> (Option<Bytes>, Option<Bytes>) {
        let answers = self.redis.send_all(&[get(first), get(second)]).await;
        let mut answers = answers.unwrap_or_default().into_iter();
        (answers.next().flatten(), answers.next().flatten())
    }

    pub(super) async fn put(&self, key: &str, value: Bytes, lifetime: Duration) {
        // A full Redis refuses; the value is looked up again then.
        let _ = self.redis.send::<()>(&set(key, &value, lifetime)).await;
    }

    pub(super) async fn put_if_missing(
        &self,
        key: &str,
        value: Bytes,
        lifetime: Duration,
    ) -> Option<Bytes> {
        let mut put = set(key, &value, lifetime);
        put.arg("NX");
        let answers = self.redis.send_all::<Value>(&[put, get(key)]).await;
        FromRedisValue::from_redis_value(answers.ok()?.pop()?).ok()?
    }

    pub(super) async fn delete(&self, key: &str) -> bool {
        let mut delete = cmd("DEL");
        delete.arg(key);
        self.redis.send::<()>(&delete).await.is_ok()
    }
}

fn get(key: &str) -> Cmd {
    let mut get = cmd("GET");
    get.arg(key);
    get
}

fn set(key: &str, value: &[u8], lifetime: Duration) -> Cmd {
    let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
    let mut set = cmd("SET");
    set.arg(key).arg(value).arg("PX").arg(millis);
    set
}
