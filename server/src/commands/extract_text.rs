//! The child process that reads PDF files; not for people.

use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Name of the command.
pub const NAME: &str = "extract-text";

const MIB: u64 = 1024 * 1024;
/// Address space; the program itself takes a part of it.
const MEMORY_BYTES: u64 = 768 * MIB;
const CPU_SECONDS: u64 = 8;
/// Standard input, output and error, and what was open already.
const OPEN_FILES: u64 = 16;

/// Gives up what it does not need, then reads the file on standard input.
pub fn run() -> ExitCode {
    match limit().and_then(|()| services::extract_pdf_text()) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads why.
        Err(_) => ExitCode::FAILURE,
    }
}

fn limit() -> anyhow::Result<()> {
    for (resource, most) in [
        (Resource::As, MEMORY_BYTES),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}
