//! Rules of the user's own, written in Rego, over the plan as JSON.
//!
//! As with conftest: `deny` and `warn` in `package lagoa` say what is wrong. Every file of that
//! package is asked by itself, so that an answer names its file; other packages are there for all
//! files to import. The language is sandboxed by its nature: no files, no network, no clock.

use std::num::NonZeroU32;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use regorus::Engine;
use regorus::utils::limits::ExecutionTimerConfig;
use serde::Serialize;
use serde_json::Value;

use crate::diagnostic::{Place, Problem, Source};

/// The package whose rules are asked.
const PACKAGE: &str = "data.lagoa";
/// How many units of work go by between two looks at the clock.
const UNITS: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);
/// What a deeply nested rule may need.
const STACK: usize = 64 << 20;
/// How much longer than it may a rule is waited for, so that it can say where it was.
const GRACE: Duration = Duration::from_secs(1);
/// What to do about a rule that doesn't end.
const LOOK: &str = "look for a rule that goes over a long range, or over lists within lists";

/// Which of the rules speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The plan must not be carried out.
    Deny,
    /// A person should know.
    Warn,
}

impl Rule {
    const ALL: [Self; 2] = [Self::Deny, Self::Warn];

    /// Its name in Rego.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
        }
    }
}

/// What a rule says to a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Verdict {
    /// The rule.
    pub rule: Rule,
    /// What it says.
    pub message: String,
    /// Key of the resource that it is about, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// How bad it finds it, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The file that the rule stands in.
    pub file: String,
    /// The line of the rule, where the file has only one of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// A file of rules: what it is called, and what it says.
#[derive(Clone, Debug)]
pub struct File {
    /// As the person sees it.
    pub name: String,
    /// The Rego.
    pub text: String,
}

/// Why the rules can't be asked.
#[derive(Clone, Debug)]
pub struct Broken {
    message: String,
    /// File, line and column.
    at: Option<(String, usize, usize)>,
    help: Option<&'static str>,
}

impl Broken {
    fn saying(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, help: None }
    }

    fn at(file: &File, message: impl Into<String>, help: &'static str) -> Self {
        let at = Some((file.name.clone(), 1, 1));
        Self { at, help: Some(help), ..Self::saying(message) }
    }

    /// The same with the place in the file that is wrong.
    pub fn problem(self, files: &[File]) -> Problem {
        let mut problem = Problem::error(self.message);
        problem.help = self.help.map(str::to_owned);
        let Some((name, line, column)) = self.at else { return problem };
        let Some(file) = files.iter().find(|file| file.name == name) else { return problem };
        let before: usize =
            file.text.split_inclusive('\n').take(line.max(1) - 1).map(str::len).sum();
        let text = file.text.get(before..).unwrap_or_default();
        let start: usize = text.chars().take(column.max(1) - 1).map(char::len_utf8).sum();
        let word = text.get(start..).unwrap_or_default();
        let length = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
        let source = Source::new(name, file.text.clone());
        problem.at(&Place::new(&source, before + start..before + start + length.max(1)))
    }
}

/// Asks all rules about a plan; whatever they do, the answer comes within the time.
pub fn judge(files: &[File], plan: &Value, within: Duration) -> Result<Vec<Verdict>, Broken> {
    let (all, plan) = (files.to_vec(), plan.to_string());
    let (tell, told) = mpsc::channel();
    // A builtin may work on for hours, and then only a thread can be left behind. One that asks for
    // more memory than there is ends the process, before anything is touched: the interpreter's own
    // limit would take an allocator of its own, and doesn't see a single huge request either.
    let thread = std::thread::Builder::new().stack_size(STACK);
    let until = Instant::now() + within;
    let started = thread.spawn(move || {
        let _ = tell.send(ask_all(&all, &plan, until));
    });
    if let Err(error) = started {
        return Err(Broken::saying(format!("the guardrails cannot be asked: {error}")));
    }
    match told.recv_timeout(within.saturating_add(GRACE)) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(endless(within)),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let message = "the guardrails broke off in the middle of a rule";
            Err(Broken { help: Some(LOOK), ..Broken::saying(message) })
        }
    }
}

fn endless(within: Duration) -> Broken {
    let message = format!("the guardrails took longer than {} seconds", within.as_secs());
    Broken { help: Some(LOOK), ..Broken::saying(message) }
}

fn ask_all(files: &[File], plan: &str, until: Instant) -> Result<Vec<Verdict>, Broken> {
    let mut packages = Vec::new();
    for file in files {
        packages
            .push(Engine::new().add_policy(file.name.clone(), file.text.clone()).map_err(read)?);
    }
    let files: Vec<(&File, bool)> =
        files.iter().zip(&packages).map(|(file, package)| (file, package == PACKAGE)).collect();
    let mut verdicts = Vec::new();
    for (own, _) in files.iter().filter(|(_, asked)| *asked) {
        let shared = files.iter().filter(|(_, asked)| !asked).map(|(file, _)| *file);
        let left = until.saturating_duration_since(Instant::now());
        verdicts.extend(ask(own, shared, plan, left)?);
    }
    match files.first() {
        Some((first, _)) if !files.iter().any(|(_, asked)| *asked) => {
            let message = "no file of these guardrails is in `package lagoa`";
            Err(Broken::at(first, message, "only the rules of that package are asked"))
        }
        _ => {
            verdicts.sort();
            verdicts.dedup();
            Ok(verdicts)
        }
    }
}

fn ask<'a>(
    own: &'a File,
    shared: impl Iterator<Item = &'a File>,
    plan: &str,
    within: Duration,
) -> Result<Vec<Verdict>, Broken> {
    let mut engine = Engine::new();
    engine
        .set_execution_timer_config(ExecutionTimerConfig { limit: within, check_interval: UNITS });
    for file in std::iter::once(own).chain(shared) {
        engine.add_policy(file.name.clone(), file.text.clone()).map_err(read)?;
    }
    if Rule::ALL.iter().all(|rule| lines(own, *rule).is_empty()) {
        let message = "this file of `package lagoa` has neither `deny` nor `warn`";
        let help = "write `deny contains message if { … }`";
        return Err(Broken::at(own, message, help));
    }
    engine.set_input_json(plan).map_err(read)?;
    let results = engine.eval_query(PACKAGE.to_owned(), false).map_err(read)?;
    let answer = results.result.first().and_then(|one| one.expressions.first());
    let answer = answer.map(|one| one.value.to_json_str()).transpose().map_err(read)?;
    let answer: Value =
        answer.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
    let mut verdicts = Vec::new();
    for rule in Rule::ALL {
        for item in items(&answer[rule.word()]) {
            verdicts.push(verdict(own, rule, item)?);
        }
    }
    Ok(verdicts)
}

/// What a rule gives: a set of messages, one message, or just its truth.
fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null | Value::Bool(false) => Vec::new(),
        one => vec![one],
    }
}

fn verdict(file: &File, rule: Rule, item: &Value) -> Result<Verdict, Broken> {
    let member = |name: &str| item[name].as_str().map(str::to_owned);
    let message = match item {
        Value::String(message) => message.clone(),
        Value::Bool(true) => format!("`{}` is true", rule.word()),
        other => other["msg"].as_str().map(str::to_owned).ok_or_else(|| {
            let message = format!("`{}` gives {other}, which is no message", rule.word());
            Broken::at(file, message, "give a text, or an object with `msg`")
        })?,
    };
    let line = match lines(file, rule).as_slice() {
        [one] => Some(*one),
        _ => None,
    };
    let (resource, severity) = (member("resource"), member("severity"));
    Ok(Verdict { rule, message, resource, severity, file: file.name.clone(), line })
}

/// The lines on which a rule of that name begins.
fn lines(file: &File, rule: Rule) -> Vec<usize> {
    let begins = |line: &str| {
        let rest = line.trim_start_matches("default ").strip_prefix(rule.word());
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let numbered = file.text.lines().enumerate().filter(|(_, line)| begins(line));
    numbered.map(|(at, _)| at + 1).collect()
}

/// What the interpreter says, cut into the place and the words.
fn read(error: impl std::fmt::Display) -> Broken {
    let text = error.to_string();
    let place = text.split_once("--> ").and_then(|(_, rest)| {
        let mut parts = rest.lines().next()?.rsplitn(3, ':');
        let column = parts.next()?.trim().parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        Some((parts.next()?.to_owned(), line, column))
    });
    let words = text.rsplit_once("error: ").map_or(text.as_str(), |(_, words)| words);
    let timed_out = text.contains("exceeded time limit");
    Broken {
        message: match timed_out {
            true => "this takes longer than a guardrail may".to_owned(),
            false => words.trim().to_owned(),
        },
        at: place,
        help: timed_out.then_some(LOOK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TIME: Duration = Duration::from_millis(500);

    fn file(name: &str, text: &str) -> File {
        File { name: name.to_owned(), text: text.to_owned() }
    }

    fn asked(files: &[File]) -> Result<Vec<Verdict>, Problem> {
        let plan = json!({ "resources": [
            { "key": "db", "kind": "rds_instance", "action": "delete" },
            { "key": "raw", "kind": "s3_bucket", "action": "create" },
        ] });
        judge(files, &plan, TIME).map_err(|broken| broken.problem(files))
    }

    #[test]
    fn texts_objects_and_truths_are_verdicts() {
        let rules = "package lagoa\n\n# Shared words below.\n\n\
            deny contains message if {\n  some one in input.resources\n  data.lagoa_lib.stateful(one)\n  \
            message := {\"msg\": \"no deleting\", \"resource\": one.key, \"severity\": \"high\"}\n}\n\n\
            warn contains \"two\" if count(input.resources) == 2\n";
        let library = "package lagoa_lib\n\nstateful(one) if {\n  one.kind == \"rds_instance\"\n  \
            one.action == \"delete\"\n}\n";
        let all = asked(&[file("a.rego", rules), file("lib.rego", library)]).expect("answers");
        let told: Vec<_> =
            all.iter().map(|one| (one.rule, one.message.as_str(), one.line)).collect();
        assert_eq!(told, [(Rule::Deny, "no deleting", Some(5)), (Rule::Warn, "two", Some(11))]);
        assert_eq!(all[0].resource.as_deref(), Some("db"));
        assert_eq!(all[0].severity.as_deref(), Some("high"));
        assert_eq!(all[0].file, "a.rego");
        let truth = asked(&[file("t.rego", "package lagoa\ndeny if true\n")]).expect("an answer");
        assert_eq!(truth[0].message, "`deny` is true");
        let silent = "package lagoa\ndeny contains \"no\" if input.destroy\n";
        assert_eq!(asked(&[file("s.rego", silent)]).expect("an answer"), []);
    }

    #[test]
    fn what_is_broken_says_where() {
        let broken = "package lagoa\n\ndeny contains message if {\n  message := \n}\n";
        let problem = asked(&[file("b.rego", broken)]).expect_err("no Rego");
        let place = problem.place.expect("a place");
        assert_eq!((place.source.name.as_str(), place.line_column().0), ("b.rego", 4));
        for (text, words) in [
            ("package other\n", "no file of these guardrails is in `package lagoa`"),
            ("package lagoa\nallow if true\n", "neither `deny` nor `warn`"),
            ("package lagoa\ndeny contains 3 if true\n", "which is no message"),
            ("package lagoa\ndeny contains m if { m := undefined_thing }\n", "undefined_thing"),
        ] {
            let problem = asked(&[file("x.rego", text)]).expect_err(text);
            assert!(problem.message.contains(words), "{}", problem.message);
            assert!(problem.place.is_some(), "{text}");
        }
    }

    #[test]
    fn nothing_runs_for_ever() {
        let loops = "package lagoa\ndeny contains \"x\" if {\n  some a in numbers.range(1, 100000)\n  \
            some b in numbers.range(1, 100000)\n  a * b == 0\n}\n";
        let begin = std::time::Instant::now();
        let problem = asked(&[file("endless.rego", loops)]).expect_err("it can't end");
        assert!(begin.elapsed() < TIME * 6, "{:?}", begin.elapsed());
        assert!(problem.message.contains("longer"), "{}", problem.message);

        // What other files have used up is gone.
        let begin = Instant::now();
        assert!(ask_all(&[file("endless.rego", loops)], "{}", begin).is_err());
        assert!(begin.elapsed() < TIME * 6, "{:?}", begin.elapsed());
    }

    #[test]
    fn nothing_to_ask_is_fine() {
        assert_eq!(judge(&[], &json!({}), TIME).expect("no files"), []);
    }
}
