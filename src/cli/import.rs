//! `lagoa import`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::Value;

use super::Exit;
use super::arguments::{PlanArguments, StackArguments, Variables, pair};
use super::failed::Failed;
use super::masks;
use super::session::Session;
use crate::aws::{Aws, Orders};
use crate::diagnostic::{Problem, Severity, Source, closest};
use crate::document::{self, Document};
use crate::graph::Graph;
use crate::import::{self, Around, Draft, Thing};
use crate::kind::Live;
use crate::kinds;
use crate::live::{Discovery, Wish, World, discover};
use crate::report::problems;
use crate::report::style::counted;
use crate::report::terminal::Terminal;
use crate::stack::{self, Inputs};

/// Write a stack file of what exists in the account
///
/// Prints YAML of what AWS has, as a person would write it: without defaults and without what AWS
/// chose by itself, and with references instead of ids. `lagoa adopt` then takes it over, and the
/// plan after that is empty. Changes nothing in AWS.
///
/// What belongs to another stack is left out, as is what AWS makes by itself (the default VPC,
/// service-linked roles, default parameter groups) unless it is named. Secrets are never read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa import s3_bucket/raw-coins                  One bucket
  lagoa import rds_instance iam_role/etl            All databases, and a role
  lagoa import --tag Projeto=Lake --out lake.yaml   Whatever carries the tag
  lagoa import --tag Projeto=Lake iam_group/People  And what has no tags
  lagoa import s3_bucket/logs --into lake.yaml      Append it to a stack
  lagoa import --stack lake --owned                 The file of lake anew")]
pub struct Import {
    /// What to write: all of a kind, or the one of a name; nothing means everything
    #[arg(value_name = "KIND[/NAME]")]
    what: Vec<String>,
    /// Only what carries this tag, besides what is named (repeatable: all of them)
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// The new stack's name; what a stack of that name owns already keeps its key
    #[arg(long, value_name = "NAME", default_value = "imported", value_parser = stack_name)]
    stack: String,
    /// Only what the stack of that name owns: its file anew
    #[arg(long, conflicts_with = "into")]
    owned: bool,
    /// The region to look in; without one AWS_REGION or the profile counts
    #[arg(long, value_name = "REGION", conflicts_with = "into")]
    region: Option<String>,
    /// Write a new file instead of standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "into")]
    out: Option<PathBuf>,
    /// Overwrite the file of --out
    #[arg(long, requires = "out")]
    force: bool,
    /// Append to the resources of this stack, and leave the rest of its text as it is
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "stack")]
    into: Option<PathBuf>,
    #[command(flatten)]
    variables: Variables,
    /// Work in the sandbox on this machine instead of AWS; it is started if it doesn't run
    #[arg(long)]
    pub sandbox: bool,
}

fn stack_name(text: &str) -> Result<String, String> {
    let text = text.to_owned();
    match document::is_stack_name(&text) {
        true => Ok(text),
        false => Err("lower-case letters, digits and `-`, a letter first".to_owned()),
    }
}

/// Where the new entries go.
struct Target {
    aws: Aws,
    around: Around,
    /// The stack that they are appended to.
    document: Option<Document>,
    root: PathBuf,
    inputs: Inputs,
    file: String,
}

impl Import {
    /// The stack that is appended to.
    pub fn stack(&self) -> Option<(&Path, &Variables)> {
        self.into.as_deref().map(|file| (file, &self.variables))
    }

    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let wishes = self.wishes()?;
        if let Some(out) = self.out.as_ref().filter(|out| out.exists() && !self.force) {
            let message = format!("{} exists", out.display());
            return Err(Failed::helping(
                message,
                "choose another file, or overwrite it with --force",
            ));
        }
        let target = self.target().await?;
        let discovery = discover(&target.aws, &wishes).await;
        let mut notes = notes(&discovery);
        let things = self.choose(discovery, &target, &mut notes);
        if things.is_empty() {
            let site = &target.aws.site;
            notes.push(Problem::error("there is nothing to import").help(format!(
                "it was looked for in account {}, {}; check the kinds, names and tags that were given",
                site.account, site.region
            )));
            return Err(notes.into());
        }
        let (text, draft) = written(things, &target, &mut notes)?;
        self.deliver(&text, terminal)?;
        if !notes.is_empty() {
            terminal.err(&problems::render(&notes, terminal.err.colour));
        }
        terminal.err(&self.farewell(&draft, &target));
        Ok(Exit::Well)
    }

    /// What is asked for; everything when nothing is named.
    fn wishes(&self) -> Result<Vec<Wish>, Failed> {
        let mut wishes = Vec::new();
        let mut wrong = Vec::new();
        for what in &self.what {
            match wish(what) {
                Ok(wish) => wishes.push(wish),
                Err(problem) => wrong.push(problem),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong.into());
        }
        let by_tag = !self.tags.is_empty() && wishes.iter().all(|wish| wish.name.is_some());
        if wishes.is_empty() || by_tag {
            let all = kinds::all().iter().filter(|kind| !kind.facts().seed);
            let all =
                all.filter(|kind| self.tags.is_empty() || has_tags(&kind.schema()["properties"]));
            wishes.extend(all.map(|kind| Wish { kind: *kind, name: None }));
        }
        Ok(wishes)
    }

    async fn target(&self) -> Result<Target, Failed> {
        let inputs = self.variables.inputs()?;
        let Some(file) = &self.into else {
            let root = self.out.as_deref().map_or_else(|| PathBuf::from("."), stack::root);
            masks::own_credentials();
            let orders = Orders::default();
            let aws =
                Aws::connect(&self.stack, self.region.as_deref(), root.clone(), orders).await?;
            let file = self.out.as_ref().map_or("FILE".to_owned(), |out| out.display().to_string());
            return Ok(Target {
                aws,
                around: Around::default(),
                document: None,
                root,
                inputs,
                file,
            });
        };
        let name = file.display().to_string();
        let arguments = StackArguments {
            file: file.clone(),
            variables: self.variables.clone(),
            sandbox: self.sandbox,
        };
        let session = Session::open(&arguments, &PlanArguments::default()).await?;
        let source = document::read(file, &name)?;
        let document = document::document(source)?;
        let around = around(&session, &document).await?;
        let root = session.stack.root.clone();
        Ok(Target { aws: session.aws, around, document: Some(document), root, inputs, file: name })
    }

    /// Those that are meant: neither another stack's, nor in the stack already, nor without the tag.
    fn choose(&self, found: Discovery, target: &Target, notes: &mut Vec<Problem>) -> Vec<Thing> {
        let named: BTreeSet<&str> =
            self.what.iter().filter(|what| what.contains('/')).map(String::as_str).collect();
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        let mut things = Vec::new();
        for (kind, live) in found.found {
            let word = kind.facts().name;
            let is_named = |name: &str| named.contains(format!("{word}/{name}").as_str());
            let id = live.fields["id"].as_str().unwrap_or_default();
            let tagged = |(key, value): &(String, String)| live.fields["tags"][key] == **value;
            if !is_named(&live.name) && !is_named(id) && !self.tags.iter().all(tagged) {
                continue;
            }
            let mut around = target.around.resources.values();
            let same = |one: &Thing| one.kind.facts().name == word && one.live.name == live.name;
            if around.any(same) {
                continue;
            }
            match live.owner.as_ref().map(|owner| &owner.stack) {
                Some(stack) if *stack == target.aws.site.stack => things.push(Thing { kind, live }),
                _ if self.owned => {}
                Some(stack) => *others.entry(stack.clone()).or_default() += 1,
                None => things.push(Thing { kind, live }),
            }
        }
        for (stack, number) in others {
            let them = counted(number, "resource");
            let message = format!("{them} left out that the stack {stack} has");
            let help = format!("`lagoa import --stack {stack} --owned` writes that file anew");
            notes.push(Problem::warning(message).help(help));
        }
        things
    }

    fn deliver(&self, text: &str, terminal: Terminal) -> Result<(), Failed> {
        let Some(file) = self.out.as_ref().or(self.into.as_ref()) else {
            terminal.out(text);
            return Ok(());
        };
        let written = std::fs::write(file, text);
        written.map_err(|error| {
            Failed::saying(format!("{} cannot be written: {error}", file.display()))
        })
    }

    fn farewell(&self, draft: &Draft, target: &Target) -> String {
        let number = counted(draft.entries.len(), "resource");
        let ours = |thing: &Thing| {
            thing.live.owner.as_ref().is_some_and(|owner| owner.stack == target.aws.site.stack)
        };
        if draft.entries.iter().all(|entry| ours(&entry.thing)) {
            return format!("{number} of the stack {}.\n", target.aws.site.stack);
        }
        let adopt = format!("lagoa adopt {}", target.file);
        format!("{number}. Look at them, then take them over: {adopt}\n")
    }
}

/// `KIND` or `KIND/NAME`.
fn wish(what: &str) -> Result<Wish, Problem> {
    let (word, name) = match what.split_once('/') {
        Some((word, name)) if !name.is_empty() => (word, Some(name)),
        _ => (what.trim_end_matches('/'), None),
    };
    let names = kinds::all().iter().map(|kind| kind.facts().name);
    match kinds::find(word) {
        None => {
            let problem = Problem::error(format!("there is no kind `{word}`"));
            let help = "write KIND or KIND/NAME; `lagoa show kinds` lists the kinds";
            Err(match closest(word, names.clone()) {
                Some(_) => problem.did_you_mean(word, names),
                None => problem.help(help),
            })
        }
        Some(kind) if kind.facts().seed => {
            let message = format!("a `{word}` is a deed rather than a thing in AWS");
            Err(Problem::error(message).help("write it in the stack by hand"))
        }
        Some(kind) => Ok(Wish { kind, name: name.map(|name| kind.canonical_name(name)) }),
    }
}

/// What is said of what was looked for and isn't written.
fn notes(discovery: &Discovery) -> Vec<Problem> {
    let mut notes = Vec::new();
    for (kind, name) in &discovery.missing {
        let message = format!("there is no {kind} {name} in this account and region");
        notes.push(Problem::warning(message));
    }
    for (kind, name) in &discovery.ambiguous {
        let message = format!("several {kind} are called {name}: one of them is imported");
        notes.push(Problem::warning(message).help("lagoa knows them by their names only"));
    }
    for refused in &discovery.refused {
        let message = format!("{} left out: {}", refused.kind, refused.error);
        let problem = Problem::warning(message);
        notes.push(match &refused.error.hint {
            Some(hint) => problem.help(hint),
            None => problem,
        });
    }
    notes
}

fn has_tags(properties: &Value) -> bool {
    properties["tags"]["x-tags"] == true
}

/// What a stack has already, as AWS has it.
async fn around(session: &Session, document: &Document) -> Result<Around, Failed> {
    let world = session.survey(None).await?;
    let resources = session.stack.resources.iter();
    let resources = resources.filter_map(|resource| {
        let live: Live = world.resources.get(&resource.key)?.clone();
        Some((resource.key.clone(), Thing { kind: resource.kind, live }))
    });
    let tags = document.tags.iter().filter_map(|(key, node)| {
        let text = node.text().filter(|text| !text.contains("${"))?;
        Some((key.text.clone(), text.to_owned()))
    });
    let taken = session.stack.resources.iter().map(|resource| resource.key.clone());
    Ok(Around {
        resources: resources.collect(),
        taken: taken.chain(document.resources.iter().map(|(key, _)| key.text.clone())).collect(),
        tags: tags.collect(),
    })
}

/// The text, after it has been read back and planned: what would differ is left to AWS.
fn written(
    things: Vec<Thing>,
    target: &Target,
    notes: &mut Vec<Problem>,
) -> Result<(String, Draft), Failed> {
    let site = &target.aws.site;
    let mut draft = import::draft(things, &target.around, site);
    let text = text(&draft, target)?;
    let (mut stack, graph) = match read_back(&text, target) {
        Ok(checked) => checked,
        Err(problems) => {
            notes.extend(
                problems
                    .into_iter()
                    .map(|problem| Problem { severity: Severity::Warning, ..problem }),
            );
            return Ok((text, draft));
        }
    };
    stack.settle(site);
    let lives = draft.entries.iter().map(|entry| (entry.key.clone(), entry.thing.live.clone()));
    let around = target.around.resources.iter().map(|(key, one)| (key.clone(), one.live.clone()));
    let world = World { resources: lives.chain(around).collect(), ..World::default() };
    let unlike = import::unlike(&draft.entries, &stack, &graph, &world, site);
    if unlike.is_empty() {
        return Ok((text, draft));
    }
    for entry in &mut draft.entries {
        entry.ignore = unlike.get(&entry.key).cloned().unwrap_or_default();
    }
    Ok((self::text(&draft, target)?, draft))
}

fn text(draft: &Draft, target: &Target) -> Result<String, Failed> {
    let Some(document) = &target.document else {
        return Ok(import::file(draft, &target.aws.site));
    };
    import::append(document, draft).ok_or_else(|| {
        let message = format!("the resources of {} aren't one below the other", target.file);
        Failed::helping(
            message,
            "write `resources:` with an indented entry per line, not in braces",
        )
    })
}

fn read_back(text: &str, target: &Target) -> Result<(stack::Stack, Graph), Vec<Problem>> {
    let source = Source::new(&target.file, text);
    let document = document::document(source)?;
    stack::check(&document, &target.root, &target.inputs)
}
