//! Bars of days.

use domain::usage::UsageRow;
use leptos::prelude::*;

/// Most dates below the bars; with more days, only some have theirs.
const DATES: usize = 7;
/// Height of the highest bar. Bars are stretched to their place, words are not.
const HEIGHT: f64 = 100.0;

/// One bar a day.
pub fn day_chart(
    days: &[UsageRow],
    label: &'static str,
    value: fn(&UsageRow) -> u64,
    shown: fn(u64) -> String,
) -> AnyView {
    let highest = days.iter().map(value).max().unwrap_or_default().max(1);
    let bars: Vec<AnyView> = days
        .iter()
        .enumerate()
        .map(|(index, day)| {
            let tall = HEIGHT * value(day) as f64 / highest as f64;
            let title = format!("{}: {}", day.name, shown(value(day)));
            view! {
                <rect
                    class="bar s1"
                    x=format!("{:.2}", index as f64 + 0.15)
                    y=format!("{:.2}", HEIGHT - tall)
                    width="0.7"
                    height=format!("{tall:.2}")
                >
                    <title>{title}</title>
                </rect>
            }
            .into_any()
        })
        .collect();
    let lines: Vec<AnyView> = (0..=4_u8)
        .map(|quarter| {
            let y = HEIGHT * f64::from(quarter) / 4.0;
            let class = if quarter == 4 {
                "axis-line"
            } else {
                "grid-line"
            };
            view! { <line class=class x1="0" x2=days.len() y1=y y2=y /> }.into_any()
        })
        .collect();
    let amounts: Vec<AnyView> = (0..=4_u64)
        .rev()
        .map(|quarter| view! { <span>{shown(highest * quarter / 4)}</span> }.into_any())
        .collect();
    let every = days.len().div_ceil(DATES).max(1);
    let dates: Vec<AnyView> = days
        .iter()
        .step_by(every)
        .map(|day| {
            let date = day.name.get(5..).unwrap_or_default().to_owned();
            view! { <span>{date}</span> }.into_any()
        })
        .collect();
    view! {
        <div class="chart-scale">
            <div class="chart-amounts" aria-hidden="true">
                {amounts}
            </div>
            <svg
                class="chart chart-days"
                viewBox=format!("0 0 {} {HEIGHT}", days.len().max(1))
                preserveAspectRatio="none"
                role="img"
                aria-label=label
            >
                {lines}
                {bars}
            </svg>
            <div class="chart-dates" aria-hidden="true">
                {dates}
            </div>
        </div>
    }
    .into_any()
}
