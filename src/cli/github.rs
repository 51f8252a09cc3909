//! Tells GitHub Actions what a command found: annotations, the step's summary and outputs, and the
//! comment on the pull request.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Exit;
use super::failed::Failed;
use super::session::Session;
use crate::diagnostic::Problem;
use crate::document;
use crate::github::api::Api;
use crate::github::comment::{self, Draft, LIMIT, Mark, Outcome};
use crate::github::environment::Runner;
use crate::github::outputs;
use crate::report::annotations;
use crate::report::markdown::run::RunPage;
use crate::report::markdown::{Links, Page};
use crate::report::summary::{Ending, Summary};
use crate::report::terminal::Terminal;
use crate::report::view::{Deed, View};

/// Bytes that a step's summary may have.
const SUMMARY_LIMIT: usize = 1024 * 1024;
/// What a comment says whose plan has nothing left to do.
const RESOLVED: &str = "<p>✅ What was planned here is resolved.</p>\n";
/// Every action, as outputs name it.
const DEEDS: [(Deed, &str); 8] = [
    (Deed::Create, "create"),
    (Deed::Update, "update"),
    (Deed::Replace, "replace"),
    (Deed::Adopt, "adopt"),
    (Deed::Seed, "seed"),
    (Deed::Delete, "delete"),
    (Deed::Retain, "retain"),
    (Deed::Unread, "unread"),
];

/// The way to tell GitHub.
pub struct GitHub {
    runner: Runner,
    terminal: Terminal,
}

/// What a plan came to.
pub struct Told<'a> {
    /// The stack file, as the person named it.
    pub file: &'a Path,
    /// The stack's name, when the file tells it.
    pub stack: Option<String>,
    /// The plan, if there is one.
    pub view: Option<&'a View>,
    /// What is wrong with the stack or on the way to AWS, or worth knowing.
    pub problems: &'a [Problem],
    /// How lagoa ends.
    pub exit: Exit,
}

/// What a command that changes AWS came to.
pub struct Ran<'a> {
    /// The command: `apply`.
    pub command: &'a str,
    /// The stack's name, when the file tells it.
    pub stack: Option<&'a str>,
    /// The stack file, as the person named it.
    pub file: &'a str,
    /// Account and region, when it came that far.
    pub site: Option<(&'a str, &'a str)>,
    /// How the steps ended, and after which time.
    pub ended: Option<(&'a Summary, &'a str)>,
    /// What went wrong, or is worth knowing.
    pub problems: Vec<Problem>,
}

impl<'a> Ran<'a> {
    /// A run that did nothing, because of problems.
    pub fn stopped(session: &'a Session, command: &'a str, problems: Vec<Problem>) -> Self {
        let site = &session.aws.site;
        Self {
            command,
            stack: Some(&session.stack.name),
            file: &session.file,
            site: Some((&site.account, &site.region)),
            ended: None,
            problems,
        }
    }

    /// A run that came to its end, after some time.
    pub fn ended(
        session: &'a Session,
        command: &'a str,
        (summary, elapsed): (&'a Summary, &'a str),
    ) -> Self {
        let problems = annotations::of_run(summary, &session.stack);
        Self { ended: Some((summary, elapsed)), ..Self::stopped(session, command, problems) }
    }
}

/// Tells GitHub how a command that changes AWS ended, once it has. A run that came to its end, or
/// was refused, has told more already.
pub fn ended(command: &str, file: &Path, ended: &Result<Exit, Failed>, terminal: Terminal) {
    let github = GitHub::here(terminal);
    let exit = match ended {
        Ok(exit) => *exit,
        Err(Failed(problems)) => {
            let (stack, name) = (stack_name(file), file.display().to_string());
            github.tell_run(&Ran {
                command,
                stack: stack.as_deref(),
                file: &name,
                site: None,
                ended: None,
                problems: problems.clone(),
            });
            Exit::Failed
        }
    };
    if let Err(failed) = github.put(&[("exitcode".to_owned(), exit.code().to_string())]) {
        terminal.err(&failed.render(terminal.err));
    }
}

impl GitHub {
    /// Looks at what the runner says.
    pub fn here(terminal: Terminal) -> Self {
        Self { runner: Runner::here(), terminal }
    }

    /// Shows problems beside the lines that they are of.
    pub fn annotate(&self, problems: &[Problem], title: &str) {
        self.annotations(problems, title).for_each(|line| self.terminal.out(&line));
    }

    /// As [`annotate`](Self::annotate), where standard output may be for a machine.
    pub fn annotate_beside(&self, problems: &[Problem], title: &str) {
        self.annotations(problems, title).for_each(|line| self.terminal.order(&line));
    }

    /// The orders that show problems beside their lines.
    fn annotations(&self, problems: &[Problem], title: &str) -> impl Iterator<Item = String> {
        let file = |name: &str| self.runner.in_repository(Path::new(name));
        annotations::worst(problems, title, file).into_iter().map(|one| one.line())
    }

    /// Writes the summary, the outputs, the comment's body to a file when that is wanted, and the
    /// comment when there is a token.
    pub async fn tell(&self, told: &Told<'_>, comment_out: Option<&PathBuf>) -> Result<(), Failed> {
        let name = told.file.display().to_string();
        let page = Page {
            stack: told.stack.as_deref(),
            file: &name,
            view: told.view,
            problems: told.problems,
            links: self.links(&name, told.problems),
        };
        self.summarize(|room| page.render(room, "<code>lagoa plan --json</code> shows them all."))?;
        let draft = self.draft(told, &page);
        if let Some(path) = comment_out {
            write(path, |path| fs::write(path, &draft.body))?;
        }
        self.put(&values(told, comment_out))?;
        self.comment(&draft).await;
        Ok(())
    }

    /// Tells what a command that changes AWS did, or why it did nothing. Its standard output may be
    /// for a machine, so the annotations go beside it; and what can't be told undoes nothing.
    pub fn tell_run(&self, ran: &Ran<'_>) {
        let title = format!("lagoa {}: {}", ran.command, ran.stack.unwrap_or(ran.file));
        self.annotate_beside(&ran.problems, &title);
        let page = RunPage {
            command: ran.command,
            stack: ran.stack,
            file: ran.file,
            site: ran.site,
            ended: ran.ended,
            problems: &ran.problems,
            links: self.links(ran.file, &ran.problems),
        };
        let told = self.summarize(|room| page.render(room));
        let counted = ran.ended.map_or(Ok(()), |(summary, _)| self.put(&counts(summary)));
        for failed in [told, counted].into_iter().filter_map(Result::err) {
            self.terminal.err(&failed.render(self.terminal.err));
        }
    }

    fn put(&self, values: &[(String, String)]) -> Result<(), Failed> {
        let Some(file) = &self.runner.output else { return Ok(()) };
        let text = outputs::text(values, &outputs::delimiter());
        write(file, |file| outputs::append(file, &text))
    }

    fn links(&self, file: &str, problems: &[Problem]) -> Links {
        let places = problems.iter().flat_map(|problem| {
            problem.place.iter().chain(problem.notes.iter().map(|(place, _)| place))
        });
        let names = places.map(|place| place.source.name.as_str()).chain([file]);
        let page = |name: &str| self.runner.file_page(&self.runner.in_repository(Path::new(name))?);
        let files: BTreeMap<String, String> =
            names.filter_map(|name| Some((name.to_owned(), page(name)?))).collect();
        let head = self.runner.pull_request.as_ref().and_then(|pull| pull.head.clone());
        Links {
            run: self.runner.run_page(),
            commit: head.or_else(|| self.runner.commit.clone()),
            files,
        }
    }

    /// Appends a page of at most so many bytes to the step's summary.
    fn summarize(&self, page: impl Fn(usize) -> String) -> Result<(), Failed> {
        let Some(file) = &self.runner.summary else { return Ok(()) };
        let used = fs::metadata(file).map_or(0, |facts| facts.len() as usize);
        let room = SUMMARY_LIMIT.saturating_sub(used + 1);
        let text = page(room);
        // GitHub throws a summary away that is too long, whole.
        if text.len() > room {
            self.terminal.err("warning: the step's summary is full; this isn't in it\n");
            return Ok(());
        }
        write(file, |file| outputs::append(file, &text))
    }

    fn draft(&self, told: &Told<'_>, page: &Page<'_>) -> Draft {
        let file = self.runner.in_repository(told.file);
        let mark = Mark {
            stack: told.stack.clone(),
            file: file.unwrap_or_else(|| told.file.display().to_string()),
            run: self.runner.run,
        };
        let line = mark.line();
        let whole = match self.runner.run_page() {
            Some(run) => format!("they are in <a href=\"{run}\">the run's summary</a>."),
            None => "they are in the run's summary.".to_owned(),
        };
        let worth_saying = told.view.is_none_or(View::changes);
        let room = LIMIT - 1 - line.len() - RESOLVED.len();
        let mut body = format!("{line}{}", page.render(room, &whole));
        if !worth_saying {
            body.push_str(RESOLVED);
        }
        Draft { mark, body, worth_saying }
    }

    /// A comment that can't be written takes nothing away from the plan.
    async fn comment(&self, draft: &Draft) {
        let runner = &self.runner;
        let (Some(token), Some(pull)) = (&runner.token, &runner.pull_request) else { return };
        let (Some(api), Some(repository)) = (&runner.api, &runner.repository) else { return };
        let graphql = runner.graphql.clone().unwrap_or_else(|| format!("{api}/graphql"));
        let api = Api::new(api, &graphql, token.clone());
        match comment::keep(&api, repository, pull.number, draft).await {
            Ok(Outcome::Created(address)) => {
                self.terminal.err(&format!("Commented: {address}\n"));
            }
            Ok(Outcome::Updated(address)) => {
                self.terminal.err(&format!("Comment updated: {address}\n"));
            }
            Ok(Outcome::Outrun) => {
                self.terminal.err("The comment is of a later run already, and stays as it is.\n");
            }
            Ok(Outcome::Needless) => {}
            Err(trouble) => {
                let number = pull.number;
                let message = format!("pull request {number} got no comment: {trouble}");
                let problem = Problem::warning(message);
                let problem = match comment::remedy(&trouble) {
                    Some(remedy) => problem.help(remedy),
                    None => problem,
                };
                self.annotate(std::slice::from_ref(&problem), "lagoa: comment");
            }
        }
    }
}

/// The stack's name, if the file still tells it although something is wrong with it.
pub fn stack_name(file: &Path) -> Option<String> {
    let source = document::read(file, &file.display().to_string()).ok()?;
    let document = document::outline(&source, &mut Vec::new())?;
    Some(document.stack.text).filter(|name| name.len() <= 63)
}

/// What later steps may want to know.
fn values(told: &Told<'_>, comment_out: Option<&PathBuf>) -> Vec<(String, String)> {
    let mut values = Vec::new();
    let mut put = |name: &str, value: String| values.push((name.to_owned(), value));
    put("exitcode", told.exit.code().to_string());
    if let Some(view) = told.view {
        put("changes", view.changes().to_string());
        for (deed, name) in DEEDS {
            let number = view.total.deeds.get(&deed).copied().unwrap_or(0);
            put(name, number.to_string());
        }
        put("blocked", view.total.blocked.to_string());
        put("unchanged", view.total.unchanged.to_string());
    }
    if let Some(path) = comment_out {
        put("comment-file", path.display().to_string());
    }
    values
}

/// How many steps of a run ended how.
fn counts(summary: &Summary) -> Vec<(String, String)> {
    let of = |wanted: fn(&Ending) -> bool| {
        summary.steps.iter().filter(|step| wanted(&step.ending)).count().to_string()
    };
    [
        ("changes", (!summary.steps.is_empty()).to_string()),
        ("done", of(|one| matches!(one, Ending::Done))),
        ("failed", of(|one| matches!(one, Ending::Failed(_)))),
        ("not-finished", of(|one| matches!(one, Ending::Unfinished(_)))),
        ("not-started", of(|one| matches!(one, Ending::NotStarted(_) | Ending::Unread))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn write(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), Failed> {
    write(path)
        .map_err(|error| Failed::saying(format!("{} cannot be written: {error}", path.display())))
}
