//! The tokens of MySQL and MariaDB, as far as they decide where a statement ends.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    /// One that no server runs.
    Comment,
    /// A keyword, a bare identifier or a number.
    Word,
    /// Something in quotes, of any sort.
    Quoted,
    /// What ends a statement, as last set by DELIMITER.
    Delimiter,
    /// A semicolon while something else is the delimiter.
    Semicolon,
    Open,
    Close,
    /// The start or end of a comment that servers from some version on run: `/*!50001` and `*/`.
    Version,
    /// Outside quotes a backslash starts a command to the client.
    Backslash,
    Symbol,
    /// Something that is opened and never closed, and what it is.
    Unended(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// Cuts a text into tokens that, put together, are the text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    pub(super) at: usize,
    pub(super) delimiter: String,
    in_version: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, delimiter: ";".to_owned(), in_version: false }
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn run(&self, from: usize, fits: impl Fn(usize, u8) -> bool) -> usize {
        let rest = &self.text.as_bytes()[from..];
        let end = rest.iter().enumerate().position(|(index, byte)| !fits(from + index, *byte));
        from + end.unwrap_or(rest.len())
    }

    fn is_delimiter(&self, at: usize) -> bool {
        self.text.as_bytes()[at..].starts_with(self.delimiter.as_bytes())
    }

    fn token(&mut self) -> (Kind, usize) {
        let at = self.at;
        if self.is_delimiter(at) {
            return (Kind::Delimiter, at + self.delimiter.len());
        }
        match (self.byte(at), self.byte(at + 1)) {
            (b'#', _) => (Kind::Comment, self.line_end()),
            // Two dashes alone are an operator: `5--1` is 6.
            (b'-', b'-') if at + 2 >= self.text.len() || self.byte(at + 2) <= b' ' => {
                (Kind::Comment, self.line_end())
            }
            (b'/', b'*') => self.comment(),
            (b'*', b'/') if self.in_version => {
                self.in_version = false;
                (Kind::Version, at + 2)
            }
            (quote @ (b'\'' | b'"'), _) => self.quoted(quote, true),
            (b'`', _) => self.quoted(b'`', false),
            (b';', _) => (Kind::Semicolon, at + 1),
            (b'(', _) => (Kind::Open, at + 1),
            (b')', _) => (Kind::Close, at + 1),
            (b'\\', _) => (Kind::Backslash, at + 1),
            (byte, _) if byte.is_ascii_whitespace() => {
                (Kind::Space, self.run(at, |_, byte| byte.is_ascii_whitespace()))
            }
            (byte, _) if in_word(byte) => {
                let first = self.delimiter.as_bytes()[0];
                let fits = |at, byte| in_word(byte) && (byte != first || !self.is_delimiter(at));
                (Kind::Word, self.run(at, fits))
            }
            _ => (Kind::Symbol, at + 1),
        }
    }

    fn line_end(&self) -> usize {
        self.run(self.at, |_, byte| byte != b'\n')
    }

    fn comment(&mut self) -> (Kind, usize) {
        let at = self.at;
        let rest = &self.text[at..];
        let versioned = rest.strip_prefix("/*M!").or_else(|| rest.strip_prefix("/*!"));
        if let Some(body) = versioned {
            let digits = body.bytes().take(6).take_while(u8::is_ascii_digit).count();
            // A version that never comes, as in the first line that mariadb-dump writes.
            if &body[..digits] != "999999" {
                self.in_version = true;
                return (Kind::Version, self.text.len() - body.len() + digits);
            }
        }
        match rest[2..].find("*/") {
            Some(end) => (Kind::Comment, at + 2 + end + 2),
            None => (Kind::Unended("comment"), self.text.len()),
        }
    }

    fn quoted(&self, quote: u8, escapes: bool) -> (Kind, usize) {
        let mut at = self.at + 1;
        while at < self.text.len() {
            match self.byte(at) {
                b'\\' if escapes => at += 2,
                byte if byte != quote => at += 1,
                _ if self.byte(at + 1) == quote => at += 2,
                _ => return (Kind::Quoted, at + 1),
            }
        }
        let what = if quote == b'`' { "quoted name" } else { "string" };
        (Kind::Unended(what), self.text.len())
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if self.at >= self.text.len() {
            return None;
        }
        let (kind, mut end) = self.token();
        end = end.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let range = self.at..end;
        self.at = end;
        Some(Token { kind, range })
    }
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delimiters(text: &str) -> usize {
        Lexer::new(text).filter(|token| token.kind == Kind::Delimiter).count()
    }

    #[test]
    fn quotes_and_comments_hide_delimiters() {
        for text in [
            "'a\\';'",
            "\"a\"\";\"",
            "`a``;`",
            "-- ;",
            "# ;",
            "/* ; */",
            "'\\\\\\';'",
            "/*M!999999\\- enable; */",
        ] {
            assert_eq!(delimiters(text), 0, "{text}");
        }
        for text in ["5--1;", "`\\`;", "/* /* */;", "'\\\\';"] {
            assert_eq!(delimiters(text), 1, "{text}");
        }
    }

    #[test]
    fn a_delimiter_ends_a_word() {
        let mut lexer = Lexer::new("end$$");
        lexer.delimiter = "$$".to_owned();
        let kinds: Vec<Kind> = lexer.map(|token| token.kind).collect();
        assert_eq!(kinds, [Kind::Word, Kind::Delimiter]);
    }

    #[test]
    fn versioned_comments_are_code() {
        let text = "/*!50001 CREATE */ /*M!100100 x*/";
        let words: Vec<&str> = Lexer::new(text)
            .filter(|token| token.kind == Kind::Word)
            .map(|token| &text[token.range])
            .collect();
        assert_eq!(words, ["CREATE", "x"]);
    }

    proptest! {
        #[test]
        fn tokens_put_together_are_the_text(text in "[-a#'\"`\\\\;()/*!M9\n é]{0,60}|\\PC{0,60}") {
            let joined: String = Lexer::new(&text).map(|token| &text[token.range]).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
