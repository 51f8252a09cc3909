//! Workflow commands: lines of a step's output that the runner takes as orders.

/// How bad what an annotation tells is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Red.
    Error,
    /// Yellow.
    Warning,
}

/// Where an annotation points: a file from the root of the repository, all counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub file: String,
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// Column behind the last one.
    pub end_column: usize,
}

/// A message that GitHub shows beside a line of a file and on the run's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How bad it is.
    pub level: Level,
    /// What is printed bold above it.
    pub title: String,
    /// What it says.
    pub message: String,
    /// Where it points.
    pub spot: Option<Spot>,
}

impl Annotation {
    /// As a line of output.
    pub fn line(&self) -> String {
        let word = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let mut properties = Vec::new();
        if let Some(spot) = &self.spot {
            properties.push(format!("file={}", property(&spot.file)));
            properties.push(format!("line={},endLine={}", spot.line, spot.end_line));
            // GitHub takes columns only within one line.
            if spot.line == spot.end_line {
                properties.push(format!("col={},endColumn={}", spot.column, spot.end_column));
            }
        }
        properties.push(format!("title={}", property(&self.title)));
        format!("::{word} {}::{}\n", properties.join(","), data(&self.message))
    }
}

/// The line that keeps a text out of the run's log from here on.
pub fn mask(text: &str) -> String {
    format!("::add-mask::{}\n", data(text))
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The text with nothing in it that the runner would obey. It takes `::word` where a line begins,
/// and the older `##[word]` anywhere; a zero-width space between stands in its way.
pub fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let start = line.len() - line.trim_start().len();
        let (indent, rest) = line.split_at(start);
        out.push_str(indent);
        match rest.strip_prefix("::") {
            Some(rest) => out.push_str(&format!(":\u{200b}:{rest}").replace("##[", "#\u{200b}#[")),
            None => out.push_str(&rest.replace("##[", "#\u{200b}#[")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_one_line_each_whatever_they_say() {
        let spot =
            Spot { file: "a,b:c.yaml".into(), line: 3, column: 5, end_line: 3, end_column: 9 };
        let annotation = Annotation {
            level: Level::Error,
            title: "50%, more: or less\n::warning::x".into(),
            message: "first\r\n::set-output name=x::100%".into(),
            spot: Some(spot),
        };
        assert_eq!(
            annotation.line(),
            "::error file=a%2Cb%3Ac.yaml,line=3,endLine=3,col=5,endColumn=9,\
             title=50%25%2C more%3A or less%0A%3A%3Awarning%3A%3Ax::\
             first%0D%0A::set-output name=x::100%25\n"
        );
    }

    #[test]
    fn columns_are_left_out_over_several_lines() {
        let spot = Spot { file: "a".into(), line: 3, column: 5, end_line: 4, end_column: 1 };
        let warning = Annotation {
            level: Level::Warning,
            title: "t".into(),
            message: "m".into(),
            spot: Some(spot),
        };
        assert_eq!(warning.line(), "::warning file=a,line=3,endLine=4,title=t::m\n");
        let bare = Annotation { spot: None, ..warning };
        assert_eq!(bare.line(), "::warning title=t::m\n");
    }

    #[test]
    fn quoted_text_gives_no_orders() {
        let text = "a ::b\n  ::error::x\n::add-mask::y\r::stop-commands::z\nx ##[error]y";
        let inert = inert(text);
        for line in inert.split(['\n', '\r']) {
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
        }
        assert_eq!(inert.replace('\u{200b}', ""), text);
    }
}
