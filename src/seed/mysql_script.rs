//! Reading a script for MySQL or MariaDB, which its client, not the server, cuts into statements.

use std::collections::BTreeMap;
use std::ops::Range;

use super::error::SeedProblem;
use super::mysql_ddl;
use super::mysql_lexer::{Kind, Lexer, Token};
use super::script::{self, InDoubt, Nature, Statement, WORDS, Words};
use super::source::{self, Source};

/// Commands of the client that stand alone on a line.
const CLIENT_COMMANDS: [&str; 10] = [
    "source", "system", "tee", "notee", "pager", "nopager", "connect", "prompt", "edit", "charset",
];

/// A script cut into statements.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) source: Source,
    pub(super) statements: Vec<Statement>,
    pub(super) warnings: Vec<String>,
}

impl Script {
    pub(super) fn text(&self, index: usize) -> &str {
        &self.source.text[self.statements[index].range.clone()]
    }
}

/// Reads a script that has its line ends and encoding in order.
pub(super) fn parse(
    path: &str,
    text: String,
    with: &BTreeMap<String, String>,
) -> (Script, Vec<SeedProblem>) {
    let (source, problems) = source::fill(path, text, with, &[]);
    let script = Script { source, statements: Vec::new(), warnings: Vec::new() };
    let mut reader = Reader { script, problems };
    reader.read();
    (reader.script, reader.problems)
}

/// What has been seen of the statement being read.
#[derive(Default)]
struct Scan {
    start: Option<usize>,
    end: usize,
    words: Words,
    parentheses: usize,
    /// A body that began, and the word that came last.
    begins: bool,
    ends: bool,
    /// Where a semicolon was that didn't end the statement, and whether something followed it.
    semicolon: Option<usize>,
    goes_on: bool,
}

impl Scan {
    fn take(&mut self, text: &str, token: &Token) {
        match token.kind {
            Kind::Space | Kind::Comment => return,
            Kind::Open => self.parentheses += 1,
            Kind::Close => self.parentheses = self.parentheses.saturating_sub(1),
            Kind::Semicolon => {
                self.semicolon.get_or_insert(token.range.start);
                return;
            }
            Kind::Word if self.parentheses == 0 => self.word(&text[token.range.clone()]),
            _ => {}
        }
        self.start.get_or_insert(token.range.start);
        self.goes_on = self.semicolon.is_some();
        self.end = token.range.end;
    }

    fn word(&mut self, word: &str) {
        self.begins |= word.eq_ignore_ascii_case("begin");
        self.ends |= self.begins && word.eq_ignore_ascii_case("end");
        if self.words.len() < WORDS {
            self.words.push(word.to_lowercase());
        }
    }
}

struct Reader {
    script: Script,
    problems: Vec<SeedProblem>,
}

impl Reader {
    fn read(&mut self) {
        let text = self.script.source.text.clone();
        let mut lexer = Lexer::new(&text);
        let mut scan = Scan::default();
        let mut starts_line = true;
        while let Some(token) = lexer.next() {
            let at = token.range.start;
            let first = starts_line;
            let breaks = || text[token.range.clone()].contains('\n');
            starts_line = token.kind == Kind::Space && (first || breaks());
            match token.kind {
                Kind::Unended(what) => {
                    self.problem(at, format!("this {what} is never closed"), "");
                    return;
                }
                Kind::Delimiter => self.statement(&text, std::mem::take(&mut scan)),
                Kind::Backslash => lexer.at = self.client_command(&text, at, "take it out"),
                Kind::Word if scan.start.is_none() && first => {
                    if !self.line_command(&text, &token, &mut lexer) {
                        scan.take(&text, &token);
                    }
                }
                _ => scan.take(&text, &token),
            }
        }
        self.statement(&text, scan);
    }

    /// Handles what the client takes as a line, not as a statement.
    fn line_command(&mut self, text: &str, token: &Token, lexer: &mut Lexer<'_>) -> bool {
        let at = token.range.start;
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let word = text[token.range.clone()].to_lowercase();
        if word == "delimiter" {
            match text[token.range.end..end].split_whitespace().next() {
                Some(delimiter) => lexer.delimiter = delimiter.to_owned(),
                None => self.problem(at, "DELIMITER needs a delimiter".to_owned(), ""),
            }
            lexer.at = end;
            return true;
        }
        if word == "use" && !text[at..end].contains(&lexer.delimiter) {
            let mut scan = Scan::default();
            scan.take(text, token);
            scan.end = at + text[at..end].trim_end().len();
            lexer.at = end;
            self.statement(text, scan);
            return true;
        }
        let alone =
            text[token.range.end..].starts_with([' ', '\n']) || token.range.end == text.len();
        if CLIENT_COMMANDS.contains(&word.as_str()) && alone {
            lexer.at = self.client_command(text, at, "list the files in the stack instead");
            return true;
        }
        false
    }

    /// Refuses a command of the client by name, and skips its line.
    fn client_command(&mut self, text: &str, at: usize, remedy: &str) -> usize {
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let name = text[at..end].split_whitespace().next().unwrap_or("\\");
        let message = format!("`{name}` is a command of the mysql client, not SQL");
        let remedy = if name == "\\." { "list the files in the stack instead" } else { remedy };
        self.problem(at, message, remedy);
        end
    }

    fn statement(&mut self, text: &str, scan: Scan) {
        let Some(start) = scan.start else { return };
        // A versioned comment with nothing in it, or only quotes: nothing a server would run.
        if scan.words.is_empty() && scan.parentheses == 0 && text[start..scan.end].starts_with("/*")
        {
            return;
        }
        let range = start..scan.end;
        let class = script::class(&scan.words);
        self.check(&range, &class, &scan);
        self.warn(text, &range);
        let own = &text[range.clone()];
        self.script.statements.push(Statement {
            nature: nature(&class, &scan.words, own),
            destroys: script::destroys(&scan.words, || false),
            class,
            range,
        });
    }

    fn check(&mut self, range: &Range<usize>, class: &str, scan: &Scan) {
        let routine = ["create procedure", "create function", "create trigger", "create event"]
            .contains(&class);
        if routine && scan.begins && !scan.ends {
            let message = format!("this {class} is cut off at its first semicolon");
            self.problem(range.start, message, "put `DELIMITER //` before it and `//` after it");
        }
        if let Some(at) = scan.semicolon.filter(|_| scan.goes_on && !routine) {
            self.problem(
                at,
                "several statements end with one delimiter".to_owned(),
                "put the delimiter after each of them",
            );
        }
        if ["rollback", "savepoint", "release", "xa"].contains(&class) {
            let message = format!("`{}` can't be part of a seed", class.to_uppercase());
            self.problem(range.start, message, "take it out; lagoa takes care of transactions");
        }
        let sets_autocommit =
            class == "set" && scan.words.iter().skip(2).any(|word| word == "autocommit");
        if sets_autocommit {
            self.problem(
                range.start,
                "`autocommit` can't be set among other things".to_owned(),
                "take it out; lagoa takes care of transactions",
            );
        }
    }

    fn warn(&mut self, text: &str, range: &Range<usize>) {
        let head: String = text[range.clone()].chars().take(200).collect::<String>().to_uppercase();
        let line = self.script.source.line(range.start);
        if head.contains("DEFINER=") || head.contains("DEFINER =") {
            self.script.warnings.push(format!(
                "line {line}: DEFINER names a user that must be there, and needs a privilege that RDS gives to nobody; take it out"
            ));
        }
        let creates = head.starts_with("CREATE");
        let whole = || text[range.clone()].to_uppercase();
        if creates && ["ENGINE=MYISAM", "ENGINE=ARIA"].iter().any(|engine| whole().contains(engine))
        {
            self.script.warnings.push(format!(
                "line {line}: this table has no transactions, so a run that is cut off can leave some rows in it"
            ));
        }
    }

    fn problem(&mut self, at: usize, message: String, remedy: &str) {
        let problem = self.script.source.problem(at, message, remedy);
        self.problems.push(problem);
    }
}

/// Whether a statement is part of a transaction, or ends it.
fn nature(class: &str, words: &Words, text: &str) -> Nature {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    let temporary = word(1) == "temporary" || word(3) == "temporary";
    match (class, word(1)) {
        (
            "insert" | "replace" | "update" | "delete" | "select" | "do" | "values" | "load"
            | "show" | "signal",
            _,
        ) => Nature::Plain,
        ("create table" | "drop table", _) if temporary => Nature::Plain,
        ("set", "autocommit")
        | ("start", "transaction")
        | (
            "begin" | "commit" | "lock tables" | "unlock tables" | "lock table" | "unlock table",
            _,
        ) => Nature::Skipped,
        // Says something for one statement only, which may be any.
        ("set", "statement") => Nature::Journaled(InDoubt::Ask),
        ("set", "password") => Nature::Journaled(InDoubt::Again),
        ("set" | "use" | "prepare" | "deallocate", _) => Nature::Session,
        _ if mysql_ddl::again(class, words, text) => Nature::Journaled(InDoubt::Again),
        _ => Nature::Journaled(InDoubt::Ask),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Script, Vec<SeedProblem>) {
        parse("a.sql", text.to_owned(), &BTreeMap::new())
    }

    fn good(text: &str) -> Script {
        let (script, problems) = read(text);
        assert!(problems.is_empty(), "{problems:?}");
        script
    }

    fn statements(text: &str) -> Vec<String> {
        let script = good(text);
        (0..script.statements.len()).map(|index| script.text(index).to_owned()).collect()
    }

    fn message(text: &str) -> String {
        let (_, problems) = read(text);
        problems.first().map(SeedProblem::to_string).unwrap_or_default()
    }

    #[test]
    fn delimiters_are_the_clients() {
        let text = "DELIMITER $$\ncreate procedure p() begin select ';'; end$$\n delimiter ;\nselect 1;\nselect 2";
        assert_eq!(
            statements(text),
            ["create procedure p() begin select ';'; end", "select 1", "select 2"]
        );
    }

    #[test]
    fn a_body_without_delimiter_is_refused() {
        assert!(message("create procedure p() begin select 1; end;").contains("DELIMITER //"));
        assert!(
            message("delimiter //\ninsert into t values (1); insert into t values (2)//")
                .contains("several statements")
        );
        assert_eq!(statements("delimiter //\nselect 1; //"), ["select 1"]);
    }

    #[test]
    fn a_dump_is_read() {
        let text = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n\n/*!40101 SET NAMES utf8mb4 */;\n\
            /*!40000 ALTER TABLE `t` DISABLE KEYS */;\nLOCK TABLES `t` WRITE;\nINSERT INTO `t` VALUES (1,'a\\';b');\nUNLOCK TABLES;\n";
        let script = good(text);
        let natures: Vec<Nature> =
            script.statements.iter().map(|statement| statement.nature).collect();
        let again = Nature::Journaled(InDoubt::Again);
        assert_eq!(
            natures,
            [Nature::Session, again, Nature::Skipped, Nature::Plain, Nature::Skipped]
        );
        assert_eq!(script.source.line(script.statements[0].range.start), 4);
    }

    #[test]
    fn client_commands_are_refused_by_name() {
        assert!(message("select 1;\nsource other.sql\n").starts_with("a.sql:2:1: `source`"));
        assert!(message("\\. other.sql\n").starts_with("a.sql:1:1: `\\.`"));
        assert!(message("select 1\\G\n").contains("`\\G`"));
        assert!(
            good("insert into source values (1);\nselect *\n  from\nsource;").statements.len() == 2
        );
    }

    #[test]
    fn use_needs_no_delimiter() {
        assert_eq!(statements("use shop\nselect 1;"), ["use shop", "select 1"]);
        assert_eq!(statements("use shop; select 1;"), ["use shop", "select 1"]);
    }

    #[test]
    fn transactions_are_lagoas() {
        let script = good("set autocommit=0; start transaction; insert into t values (1); commit;");
        let plain =
            script.statements.iter().filter(|statement| statement.nature != Nature::Skipped);
        assert_eq!(plain.count(), 1);
        assert!(message("rollback;").contains("ROLLBACK"));
    }

    #[test]
    fn definers_and_engines_are_warned_of() {
        let script = good(
            "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET @a = 1 */;\ncreate table t (a int) engine=MyISAM;",
        );
        assert_eq!(script.warnings.len(), 2);
        assert_eq!(script.statements[0].class, "create trigger");
    }

    proptest! {
        #[test]
        fn statements_are_pieces_of_the_text_in_order(
            text in "(delimiter //\\n|//|;|use x\\n|source a\\n|'|`|\"|#|-- |/\\*!50001 |/\\*|\\*/|\\n| |é|create procedure p|begin|end|insert into t|\\(|\\)|\\\\\\\\){0,30}"
        ) {
            let (script, problems) = read(&text);
            if problems.is_empty() {
                let mut end = 0;
                for statement in &script.statements {
                    prop_assert!(statement.range.start >= end && !statement.range.is_empty());
                    end = statement.range.end;
                }
            }
        }

        #[test]
        fn good_statements_are_all_found(values in proptest::collection::vec("[ -~é\n]{0,20}", 0..10)) {
            let quoted = |value: &String| format!("insert into t values ('{}')", value.replace('\\', "\\\\").replace('\'', "''"));
            let expected: Vec<String> = values.iter().map(quoted).collect();
            let text = expected.iter().map(|statement| format!("{statement};\n")).collect::<String>();
            let with = BTreeMap::new();
            let text = text.replace("${", "{");
            let (script, problems) = parse("a.sql", text, &with);
            prop_assert!(problems.is_empty());
            let found: Vec<String> = (0..script.statements.len()).map(|index| script.text(index).to_owned()).collect();
            let expected: Vec<String> = expected.iter().map(|statement| statement.replace("${", "{")).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
