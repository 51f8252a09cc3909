//! The JSON Schema in an editor: the real language server completes, explains and checks with it.
//!
//! Skipped, loudly, where there is no npm; `LAGOA_REQUIRE_SANDBOX=1` makes that a failure.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use lagoa::kinds;
use lagoa::report::page::Page;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const HEAD: &str =
    "# yaml-language-server: $schema=../schema/stack.json\nstack: probe\nresources:\n";
const PATIENCE: Duration = Duration::from_secs(60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with the language server: installed once for each lockfile, beside the sandbox's
/// own installations.
fn server() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match INSTALLED.get_or_init(install) {
        Ok(path) => Some(path),
        Err(error) if std::env::var_os("LAGOA_REQUIRE_SANDBOX").is_none() => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn install() -> Result<PathBuf, String> {
    let from = root().join("tests/editor");
    let lock = fs::read(from.join("package-lock.json")).expect("the lockfile");
    let digest: String =
        Sha256::digest(lock).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = given("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(given("HOME")?).join(".cache")));
    let cache = cache.ok_or("there is no home folder to install the language server in")?;
    let home = cache.join("lagoa").join(format!("editor-{digest}"));
    if home.is_dir() {
        return Ok(home);
    }
    // Complete or not there at all: an interrupted installation leaves only its draft.
    let draft = cache.join("lagoa").join(format!("editor-draft-{}", std::process::id()));
    let failed = |error: std::io::Error| format!("{}: {error}", draft.display());
    fs::create_dir_all(&draft).map_err(failed)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(from.join(name), draft.join(name)).map_err(failed)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&draft);
    let output = npm.output().map_err(|error| format!("npm (apt-get install npm): {error}"))?;
    if !output.status.success() {
        return Err(format!("npm ci: {}", String::from_utf8_lossy(&output.stderr)));
    }
    if fs::rename(&draft, &home).is_err() {
        // Another run was faster.
        let _ = fs::remove_dir_all(&draft);
    }
    Ok(home)
}

/// A language server, as an editor talks to it.
struct Editor {
    process: Child,
    input: RefCell<ChildStdin>,
    answers: Receiver<Value>,
    numbers: RefCell<i64>,
    problems: RefCell<BTreeMap<String, Vec<Value>>>,
}

impl Editor {
    fn start() -> Option<Self> {
        let program = server()?.join("node_modules/yaml-language-server/bin/yaml-language-server");
        let mut node = Command::new("node");
        node.arg(program).arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = node.spawn().expect("node starts");
        let output = process.stdout.take().expect("an output");
        let (sender, answers) = channel();
        std::thread::spawn(move || listen(BufReader::new(output), &sender));
        let input = RefCell::new(process.stdin.take().expect("an input"));
        let numbers = RefCell::new(0);
        let editor = Self { process, input, answers, numbers, problems: RefCell::default() };
        editor.ask(
            "initialize",
            json!({
                "processId": std::process::id(),
                "rootUri": format!("file://{}", root().display()),
                "capabilities": {
                    "textDocument": {
                        "completion": { "completionItem": {
                            "snippetSupport": true, "documentationFormat": ["markdown"],
                        } },
                        "hover": { "contentFormat": ["markdown"] },
                    },
                    "workspace": { "configuration": true },
                },
            }),
        );
        editor.tell("initialized", json!({}));
        Some(editor)
    }

    fn send(&self, message: &Value) {
        let text = message.to_string();
        let mut input = self.input.borrow_mut();
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it listens");
        input.flush().expect("it listens");
    }

    fn tell(&self, method: &str, parameters: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }));
    }

    fn ask(&self, method: &str, parameters: Value) -> Value {
        let number = self.numbers.replace_with(|number| *number + 1) + 1;
        self.send(
            &json!({ "jsonrpc": "2.0", "id": number, "method": method, "params": parameters }),
        );
        loop {
            let message = self.next();
            if message["id"] == number && message.get("method").is_none() {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// The next message, when what the server asks for is answered.
    fn next(&self) -> Value {
        let message = self.answers.recv_timeout(PATIENCE).expect("an answer within a minute");
        let Some(method) = message["method"].as_str() else { return message };
        if method == "textDocument/publishDiagnostics" {
            let uri = message["params"]["uri"].as_str().expect("a file").to_owned();
            let found = message["params"]["diagnostics"].as_array().cloned().unwrap_or_default();
            self.problems.borrow_mut().insert(uri, found);
        }
        if message.get("id").is_some() {
            let items = message["params"]["items"].as_array().into_iter().flatten();
            let settings = items.map(|item| match item["section"].as_str() {
                Some("yaml") => json!({ "schemaStore": { "enable": false } }),
                _ => json!({}),
            });
            let settings: Value = settings.collect();
            self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": settings }));
        }
        message
    }

    /// Opens a file that isn't there, beside the stacks.
    fn open(&self, text: &str) -> String {
        let number = self.numbers.replace_with(|number| *number + 1) + 1;
        let uri = format!("file://{}/stacks/probe-{number}.yaml", root().display());
        self.tell(
            "textDocument/didOpen",
            json!({ "textDocument": {
                "uri": uri, "languageId": "yaml", "version": 1, "text": text,
            } }),
        );
        uri
    }

    fn hover(&self, uri: &str, line: usize, column: usize) -> String {
        let position = json!({ "line": line, "character": column });
        let parameters = json!({ "textDocument": { "uri": uri }, "position": position });
        let answer = self.ask("textDocument/hover", parameters);
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// What the editor offers where `|` stands, below `resources`.
    fn offers(&self, text: &str) -> BTreeMap<String, Value> {
        let text = format!("{HEAD}{text}");
        let at = text.find('|').expect("a cursor");
        let line = text[..at].matches('\n').count();
        let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let uri = self.open(&text.replacen('|', "", 1));
        let position = json!({ "line": line, "character": column });
        let parameters = json!({ "textDocument": { "uri": uri }, "position": position });
        let answer = self.ask("textDocument/completion", parameters);
        let items = answer["items"].as_array().or_else(|| answer.as_array()).cloned();
        let labelled = |item: Value| Some((item["label"].as_str()?.to_owned(), item));
        items.unwrap_or_default().into_iter().filter_map(labelled).collect()
    }

    /// What the editor underlines: line and message.
    fn problems(&self, text: &str) -> Vec<(u64, String)> {
        let uri = self.open(text);
        let begin = Instant::now();
        while !self.problems.borrow().contains_key(&uri) {
            assert!(begin.elapsed() < PATIENCE, "nothing is said of {text}");
            self.next();
        }
        let problems = self.problems.borrow();
        let told = |one: &Value| {
            let line = one["range"]["start"]["line"].as_u64().expect("a line") + 1;
            (line, one["message"].as_str().expect("a message").to_owned())
        };
        problems[&uri].iter().map(told).collect()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes on each message of the server until it ends.
fn listen(mut output: impl BufRead, sender: &Sender<Value>) {
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(number) = line.strip_prefix("Content-Length: ") {
                length = number.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if output.read_exact(&mut body).is_err() {
            return;
        }
        let message = serde_json::from_slice(&body).expect("JSON");
        if sender.send(message).is_err() {
            return;
        }
    }
}

/// Lines below `resources`.
fn indented(example: &str) -> String {
    example.trim().lines().map(|line| format!("  {line}\n")).collect()
}

fn pages() -> Vec<Page> {
    kinds::written().into_iter().map(Page::of).collect()
}

fn labels(offers: &BTreeMap<String, Value>) -> BTreeSet<&str> {
    offers.keys().map(String::as_str).collect()
}

/// Every field of every example, and every kind.
#[test]
fn hovering_over_a_field_tells_what_it_is() {
    let Some(editor) = Editor::start() else { return };
    let (mut count, mut slowest) = (0, Duration::ZERO);
    for page in pages() {
        let text = format!("{HEAD}{}", indented(page.example));
        let uri = editor.open(&text);
        for (number, line) in text.lines().enumerate().skip(4) {
            let Some(name) = line.strip_prefix("    ").and_then(|line| line.split(':').next())
            else {
                if line.starts_with("  ") { break } else { continue }
            };
            if name.starts_with([' ', '-', '#', '}', ']']) {
                continue;
            }
            let begin = Instant::now();
            let told = editor.hover(&uri, number, 5);
            count += 1;
            slowest = slowest.max(begin.elapsed());
            let field = page.fields.iter().find(|field| field.name == name);
            let expected = match (field, name) {
                (Some(field), _) => field.text[0].clone(),
                (None, "kind") => page.summary.clone(),
                (None, "on_destroy") => "What happens to it".to_owned(),
                (None, _) => continue,
            };
            assert!(told.contains(&expected), "{}.{name}: {told}", page.kind);
            assert!(!told.starts_with('#'), "{}.{name} has a title: {told}", page.kind);
        }
        let told = editor.hover(&uri, 4, 12);
        assert!(told.starts_with(&page.text[0]), "{}: {told}", page.kind);
        assert!(!told.contains("Allowed"), "{}: {told}", page.kind);
    }
    eprintln!("{count} fields, the slowest after {slowest:?}");
    assert!(count > 200 && slowest < Duration::from_secs(5), "{count} fields, {slowest:?}");
}

#[test]
fn a_resource_offers_the_fields_of_its_kind_alone() {
    let Some(editor) = Editor::start() else { return };
    let beside = [
        "name",
        "depends_on",
        "for_each",
        "when",
        "protect",
        "on_destroy",
        "adopt",
        "ignore",
        "skip_checks",
    ];
    for page in pages() {
        let offers = editor.offers(&format!("  it:\n    kind: {}\n    |\n", page.kind));
        let fields = page.fields.iter().map(|field| field.name.as_str());
        let expected: BTreeSet<&str> = fields.chain(beside).collect();
        let real: BTreeSet<&str> = labels(&offers);
        // A kind that must have fields offers all of those at once, too.
        let real = real.into_iter().filter(|label| *label != page.kind).collect::<BTreeSet<_>>();
        assert_eq!(real, expected, "{}", page.kind);
    }
}

#[test]
fn kinds_and_words_are_offered_with_what_they_mean() {
    let Some(editor) = Editor::start() else { return };
    let pages = pages();
    let kinds: BTreeSet<&str> = pages.iter().map(|page| page.kind).collect();
    let offers = editor.offers("  it:\n    kind: |\n");
    assert_eq!(labels(&offers), kinds);
    for page in &pages {
        let text = offers[page.kind]["documentation"].to_string();
        assert!(text.contains(&page.summary.replace('"', "\\\"")), "{}: {text}", page.kind);
    }
    // Where a resource may begin, a whole one of each kind.
    let offers = editor.offers("  |\n");
    assert_eq!(labels(&offers), kinds);
    let whole = offers["rds_instance"]["insertText"].as_str().expect("a text");
    for line in ["kind: rds_instance", "engine: ", "instance_class: ", "username: "] {
        assert!(whole.contains(line), "{whole}");
    }
    let offers = editor.offers("  it:\n    kind: network\n    nat: |\n");
    assert_eq!(labels(&offers), BTreeSet::from(["each", "none", "one"]));
    assert!(offers["each"]["documentation"].to_string().contains("One in each zone"));
    let offers = editor.offers("  it:\n    kind: s3_bucket\n    on_destroy: |\n");
    assert_eq!(labels(&offers), BTreeSet::from(["delete", "retain"]));
}

#[test]
fn mistakes_are_underlined_where_they_stand() {
    let Some(editor) = Editor::start() else { return };
    let cases: [(&str, &[(u64, &str)]); 11] = [
        ("  raw:\n    kind: s3_buket\n", &[(5, "Value must be \"dms_certificate\"")]),
        ("  raw:\n    versioning: true\n", &[(4, "Missing property \"kind\"")]),
        (
            "  raw:\n    kind: s3_bucket\n    versionning: true\n",
            &[(6, "versionning is not allowed")],
        ),
        ("  raw:\n    kind: s3_bucket\n    storage_gib: 1\n", &[(6, "storage_gib is not allowed")]),
        ("  raw:\n    kind: s3_bucket\n    versioning: maybe\n", &[(6, "Expected \"boolean\"")]),
        ("  raw:\n    kind: s3_bucket\n    arn: mine\n", &[(6, "arn is not allowed")]),
        (
            "  raw:\n    kind: s3_bucket\n    lifecycle:\n      - id: a\n        expiration_dys: 3\n",
            &[(8, "expiration_dys is not allowed")],
        ),
        (
            "  db:\n    kind: rds_instance\n    engine: postgress\n    instance_class: db.t3.micro\n    \
             storage_gib: 2\n    username: me\n",
            &[(6, "Value is not accepted"), (8, "below the minimum of 5")],
        ),
        ("  db:\n    kind: rds_subnet_group\n", &[(4, "Missing property \"subnets\"")]),
        ("  lake:\n    kind: network\n    nat: two\n", &[(6, "\"one\", \"none\", \"each\"")]),
        (
            "  raw:\n    kind: s3_bucket\n    on_destroy: snapshot\n",
            &[(6, "\"delete\", \"retain\"")],
        ),
    ];
    for (text, expected) in cases {
        let problems = editor.problems(&format!("{HEAD}{text}"));
        assert_eq!(problems.len(), expected.len(), "{text}: {problems:?}");
        for (line, words) in expected {
            let told = |(at, message): &(u64, String)| at == line && message.contains(words);
            assert!(problems.iter().any(told), "{text}: {problems:?}");
        }
    }
}

#[test]
fn what_is_right_is_left_alone() {
    let Some(editor) = Editor::start() else { return };
    for page in pages() {
        let problems = editor.problems(&format!("{HEAD}{}", indented(page.example)));
        assert!(problems.is_empty(), "the example of {}: {problems:?}", page.kind);
    }
    let references = "  raw:\n    kind: s3_bucket\n    name: ${var.name}\n    versioning: ${var.on}\n    \
        tags: ${var.tags}\n    ownership: ${var.whose}\n    lifecycle: ${var.rules}\n";
    let problems = editor.problems(&format!("{HEAD}{references}"));
    assert!(problems.is_empty(), "{problems:?}");
    let mut stacks = 0;
    for entry in fs::read_dir(root().join("stacks")).expect("the stacks") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).expect("a stack");
            assert!(text.starts_with(HEAD.lines().next().expect("a line")), "{}", path.display());
            let problems = editor.problems(&text);
            assert!(problems.is_empty(), "{}: {problems:?}", path.display());
            stacks += 1;
        }
    }
    assert!(stacks > 2);
}
