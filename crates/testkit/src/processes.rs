//! Signals to processes, and stopping one where it stands.

use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for a busy machine to let every thread come to its stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a signal, as `kill` names it. A process that is gone by now is none to tell.
///
/// # Panics
/// If `kill` cannot be run.
pub fn signal(name: &str, process: u32) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .output();
    sent.expect("run kill");
}

/// Stops a process as `SIGSTOP` does, and returns once none of its threads goes on.
///
/// The signal alone stops nothing yet: one thread has to take it and tells the others, and until it
/// gets a processor they go on.
///
/// # Panics
/// If the process does not come to a stop.
pub fn stand_still(process: u32) {
    signal("STOP", process);
    let begun = Instant::now();
    while !stands_still(process) {
        assert!(begun.elapsed() < PATIENCE, "process {process} goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lets a process go on that stands still.
///
/// # Panics
/// If `kill` cannot be run.
pub fn go_on(process: u32) {
    signal("CONT", process);
}

fn stands_still(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return true;
    };
    let mut states = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok())
        // The state stands behind the name, which may have any characters.
        .filter_map(|stat| stat.rsplit_once(") ")?.1.chars().next());
    states.all(|state| matches!(state, 'T' | 'Z' | 'X'))
}
