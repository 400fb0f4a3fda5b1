//! Whatever breaks, nothing is lost and nothing happens twice. Each test proves that its fault
//! landed.

mod containers;
mod dead_connections;
mod fencing;
mod lost_answers;
mod outage;
mod queue;
mod renewal_race;
mod shutdown;

/// Rounds of a fault: a few in the usual suite, many in `make test-faults`.
pub fn rounds(few: usize, many: usize) -> usize {
    match std::env::var_os("FAULT_ROUNDS") {
        Some(choice) if choice == "many" => many,
        _ => few,
    }
}
