//! Chance in the pauses between two tries.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Some time below `most`, another one each time: whoever lost the same host at the same moment does
/// not come back to it at the same moment.
pub fn jitter(most: Duration) -> Duration {
    // Every hasher is seeded differently.
    let share = RandomState::new().hash_one(()) >> 48;
    most.mul_f64(share as f64 / f64::from(1_u32 << 16))
}
