//! What a machine lacks, so that tests end there without having looked.

use std::fs::OpenOptions;
use std::io::Write;

/// Names a file that gathers what was not tested.
const GATHERED: &str = "AGENTAREA_TEST_GAPS";

/// Says that something is not tested on this machine, and why; `scripts/test.sh` repeats it at the
/// end, once however many tests say it.
///
/// # Panics
/// If it is to be gathered in a file that cannot be written.
pub fn not_tested(what: &str) {
    eprintln!("not tested: {what}");
    if let Some(path) = std::env::var_os(GATHERED) {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let written = file.and_then(|mut file| file.write_all(format!("{what}\n").as_bytes()));
        written.expect("the file of what was not tested");
    }
}
