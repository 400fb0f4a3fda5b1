//! `agentarea`: the whole platform in one program.

mod assets;
mod authentication;
mod client;
mod client_metadata;
mod commands;
mod config;
mod crowds;
mod gateway;
mod guard;
mod internal;
mod key_rotation;
mod listener;
mod master_key;
mod message_form;
mod openapi;
mod own_address;
mod page_tasks;
mod pages;
mod problem;
mod rate_limit;
mod renewal;
mod request;
mod rest;
mod roles;
mod router;
mod security_headers;
mod sign_in_return;
mod stall;
mod telemetry;
mod traces;
mod wiring;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// Gives the memory of large answers back as soon as they are gone; glibc's keeps it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Before there are threads: it limits the whole process.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|command| command == commands::EXTRACT_TEXT)
    {
        return commands::extract_text();
    }
    use_small_pages();
    serve_command_line()
}

/// The kernel would round memory that is used here and there up to 2 MiB, which makes an idle event
/// stream a quarter larger and nothing faster (`make bench`: `idle`, `chat`). Kernels that know no such
/// switch go on as they did; programs that this one starts inherit it.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[tokio::main]
async fn serve_command_line() -> ExitCode {
    let arguments = commands::Arguments::parse();
    match commands::run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("agentarea: {error:#}");
            ExitCode::FAILURE
        }
    }
}
