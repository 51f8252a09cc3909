//! PostgreSQL's tokens, as far as they decide where a statement ends.

use std::ops::Range;

use super::Engine;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// White space.
    Space,
    Comment,
    /// A keyword or a bare identifier.
    Word,
    /// Something in quotes, of any sort.
    Quoted,
    /// A dollar-quoted string, with the length of its delimiter.
    Dollar(usize),
    Semicolon,
    Open,
    Close,
    /// Outside quotes a backslash starts a command to psql.
    Backslash,
    /// An operator character, a number, anything else.
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
    /// A backslash escapes in every string, as it did before PostgreSQL 9.1 and does in Redshift.
    escapes: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, engine: Engine) -> Self {
        Self { text, at: 0, escapes: engine == Engine::Redshift }
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// The end of a run of bytes that fit.
    fn run(&self, from: usize, fits: impl Fn(u8) -> bool) -> usize {
        let rest = &self.text.as_bytes()[from..];
        from + rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len())
    }

    fn token(&self) -> (Kind, usize) {
        let at = self.at;
        match (self.byte(at), self.byte(at + 1)) {
            (b'-', b'-') => (Kind::Comment, self.run(at, |byte| byte != b'\n')),
            (b'/', b'*') => self.comment(),
            (b'\'', _) => self.quoted(at, b'\'', self.escapes),
            (b'"', _) => self.quoted(at, b'"', false),
            (b'e' | b'E', b'\'') => self.quoted(at + 1, b'\'', true),
            (b'$', _) => self.dollar(),
            (b';', _) => (Kind::Semicolon, at + 1),
            (b'(', _) => (Kind::Open, at + 1),
            (b')', _) => (Kind::Close, at + 1),
            (b'\\', _) => (Kind::Backslash, at + 1),
            (byte, _) if is_space(byte) => (Kind::Space, self.run(at, is_space)),
            (byte, _) if starts_word(byte) => {
                (Kind::Word, self.run(at, |b| starts_word(b) || b.is_ascii_digit() || b == b'$'))
            }
            (byte, _) if byte.is_ascii_digit() => {
                (Kind::Symbol, self.run(at, |b| b.is_ascii_alphanumeric() || b == b'_'))
            }
            _ => (Kind::Symbol, at + 1),
        }
    }

    /// Comments nest in PostgreSQL.
    fn comment(&self) -> (Kind, usize) {
        let mut depth = 1;
        let mut at = self.at + 2;
        while at < self.text.len() {
            match (self.byte(at), self.byte(at + 1)) {
                (b'/', b'*') => (depth, at) = (depth + 1, at + 2),
                (b'*', b'/') => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                return (Kind::Comment, at);
            }
        }
        (Kind::Unended("comment"), self.text.len())
    }

    /// A string or identifier whose quote is doubled inside, and with E'' also escaped.
    fn quoted(&self, open: usize, quote: u8, escapes: bool) -> (Kind, usize) {
        let mut at = open + 1;
        while at < self.text.len() {
            let byte = self.byte(at);
            if escapes && byte == b'\\' {
                at += 2;
            } else if byte != quote {
                at += 1;
            } else if self.byte(at + 1) == quote {
                at += 2;
            } else if let Some(again) = self.continued(at + 1).filter(|_| escapes) {
                at = again + 1;
            } else {
                return (Kind::Quoted, at + 1);
            }
        }
        let what = if quote == b'"' { "quoted name" } else { "string" };
        (Kind::Unended(what), self.text.len())
    }

    /// A string goes on, escapes and all, when only white space with a line end comes between.
    fn continued(&self, at: usize) -> Option<usize> {
        let end = self.run(at, is_space);
        (self.byte(end) == b'\'' && self.text[at..end].contains('\n')).then_some(end)
    }

    fn dollar(&self) -> (Kind, usize) {
        let at = self.at;
        let tag = self.run(at + 1, |byte| starts_word(byte) || byte.is_ascii_digit());
        if self.byte(tag) != b'$' || self.byte(at + 1).is_ascii_digit() {
            return (Kind::Symbol, at + 1);
        }
        let delimiter = &self.text[at..=tag];
        match self.text[tag + 1..].find(delimiter) {
            Some(found) => (Kind::Dollar(delimiter.len()), tag + 1 + found + delimiter.len()),
            None => (Kind::Unended("dollar-quoted string"), self.text.len()),
        }
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

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c')
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        Lexer::new(text, Engine::Postgres)
            .filter(|token| token.kind != Kind::Space)
            .map(|token| (token.kind, &text[token.range]))
            .collect()
    }

    #[test]
    fn quotes_hide_semicolons() {
        for text in [
            "'a;''b'",
            "\"a;\"\"b\"",
            "E'a\\';b'",
            "e'a'\n  'b\\';c'",
            "$$a;b$$",
            "$q$a;$$;$q$",
            "$_é1$;$_é1$",
            "U&'d\\0061;'",
        ] {
            assert!(!kinds(text).iter().any(|(kind, _)| *kind == Kind::Semicolon), "{text}");
        }
    }

    #[test]
    fn a_plain_string_does_not_escape() {
        assert_eq!(kinds("'a\\';")[1].0, Kind::Semicolon);
    }

    #[test]
    fn a_string_of_redshift_escapes() {
        let tokens: Vec<Token> = Lexer::new("'it\\'s;'", Engine::Redshift).collect();
        assert_eq!(tokens.len(), 1);
    }

    #[test]
    fn comments_nest() {
        assert_eq!(
            kinds("/* a /* ; */ ; */;"),
            [(Kind::Comment, "/* a /* ; */ ; */"), (Kind::Semicolon, ";")]
        );
    }

    #[test]
    fn dollars_that_quote_nothing() {
        assert_eq!(kinds("a$b$c;").len(), 2);
        assert_eq!(kinds("$1;$2").iter().filter(|(kind, _)| *kind == Kind::Semicolon).count(), 1);
    }

    #[test]
    fn what_never_ends_is_named() {
        for (text, what) in [
            ("'a", "string"),
            ("/* /* */", "comment"),
            ("$a$ $b$", "dollar-quoted string"),
            ("\"x", "quoted name"),
        ] {
            assert_eq!(kinds(text)[0].0, Kind::Unended(what), "{text}");
        }
    }

    proptest! {
        #[test]
        fn tokens_put_together_are_the_text(text in "[-ae$'\"\\\\;()/*\n é_1q]{0,60}|\\PC{0,60}") {
            let lexer = Lexer::new(&text, Engine::Postgres);
            let joined: String = lexer.map(|token| &text[token.range]).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
