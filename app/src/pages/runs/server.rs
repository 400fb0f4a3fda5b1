//! Server functions of the runs pages.

#[cfg(feature = "ssr")]
use domain::Page;
use domain::runs::{Run, RunSummary};
use domain::{Error, Paged, RunId};
use leptos::prelude::*;

use crate::time::AsOf;

/// A page of runs, newest first.
#[server]
pub async fn list_runs(
    limit: u64,
    after: Option<String>,
) -> Result<AsOf<Paged<RunSummary>>, Error> {
    let value = crate::context::platform()?
        .list_runs(Page::new(Some(limit), after)?)
        .await?;
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}

/// One run with its journal.
#[server]
pub async fn get_run(id: RunId) -> Result<AsOf<Run>, Error> {
    let value = crate::context::platform()?.get_run(id).await?;
    Ok(AsOf {
        now: crate::context::now(),
        value,
    })
}

/// Asks a run to stop.
#[server]
pub async fn cancel_run(run_id: RunId) -> Result<(), Error> {
    crate::context::platform()?.cancel_run(run_id).await
}
