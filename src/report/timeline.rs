//! A run as a picture: when each step ran, what it waited for, and the critical path.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::history::{Record, RecordedStep};

const LABELS: f64 = 280.0;
const CHART: f64 = 820.0;
const ROW: f64 = 20.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 44.0;
const RIGHT: f64 = 90.0;
/// The shortest bar that can still be seen.
const SLIVER: f64 = 2.0;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#24292f}\
.faint{fill:#6e7781}.title{font-weight:600;font-size:14px}\
.grid{stroke:#d0d7de;stroke-width:1}.wait{stroke:#8c959f;stroke-width:1;fill:none}\
.create{fill:#2da44e}.update,.adopt{fill:#bf8700}.seed{fill:#0969da}.delete{fill:#cf222e}\
.retain{fill:#8c959f}.failed{fill:#fff;stroke:#cf222e;stroke-width:2}\
.unfinished{fill:#fff;stroke:#bf8700;stroke-width:2;stroke-dasharray:4 3}\
.critical{stroke:#24292f;stroke-width:2}";

/// A run as an SVG. Steps that never began are left out.
pub fn svg(record: &Record) -> String {
    let mut rows: Vec<usize> = (0..record.steps.len()).collect();
    rows.retain(|row| record.steps[*row].began.is_some());
    rows.sort_by(|one, other| begin(&record.steps[*one]).total_cmp(&begin(&record.steps[*other])));
    let whole = rows.iter().map(|row| end(&record.steps[*row])).fold(0.0, f64::max).max(0.001);
    let critical = critical_path(&record.steps);
    let width = LABELS + CHART + RIGHT;
    let height = TOP + rows.len() as f64 * ROW + BOTTOM;
    let at = |seconds: f64| LABELS + seconds / whole * CHART;
    let middle = |row: usize| {
        let place = rows.iter().position(|one| *one == row).unwrap_or_default();
        TOP + place as f64 * ROW + ROW / 2.0
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\
         <title>{title}</title><style>{STYLE}</style>\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\
         <text class=\"title\" x=\"16\" y=\"26\">{title}</text>\
         <text class=\"faint\" x=\"16\" y=\"44\">{since}; outlined: the critical path</text>\n",
        title = escaped(&format!("{} {}: {}", record.command, record.stack, shown(whole))),
        since = escaped(&record.since.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
    );
    for tick in ticks(whole) {
        let x = at(tick);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>\
             <text class=\"faint\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            height - BOTTOM + 6.0,
            height - BOTTOM + 22.0,
            shown(tick),
        );
    }
    for row in &rows {
        let step = &record.steps[*row];
        if let Some(cause) = last_need(&record.steps, step) {
            let (x, y) = (at(end(&record.steps[cause])), middle(cause));
            let (to, below) = (at(begin(step)), middle(*row));
            let _ =
                writeln!(out, "<path class=\"wait\" d=\"M{x:.1} {y:.1} V{below:.1} H{to:.1}\"/>");
        }
    }
    for row in &rows {
        out.push_str(&bar(&record.steps[*row], middle(*row), &at, critical.contains(row)));
    }
    out.push_str("</svg>\n");
    out
}

fn bar(step: &RecordedStep, middle: f64, at: &impl Fn(f64) -> f64, critical: bool) -> String {
    let (left, right) = (at(begin(step)), at(end(step)));
    let width = (right - left).max(SLIVER);
    let class = match step.result.as_str() {
        ended @ ("failed" | "unfinished") => ended,
        _ => &step.action,
    };
    let critical = if critical { " critical" } else { "" };
    let took = shown(step.seconds.unwrap_or_default());
    let label = format!("{} {}", step.kind, step.key);
    format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect class=\"{class}{critical}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" \
         height=\"{:.1}\" rx=\"2\"><title>{}</title></rect>\
         <text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\">{took}</text>\n",
        LABELS - 10.0,
        middle + 4.0,
        escaped(&clipped(&label, 40)),
        middle - ROW / 2.0 + 4.0,
        ROW - 8.0,
        escaped(&format!("{} {label}: {} in {took}", step.action, step.result)),
        left + width + 6.0,
        middle + 4.0,
    )
}

fn begin(step: &RecordedStep) -> f64 {
    step.began.unwrap_or_default()
}

fn end(step: &RecordedStep) -> f64 {
    begin(step) + step.seconds.unwrap_or_default()
}

/// Of what a step waited for, the one that kept it longest.
fn last_need(steps: &[RecordedStep], step: &RecordedStep) -> Option<usize> {
    let needs = step.needs.iter().copied().filter(|need| steps.get(*need).is_some());
    needs.max_by(|one, other| end(&steps[*one]).total_cmp(&end(&steps[*other])))
}

/// The chain of steps that kept each other waiting, back from the one that ended last.
fn critical_path(steps: &[RecordedStep]) -> BTreeSet<usize> {
    let mut path = BTreeSet::new();
    let all = (0..steps.len()).filter(|row| steps[*row].began.is_some());
    let mut next = all.max_by(|one, other| end(&steps[*one]).total_cmp(&end(&steps[*other])));
    // A record is only a file: one whose steps wait for each other ends too.
    while let Some(row) = next.filter(|row| path.insert(*row)) {
        next = last_need(steps, &steps[row]);
    }
    path
}

/// Round marks on the axis, six or so.
fn ticks(whole: f64) -> Vec<f64> {
    const STEPS: &[f64] = &[
        0.001, 0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0,
        1800.0, 3600.0,
    ];
    let step = STEPS.iter().copied().find(|step| whole / step <= 8.0).unwrap_or(whole / 4.0);
    (0..=8).map(|n| f64::from(n) * step).filter(|at| *at <= whole).collect()
}

fn shown(seconds: f64) -> String {
    super::progress::time(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{kept}…")
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record() -> Record {
        let step = |key: &str, needs: &[usize], began: f64, seconds: f64| {
            json!({
                "key": key, "kind": "toy", "name": key, "action": "create", "result": "done",
                "needs": needs, "began": began, "seconds": seconds,
            })
        };
        serde_json::from_value(json!({
            "format": "lagoa.run/1", "stack": "s<1>", "run": "r", "command": "apply", "user": "u",
            "host": "h", "pid": 1, "since": "2026-01-01T00:00:00Z", "caller": "", "lagoa": "0",
            "digest": "", "outcome": "done",
            "steps": [
                step("slow", &[], 0.0, 60.0), step("quick", &[], 0.0, 1.0),
                step("after", &[0, 1], 60.0, 30.0), step("aside", &[1], 1.0, 2.0),
            ],
        }))
        .unwrap()
    }

    #[test]
    fn the_critical_path_is_what_kept_the_last_one() {
        assert_eq!(critical_path(&record().steps), BTreeSet::from([0, 2]));
    }

    #[test]
    fn steps_that_wait_for_each_other_or_for_nobody_end() {
        let mut record = record();
        record.steps[0].needs = vec![2, 99];
        assert_eq!(critical_path(&record.steps), BTreeSet::from([0, 2]));
        assert!(svg(&record).ends_with("</svg>\n"));
    }

    #[test]
    fn a_picture_has_a_bar_for_each_step_and_no_markup_of_others() {
        let mut record = record();
        record.steps[3].began = None;
        let svg = svg(&record);
        assert_eq!(svg.matches("<rect class=").count(), 3);
        assert_eq!(svg.matches(" critical\"").count(), 2);
        assert!(svg.contains("s&lt;1&gt;") && !svg.contains("s<1>"));
        assert!(svg.contains("1 min 30 s"));
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(90.0), [0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0]);
        for whole in [0.001, 0.3, 7.0, 400.0, 40_000.0] {
            assert!((2..=9).contains(&ticks(whole).len()), "{whole}: {:?}", ticks(whole));
        }
    }
}
