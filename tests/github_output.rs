//! GitHub Actions: the comment on the pull request against a GitHub of our own, and what a step
//! prints, writes and says.

#[path = "support/pull_request.rs"]
mod pull_request;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lagoa::github::api::{Api, Trouble};
use lagoa::github::comment::{self, Draft, LIMIT, Mark, Outcome};
use pull_request::{BOT, GitHub, Mood, TOKEN};
use serde_json::json;
use support::Site;

fn draft(stack: &str, run: u64, text: &str) -> Draft {
    let mark =
        Mark { stack: Some(stack.into()), file: format!("stacks/{stack}.yaml"), run: Some(run) };
    Draft { body: format!("{}{text}", mark.line()), mark, worth_saying: true }
}

fn keep_as(github: &GitHub, token: &str, draft: &Draft) -> Result<Outcome, Trouble> {
    let base = &github.server.endpoint;
    let api = Api::new(base, &format!("{base}/graphql"), token.to_owned().into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(comment::keep(&api, "acme/lake", 7, draft))
}

fn keep(github: &GitHub, draft: &Draft) -> Outcome {
    keep_as(github, TOKEN, draft).expect("it is said")
}

fn bodies(github: &GitHub) -> Vec<String> {
    github
        .comments()
        .iter()
        .map(|one| one["body"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn one_comment_per_stack_among_many() {
    let github = GitHub::new();
    for n in 0..230 {
        github.written(n + 1, "User", &format!("looks good {n}"));
    }
    let address = |id: u64| format!("https://github.example/acme/lake/pull/7#issuecomment-{id}");
    assert_eq!(keep(&github, &draft("shop", 1, "first")), Outcome::Created(address(1_230)));
    assert_eq!(keep(&github, &draft("lake", 1, "other")), Outcome::Created(address(1_231)));
    github.with(|state| state.pages = 0);
    assert_eq!(keep(&github, &draft("shop", 2, "second")), Outcome::Updated(address(1_230)));
    assert_eq!(github.state.lock().expect("fine").pages, 3, "a hundred comments at once");
    let bodies = bodies(&github);
    assert_eq!(bodies.len(), 232);
    assert!(bodies[230].ends_with("second") && bodies[231].ends_with("other"));
}

#[test]
fn a_mark_that_somebody_else_wrote_is_only_text() {
    for no_viewer in [false, true] {
        let github = GitHub::new();
        github.with(|state| state.no_viewer = no_viewer);
        let fake = draft("shop", 1, "mine").body;
        github.written(5, "User", &fake);
        github.written(6, "Bot", &fake);
        github.written(BOT, "Bot", &format!("> {fake}"));
        assert!(matches!(keep(&github, &draft("shop", 1, "true")), Outcome::Created(_)));
        assert!(matches!(keep(&github, &draft("shop", 2, "truer")), Outcome::Updated(_)));
        let bodies = bodies(&github);
        assert!(
            bodies[0] == fake && bodies[1] == fake && bodies[3].ends_with("truer"),
            "{bodies:?}"
        );
    }
}

#[test]
fn an_empty_plan_only_replaces_a_comment() {
    let github = GitHub::new();
    let resolved = Draft { worth_saying: false, ..draft("shop", 2, "resolved") };
    assert_eq!(keep(&github, &resolved), Outcome::Needless);
    keep(&github, &draft("shop", 1, "to do"));
    assert!(matches!(keep(&github, &resolved), Outcome::Updated(_)));
    assert!(bodies(&github)[0].ends_with("resolved"));
}

#[test]
fn an_earlier_run_says_nothing_over_a_later_one() {
    let github = GitHub::new();
    keep(&github, &draft("shop", 9, "later"));
    assert_eq!(keep(&github, &draft("shop", 8, "earlier")), Outcome::Outrun);
    assert!(matches!(keep(&github, &draft("shop", 9, "again")), Outcome::Updated(_)));
}

#[test]
fn limits_are_waited_for_and_a_lost_answer_makes_no_second_comment() {
    for mood in [Mood::Limited, Mood::Loses, Mood::Stumbles] {
        let github = GitHub::new();
        github.with(|state| state.mood = mood);
        keep(&github, &draft("shop", 1, "text"));
        let (comments, state) = (github.comments(), github.state.lock().expect("fine"));
        assert_eq!(comments.len(), 1, "{mood:?}");
        assert_eq!(state.mood, Mood::Well, "it happened");
    }
}

#[test]
fn refusals_say_what_to_do() {
    let github = GitHub::new();
    github.with(|state| state.mood = Mood::Fork);
    let error = keep_as(&github, TOKEN, &draft("shop", 1, "x")).expect_err("a fork");
    assert!(error.to_string().contains("Resource not accessible by integration"), "{error}");
    assert!(comment::remedy(&error).is_some_and(|help| help.contains("pull-requests: write")));

    let error = keep_as(&github, "another", &draft("shop", 1, "x")).expect_err("no token");
    assert!(error.to_string().contains("401") && !error.to_string().contains("another"));
    assert!(comment::remedy(&error).is_some());

    github.with(|state| state.mood = Mood::Well);
    let long = draft("shop", 1, &"x".repeat(LIMIT));
    let error = keep_as(&github, TOKEN, &long).expect_err("too long");
    assert!(error.to_string().contains("maximum is 65536 characters"), "{error}");
    let exact = draft("shop", 1, "");
    let fits =
        Draft { body: format!("{}{}", exact.body, "é".repeat(LIMIT - exact.body.len())), ..exact };
    keep(&github, &fits);
}

#[test]
fn nobody_there_is_an_error_not_a_panic() {
    let github = GitHub::new();
    let endpoint = github.server.endpoint.clone();
    drop(github);
    let api = Api::new(&endpoint, &format!("{endpoint}/graphql"), TOKEN.to_owned().into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.expect("a runtime").block_on(api.call(
        lagoa::github::api::Method::Get,
        "/user",
        None,
    ));
    let error = outcome.expect_err("nobody there").to_string();
    assert!(error.contains("can't be reached") && !error.contains(TOKEN), "{error}");
}

/// A step of a job on a pull request.
struct Step {
    folder: PathBuf,
}

impl Step {
    fn new(folder: &Path) -> Self {
        let event = json!({ "pull_request": { "number": 7, "head": { "sha": "a".repeat(40) } } });
        fs::write(folder.join("event.json"), event.to_string()).expect("write a file");
        Self { folder: folder.to_owned() }
    }

    fn enter<'a>(&self, command: &'a mut Command, github: Option<&GitHub>) -> &'a mut Command {
        for (name, file) in [
            ("GITHUB_STEP_SUMMARY", "summary.md"),
            ("GITHUB_OUTPUT", "output"),
            ("GITHUB_EVENT_PATH", "event.json"),
        ] {
            command.env(name, self.folder.join(file));
        }
        let _ = fs::remove_file(self.folder.join("summary.md"));
        let _ = fs::remove_file(self.folder.join("output"));
        command
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_WORKSPACE", &self.folder)
            .env("GITHUB_SERVER_URL", "https://github.example")
            .env("GITHUB_REPOSITORY", "acme/lake")
            .env("GITHUB_RUN_ID", "42")
            .env("GITHUB_SHA", "b".repeat(40))
            .env_remove("GITHUB_TOKEN")
            .env_remove("NO_COLOR");
        if let Some(github) = github {
            let base = &github.server.endpoint;
            command
                .env("GITHUB_API_URL", base)
                .env("GITHUB_GRAPHQL_URL", format!("{base}/graphql"));
            command.env("GITHUB_TOKEN", TOKEN);
        }
        command
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// lagoa without any account.
fn poor(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lagoa"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for name in ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"] {
        command.env_remove(name);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/nowhere");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere");
    command
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("github-{name}-{}", std::process::id()));
    fs::create_dir_all(folder.join("stacks")).expect("make a folder");
    folder
}

fn run(command: &mut Command) -> Output {
    command.output().expect("run lagoa")
}

#[test]
fn a_broken_stack_is_told_everywhere() {
    let folder = scratch("broken");
    let step = Step::new(&folder);
    let github = GitHub::new();
    let stack =
        "stack: shop\nresources:\n  raw: { kind: s3_buket }\n  ::error::x: { kind: '::y' }\n";
    fs::write(folder.join("stacks/shop.yaml"), stack).expect("write a file");
    let plan = ["plan", "stacks/shop.yaml", "--sandbox", "--comment-out", "comment.md"];
    let output = run(step.enter(&mut poor(&folder, &plan), Some(&github)));
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    assert!(out.contains("::error file=stacks/shop.yaml,line=3,endLine=3,col="), "{out}");
    for line in text(&output.stderr).lines() {
        assert!(!line.trim_start().starts_with("::") || line.starts_with("::add-mask::"), "{line}");
    }
    assert!(step.read("output").contains("exitcode=1\n"), "{}", step.read("output"));
    assert!(step.read("output").contains("comment-file=comment.md\n"));
    let summary = step.read("summary.md");
    assert!(summary.contains("no plan") && summary.contains("s3&#95;buket"), "{summary}");
    let comments = github.comments();
    let body = comments[0]["body"].as_str().expect("a body");
    assert!(body.starts_with("<!-- lagoa:plan:shop --><!-- lagoa:file:stacks/shop.yaml -->"));
    assert_eq!(body, step.read("comment.md"));
    assert!(body.contains("acme/lake/blob/"), "{body}");

    // The same without a token, and `check`, which needs none.
    let output = run(step.enter(&mut poor(&folder, &plan[..2]), None));
    assert_eq!(output.status.code(), Some(1));
    let output = run(step.enter(&mut poor(&folder, &["check", "stacks/shop.yaml"]), None));
    assert!(text(&output.stdout).contains("::error file=stacks/shop.yaml,line=3"));
    assert_eq!(github.comments().len(), 1);
}

#[test]
fn an_account_that_cannot_be_reached_is_told_too() {
    let folder = scratch("unreachable");
    let step = Step::new(&folder);
    let github = GitHub::new();
    github.with(|state| state.mood = Mood::Fork);
    fs::write(folder.join("stacks/shop.yaml"), "stack: shop\nregion: us-east-1\nresources: {}\n")
        .expect("write a file");
    let output = run(step.enter(&mut poor(&folder, &["plan", "stacks/shop.yaml"]), Some(&github)));
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    assert!(out.contains("::error title=lagoa%3A no plan::"), "{out}");
    // A fork's token comments nothing; that is a warning with a way out.
    assert!(out.contains("::warning title=lagoa%3A comment::"), "{out}");
    assert!(out.contains("pull-requests: write"), "{out}");
    assert!(step.read("summary.md").contains("no plan, 1 error"));
}

#[test]
fn an_apply_that_cannot_begin_is_told_too() {
    let folder = scratch("no-apply");
    let step = Step::new(&folder);
    fs::write(folder.join("stacks/shop.yaml"), "stack: shop\nregion: us-east-1\nresources: {}\n")
        .expect("write a file");
    for command in ["apply", "destroy", "adopt"] {
        let arguments = [command, "stacks/shop.yaml", "--json"];
        let output = run(step.enter(&mut poor(&folder, &arguments), None));
        assert_eq!(output.status.code(), Some(1));
        let errors = text(&output.stderr);
        let title = format!("::error title=lagoa {command}%3A shop::");
        assert!(errors.lines().any(|line| line.starts_with(&title)), "{errors}");
        assert_eq!(text(&output.stdout), "", "standard output is for the machine");
        let summary = step.read("summary.md");
        assert!(summary.contains("Not done: 1 error."), "{summary}");
        assert_eq!(step.read("output"), "exitcode=1\n");
    }
    // A mistake in the file stands beside its line.
    fs::write(
        folder.join("stacks/shop.yaml"),
        "stack: shop\nresources:\n  raw: { kind: bucket }\n",
    )
    .expect("write a file");
    let output = run(step.enter(&mut poor(&folder, &["apply", "stacks/shop.yaml"]), None));
    let errors = text(&output.stderr);
    assert!(errors.contains("::error file=stacks/shop.yaml,line=3,endLine=3,col="), "{errors}");
}

const PASSWORD: &str = "Planted$9f31&password";

#[test]
fn a_plan_is_told_and_its_secrets_are_masked() {
    let site = Site::serverless("github");
    let step = Step::new(&site.folder);
    let github = GitHub::new();
    site.stack(
        "shop",
        json!({
            "shop-db": { "kind": "rds_instance", "engine": "postgres", "engine_version": "15",
                "instance_class": "db.t3.micro", "storage_gib": 20, "username": "postgres",
                "password": "${env.DB_PASSWORD}", "on_destroy": "delete" },
            "shop-given": { "kind": "secretsmanager_secret", "value": "${env.DB_PASSWORD}" },
        })
        .as_object()
        .expect("resources"),
    );
    let lagoa = |arguments: &[&str]| {
        let mut command = site.command(arguments);
        step.enter(&mut command, Some(&github)).env("DB_PASSWORD", PASSWORD);
        run(&mut command)
    };
    let output = lagoa(&["plan", "stack.yaml", "--sandbox", "--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let outputs = step.read("output");
    for line in ["exitcode=2", "changes=true", "create=2", "delete=0", "blocked=0", "unchanged=0"] {
        assert!(outputs.lines().any(|one| one == line), "{line} is not in {outputs}");
    }
    let masks: Vec<String> = text(&output.stderr)
        .lines()
        .filter_map(|line| line.strip_prefix("::add-mask::").map(str::to_owned))
        .collect();
    for form in [PASSWORD, "Planted%25249f31%2526password", r"Planted\$9f31\&password"] {
        assert!(masks.iter().any(|mask| mask == form), "{form} is not in {masks:?}");
    }
    let body = |at: usize| github.comments()[at]["body"].as_str().unwrap_or_default().to_owned();
    for told in [text(&output.stdout), step.read("summary.md"), outputs, body(0)] {
        assert!(!told.contains(PASSWORD) && !told.contains(TOKEN), "{told}");
    }
    assert!(step.read("summary.md").contains("2 to create"));
    assert!(body(0).contains("2 to create") && body(0).contains("shop-db"));

    // A redirected stream is a file, and no mask is written into that.
    let file = fs::File::create(site.folder.join("log")).expect("a file");
    let mut command = site.command(&["plan", "stack.yaml", "--sandbox", "--json"]);
    step.enter(&mut command, None).env("DB_PASSWORD", PASSWORD).stderr(file);
    assert!(run(&mut command).status.success());
    assert!(!step.read("log").contains("add-mask"));

    let output = lagoa(&["apply", "stack.yaml", "--sandbox", "--yes"]);
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // Before the first call, not only when the secret is fetched.
    let masked = |secret: &str| errors.find(&format!("::add-mask::{secret}\n"));
    let begun = errors.find("creating …").expect("something is made");
    assert!(masked(PASSWORD).is_some_and(|at| at < begun), "{errors}");
    assert!(masked(TOKEN).is_some_and(|at| at < begun), "{errors}");
    let summary = step.read("summary.md");
    for part in ["✅ <code>lagoa apply</code>", "2 steps in", "<b>shop-db</b>: created"] {
        assert!(summary.contains(part), "{part} is not in {summary}");
    }
    for line in ["exitcode=0", "changes=true", "done=2", "failed=0", "not-started=0"] {
        assert!(step.read("output").lines().any(|one| one == line), "{}", step.read("output"));
    }
    assert!(!summary.contains(PASSWORD));
    let output = lagoa(&["plan", "stack.yaml", "--sandbox", "--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(github.comments().len(), 1);
    assert!(body(0).contains("no changes") && body(0).contains("is resolved"), "{}", body(0));
    assert!(step.read("output").contains("changes=false\n"));
}
