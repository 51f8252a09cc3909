//! Text that stays text in GitHub's Markdown, whatever is in it.
//!
//! Keys, names, tags and messages of AWS come from outside. Every character that could mean
//! something to Markdown or HTML is written as an entity, and what GitHub would make a mention, a
//! reference or a link of is broken up by a zero-width space, so that nobody is notified.

use std::fmt::Write;

/// What breaks up a mention and is not seen.
const BREAK: char = '\u{200b}';
/// Characters of one text that are shown.
const WIDTH: usize = 800;

/// Prose: text that means nothing to Markdown, HTML and GitHub.
pub fn plain(text: &str) -> String {
    let text = visible(&clipped(text));
    let mut out = String::with_capacity(text.len());
    let characters: Vec<char> = text.chars().collect();
    for (at, &c) in characters.iter().enumerate() {
        let rest = &characters[at + 1..];
        let before = &characters[..at];
        let breaks_before = match c {
            '-' => is_issue_prefix(before) && rest.first().is_some_and(char::is_ascii_digit),
            '.' => ends_with(before, "www"),
            '/' => before.last() == Some(&':'),
            _ => false,
        };
        if breaks_before {
            out.push(BREAK);
        }
        literal(c, &mut out);
        if matches!(c, '@' | '#') {
            out.push(BREAK);
        }
    }
    out
}

fn is_issue_prefix(before: &[char]) -> bool {
    matches!(before, [.., 'g' | 'G', 'h' | 'H'])
}

fn ends_with(before: &[char], word: &str) -> bool {
    let tail = before.len().checked_sub(word.len()).map(|from| &before[from..]);
    tail.is_some_and(|tail| tail.iter().collect::<String>().eq_ignore_ascii_case(word))
}

/// A name or value, as code. GitHub looks for no mentions there.
pub fn code(text: &str) -> String {
    let mut out = "<code>".to_owned();
    visible(&clipped(text)).chars().for_each(|c| literal(c, &mut out));
    out.push_str("</code>");
    out
}

/// Prose in which what stands between backticks is code, as lagoa's own sentences have it.
pub fn prose(text: &str) -> String {
    let text = clipped(text);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return plain(&text);
    }
    let each = parts.iter().enumerate().map(|(number, part)| match number % 2 {
        0 => plain(part),
        _ if part.is_empty() => String::new(),
        _ => code(part),
    });
    each.collect()
}

/// Lines between fences, which nothing in them can close. Ends with a line end.
pub fn fence(language: &str, lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| visible(line)).collect();
    let run = |line: &String| line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let longest = lines.iter().map(run).max().unwrap_or(0);
    let mark = "`".repeat(longest.max(2) + 1);
    format!("{mark}{language}\n{}\n{mark}\n", lines.join("\n"))
}

/// A link with an address that lagoa made.
pub fn link(address: &str, words: &str) -> String {
    let href = address.replace('&', "&amp;").replace('"', "&quot;");
    let href = href.replace('<', "&lt;").replace('>', "&gt;");
    format!("<a href=\"{href}\">{words}</a>")
}

fn literal(c: char, out: &mut String) {
    match c {
        // GitHub looks for formulas between dollar signs, but not inside of elements.
        '$' => out.push_str("<span>&#36;</span>"),
        c if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '-' | '/' | ';' | '?' | '%') => {
            let _ = write!(out, "&#{};", u32::from(c));
        }
        c => out.push(c),
    }
}

fn clipped(text: &str) -> String {
    super::super::value::clipped(text, WIDTH)
}

/// One line, without what steers a terminal or turns the direction of reading.
fn visible(text: &str) -> String {
    let shown = |c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_prose_means_anything() {
        let text =
            plain("a|b `c` <img> **d** @team #12 GH-3 www.x.y https://z [e](f) &amp; ${g}\n# h");
        for sign in
            ["|", "`", "<img", "**", "@", "&#35;12", "GH-3", "www.", "://", "[", "](", "&amp;"]
        {
            assert!(!text.contains(sign), "{sign} is in {text}");
        }
        assert!(!text.contains('\n'));
    }

    #[test]
    fn lagoas_own_words_keep_their_code() {
        assert_eq!(prose("set `adopt: true` there"), "set <code>adopt&#58; true</code> there");
        assert_eq!(prose("an odd ` stays"), "an odd &#96; stays");
        assert_eq!(prose("a `</code><b>` b"), "a <code>&#60;/code&#62;&#60;b&#62;</code> b");
    }

    #[test]
    fn a_fence_is_longer_than_any_run_of_backticks_in_it() {
        let lines = ["a".to_owned(), "````".to_owned(), "x\ny".to_owned()];
        assert_eq!(fence("diff", &lines), "`````diff\na\n````\nx y\n`````\n");
    }
}
