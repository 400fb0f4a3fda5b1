//! Graphs of what a container uses, drawn on the server so that the browser half stays small.

use std::fmt::Write;

use domain::containers::{ContainerReport, Resources};

/// Size of a drawing; it is stretched to its place.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;
/// Looks across the whole width: ten minutes of every 5 s.
const LOOKS: f64 = 119.0;

/// Two graphs as HTML of our own making: numbers and nothing that anybody typed.
pub fn markup(report: &ContainerReport, resources: Resources) -> String {
    if !report.is_running || report.samples.len() < 2 {
        return String::new();
    }
    let samples = &report.samples;
    let cpu: Vec<f64> = samples.iter().map(|it| f64::from(it.cpu_millis)).collect();
    let memory: Vec<f64> = samples.iter().map(|it| it.memory_bytes as f64).collect();
    let last = samples.last();
    let percent = last.map_or(0.0, |it| f64::from(it.cpu_millis) / 10.0);
    let mib = last.map_or(0, |it| it.memory_bytes >> 20);
    let of_cpu = f64::from(resources.cpu_millis) / 10.0;
    let mut html = String::new();
    let cpu_label = format!("{percent:.1} % of {of_cpu:.0} % processor");
    graph(&mut html, &cpu_label, &cpu, f64::from(resources.cpu_millis));
    let limit = f64::from(resources.memory_mb) * 1_048_576.0;
    let memory_label = format!("{mib} of {} MiB memory", resources.memory_mb);
    graph(&mut html, &memory_label, &memory, limit);
    html
}

/// The newest value is at the right edge; the top is the limit, or a little above what was used if
/// that is far below, so that the line shows something.
fn graph(html: &mut String, label: &str, values: &[f64], limit: f64) {
    let peak = values.iter().copied().fold(0.0, f64::max);
    let top = if peak * 4.0 < limit {
        peak * 2.0
    } else {
        limit.max(peak)
    };
    let top = top.max(1.0);
    let first = LOOKS - (values.len() as f64 - 1.0);
    let mut points = String::new();
    for (place, value) in values.iter().enumerate() {
        let x = (first + place as f64).max(0.0) / LOOKS * WIDTH;
        let y = HEIGHT - 1.0 - value / top * (HEIGHT - 2.0);
        // Writing to a text does not fail.
        let _ = write!(points, "{x:.1},{y:.1} ");
    }
    let points = points.trim_end();
    let _ = write!(
        html,
        "<figure class=\"grid gap-1\"><figcaption class=\"text-xs text-ink-2 tabular-nums\">{label}\
         </figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" \
         class=\"w-full h-12 rounded-sm bg-sunken text-accent\" role=\"img\" aria-label=\"{label}, \
         last ten minutes\"><polyline points=\"{points}\" fill=\"none\" stroke=\"currentColor\" \
         stroke-width=\"1.5\" vector-effect=\"non-scaling-stroke\"/></svg></figure>"
    );
}

#[cfg(test)]
mod tests {
    use domain::containers::ContainerSample;

    use super::*;

    fn report(values: &[(u32, u64)]) -> ContainerReport {
        let sample = |(cpu_millis, memory_bytes): &(u32, u64)| ContainerSample {
            time: time::OffsetDateTime::UNIX_EPOCH.into(),
            cpu_millis: *cpu_millis,
            memory_bytes: *memory_bytes,
        };
        ContainerReport {
            is_running: true,
            samples: values.iter().map(sample).collect(),
            ..ContainerReport::default()
        }
    }

    #[test]
    fn newest_look_is_at_the_right_and_the_limit_at_the_top() {
        let used = report(&[(0, 0), (1000, 512 << 20)]);

        let html = markup(&used, Resources::default());

        assert!(html.contains("100.0 % of 100 % processor"), "{html}");
        assert!(html.contains("512 of 512 MiB memory"), "{html}");
        assert_eq!(html.matches("238.0,47.0 240.0,1.0").count(), 2, "{html}");
    }

    #[test]
    fn nothing_is_drawn_of_a_single_look() {
        assert_eq!(markup(&report(&[(5, 5)]), Resources::default()), "");
    }
}
