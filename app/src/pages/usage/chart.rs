//! Bars of days.

use domain::usage::UsageRow;
use leptos::prelude::*;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 200.0;
/// Days that have their date below; with more, only some do.
const LABELS: usize = 15;

/// One bar a day.
pub fn day_chart(
    days: &[UsageRow],
    label: &'static str,
    value: fn(&UsageRow) -> u64,
    shown: fn(u64) -> String,
) -> AnyView {
    let highest = days.iter().map(value).max().unwrap_or_default().max(1);
    let step = (WIDTH - LEFT) / days.len().max(1) as f64;
    let every = days.len().div_ceil(LABELS).max(1);
    let height = |amount: u64| (BOTTOM - TOP) * amount as f64 / highest as f64;
    let bars: Vec<AnyView> = days
        .iter()
        .enumerate()
        .map(|(index, day)| {
            let x = LEFT + step * index as f64 + step * 0.15;
            let tall = height(value(day));
            let date = (index % every == 0).then(|| {
                let date = day.name.get(5..).unwrap_or_default().to_owned();
                let middle = format!("{:.1}", x + step * 0.35);
                view! {
                    <text x=middle y="218" text-anchor="middle">
                        {date}
                    </text>
                }
                .into_any()
            });
            let title = format!("{}: {}", day.name, shown(value(day)));
            view! {
                <rect
                    class="bar s1"
                    x=format!("{x:.1}")
                    y=format!("{:.1}", BOTTOM - tall)
                    width=format!("{:.1}", step * 0.7)
                    height=format!("{tall:.1}")
                >
                    <title>{title}</title>
                </rect>
                {date}
            }
            .into_any()
        })
        .collect();
    let lines: Vec<AnyView> = (0..=4)
        .map(|quarter| {
            let y = BOTTOM - (BOTTOM - TOP) * f64::from(quarter) / 4.0;
            let class = if quarter == 0 {
                "axis-line"
            } else {
                "grid-line"
            };
            let amount = shown(highest * quarter as u64 / 4);
            view! {
                <line class=class x1=LEFT x2=WIDTH y1=y y2=y />
                <text x=LEFT - 8.0 y=y + 3.5 text-anchor="end">
                    {amount}
                </text>
            }
            .into_any()
        })
        .collect();
    view! {
        <svg class="chart" viewBox="0 0 760 224" role="img" aria-label=label>
            {lines}
            {bars}
        </svg>
    }
    .into_any()
}
