//! The lines at the bottom of a terminal that are drawn again and again, and what scrolls away above
//! them.

use std::time::Duration;

use super::{elapsed, whole};
use crate::report::value::clipped;

/// Lines of fewer columns than this have no room for estimates.
const ROOMY: usize = 60;
/// Leaves lines cut at the edge instead of going on in the next one, which would be counted wrong.
const CUT: &str = "\u{1b}[?7l";
const WRAP: &str = "\u{1b}[?7h";
const CLEAR_BELOW: &str = "\r\u{1b}[J";

/// How much a terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Lines.
    pub rows: usize,
    /// Letters in a line.
    pub columns: usize,
}

/// Letters of a status that still say something.
const TELLING: usize = 5;

/// A step that is running.
#[derive(Clone, Debug)]
pub struct Line {
    /// What kind of thing.
    pub kind: &'static str,
    /// Which one.
    pub key: String,
    /// In the service's own words.
    pub status: String,
    /// How long already.
    pub elapsed: Duration,
    /// How long it typically takes.
    pub typical: Duration,
}

impl Line {
    /// What it is, whole.
    pub fn label(&self) -> String {
        format!("{} {}", self.kind, self.key)
    }

    /// Where there is little room, the key and the time count most.
    fn fitted(&self, columns: usize) -> String {
        let (name, time) = match columns {
            ROOMY.. => (self.label(), elapsed(self.elapsed, self.typical)),
            _ => (self.key.clone(), whole(self.elapsed)),
        };
        let room = columns.saturating_sub(time.chars().count() + 6).max(1);
        let name = clipped(&name, room);
        match room.saturating_sub(name.chars().count() + 2) {
            left @ TELLING.. => format!("  {name}  {}  {time}", clipped(&self.status, left)),
            _ => format!("  {name}  {time}"),
        }
    }
}

/// What is at the bottom: the running steps, as many as there is room for, and the totals.
pub fn frame(lines: &[Line], totals: &str, size: Size) -> Vec<String> {
    // The line below stays free for the cursor.
    let room = size.rows.saturating_sub(2);
    let shown = if lines.len() <= room { lines.len() } else { room.saturating_sub(1) };
    let mut frame: Vec<String> =
        lines[..shown].iter().map(|line| line.fitted(size.columns)).collect();
    if shown < lines.len() && room > 0 {
        frame.push(format!("  and {} more", lines.len() - shown));
    }
    frame.push(clipped(totals, size.columns.saturating_sub(2).max(1)));
    frame
}

/// What is drawn, and what waits to be.
#[derive(Debug, Default)]
pub struct Screen {
    frame: Vec<String>,
    waiting: String,
}

impl Screen {
    /// Says something above the frame when it is drawn next.
    pub fn say(&mut self, line: &str) {
        self.waiting.push_str(line);
        self.waiting.push('\n');
    }

    /// What to write so that the terminal shows the frame; nothing when it does already.
    pub fn draw(&mut self, frame: Vec<String>) -> String {
        if self.waiting.is_empty() && frame == self.frame {
            return String::new();
        }
        let mut out = match self.frame.len() {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}A"),
        };
        out.push_str(CLEAR_BELOW);
        out.push_str(&std::mem::take(&mut self.waiting));
        if !frame.is_empty() {
            out.push_str(CUT);
            for line in &frame {
                out.push_str(line);
                out.push_str("\r\n");
            }
            out.push_str(WRAP);
        }
        self.frame = frame;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<Line> {
        let line = |nth: usize| Line {
            kind: "rds_instance",
            key: format!("database-number-{nth}"),
            status: "configuring-enhanced-monitoring".to_owned(),
            elapsed: Duration::from_secs(200),
            typical: Duration::from_secs(480),
        };
        (0..count).map(line).collect()
    }

    #[test]
    fn a_thousand_steps_fit_a_window() {
        for (rows, columns) in [(24, 80), (24, 40), (5, 20), (1, 1)] {
            let size = Size { rows, columns };
            for count in [0, 1, rows, 1000] {
                let frame = frame(&lines(count), "12 of 1000 steps, about 9 min left", size);
                assert!(frame.len() < rows.max(2), "{count} in {rows}: {frame:?}");
                let wide = frame.iter().all(|line| line.chars().count() < columns);
                assert!(columns < 30 || wide, "{columns}: {frame:#?}");
            }
        }
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let frame = frame(&lines(320), "8 of 328 steps", Size { rows: 6, columns: 100 });
        assert_eq!(
            frame,
            [
                "  rds_instance database-number-0  configuring-enhanced-monitoring  3 min 20 s of about 8 min",
                "  rds_instance database-number-1  configuring-enhanced-monitoring  3 min 20 s of about 8 min",
                "  rds_instance database-number-2  configuring-enhanced-monitoring  3 min 20 s of about 8 min",
                "  and 317 more",
                "8 of 328 steps",
            ]
        );
    }

    #[test]
    fn a_narrow_window_keeps_the_name_and_the_time() {
        let size = Size { rows: 24, columns: 40 };
        assert_eq!(frame(&lines(1), "1 step", size)[0], "  database-number-0  confi…  3 min 20 s");
    }

    #[test]
    fn only_what_changed_is_drawn() {
        let mut screen = Screen::default();
        let frame = || vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(screen.draw(frame()), "\r\u{1b}[J\u{1b}[?7lone\r\ntwo\r\n\u{1b}[?7h");
        assert_eq!(screen.draw(frame()), "");
        screen.say("done");
        assert!(screen.draw(frame()).starts_with("\u{1b}[2A\r\u{1b}[Jdone\n\u{1b}[?7lone"));
        assert_eq!(screen.draw(Vec::new()), "\u{1b}[2A\r\u{1b}[J");
    }
}
