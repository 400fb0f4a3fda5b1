//! Server functions of the usage page.

use domain::Error;
use domain::usage::UsageReport;
use leptos::prelude::*;

/// What was used up in the last days.
#[server]
pub async fn get_usage(days: u32) -> Result<UsageReport, Error> {
    crate::context::platform()?.report_usage(days).await
}
