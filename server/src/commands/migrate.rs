//! `agentarea migrate`

use store::embedded::Joining;

use crate::config::Config;
use crate::wiring::Backend;

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    crate::telemetry::start_quiet();
    let backend = Backend::open(&config, Joining::Share).await?;
    backend.close().await?;
    println!("the database schema is up to date");
    Ok(())
}
