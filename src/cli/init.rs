//! `lagoa init`.

mod files;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Exit;
use super::failed::Failed;
use super::git;
use crate::report::terminal::Terminal;
use files::{Draft, GitHub};

/// Write a first stack, or the workflows that plan and apply stacks in GitHub Actions
///
/// Works in the current folder, and overwrites nothing: when a file is there and says something
/// else, nothing at all is written.
///
/// --ci github writes two workflows and the stack `stacks/github-access.yaml`: the roles that the
/// workflows work with, which only this repository's jobs can take, and their policies.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  lagoa init coins                                       As stacks/coins.yaml
  lagoa init --ci github                                 For `origin`
  lagoa init --ci github --repository acme/lake
  lagoa init --ci github --repository acme@12/lake@34    Subjects with ids
  lagoa init --ci github --action acme/lagoa@1f2e3d4     Pin lagoa itself")]
pub struct Init {
    /// Name of the stack [default: the name of the folder; none with --ci]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Write workflows, and a stack with the roles that they need
    #[arg(long, value_name = "SYSTEM")]
    ci: Option<System>,
    /// The repository on GitHub that the roles trust: owner/name, or owner@id/name@id
    #[arg(long, value_name = "OWNER/NAME", requires = "ci", value_parser = repository)]
    repository: Option<Repository>,
    /// The branch that is applied
    #[arg(long, value_name = "NAME", default_value = "main", requires = "ci", value_parser = word)]
    branch: String,
    /// The environment on GitHub whose rules a job must pass before it applies
    #[arg(long, value_name = "NAME", default_value = "production", requires = "ci", value_parser = word)]
    environment: String,
    /// Where the workflows find lagoa's action [default: OWNER/lagoa@main]
    #[arg(long, value_name = "OWNER/NAME@REF", requires = "ci", value_parser = action)]
    action: Option<String>,
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
}

/// What runs workflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// GitHub Actions
    Github,
}

/// A repository on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    owner: String,
    name: String,
    /// As a token's subject names it: the same two, perhaps with ids.
    subject: String,
}

impl Init {
    pub async fn run(&self, terminal: Terminal) -> Result<Exit, Failed> {
        let here = std::env::current_dir()
            .map_err(|error| Failed::saying(format!("there is no current folder: {error}")))?;
        let mut drafts = Vec::new();
        let mut next = Vec::new();
        if self.name.is_some() || self.ci.is_none() {
            let name = self.stack_name(&here)?;
            drafts.push(files::starter(&name));
            next.push(files::after_starter(&name));
        }
        match self.ci {
            Some(System::Github) => {
                let github = self.github(&here).await?;
                drafts.extend(files::github(&github));
                next.push(files::after_github(&github));
            }
            None => {}
        }
        drafts.push(files::schema());
        write(&here, &drafts, self.force, terminal)?;
        terminal.out(&format!("\n{}", next.join("\n")));
        Ok(Exit::Well)
    }

    fn stack_name(&self, here: &Path) -> Result<String, Failed> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => {
                let folder = here.file_name().unwrap_or_default().to_string_lossy();
                files::lower(&folder)
            }
        };
        let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= STARTER_NAME
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits {
            return Ok(name);
        }
        Err(Failed::helping(
            format!("`{name}` is no name for this stack"),
            format!(
                "it has lower-case letters, digits and `-`, starts with a letter, and has at most \
                 {STARTER_NAME} characters, because it ends the name of a bucket: `lagoa init coins`"
            ),
        ))
    }

    async fn github(&self, here: &Path) -> Result<GitHub, Failed> {
        let repository = match &self.repository {
            Some(repository) => repository.clone(),
            None => {
                let origin = git::origin(here).await;
                origin.as_deref().and_then(from_address).ok_or_else(|| {
                    Failed::helping(
                        "which repository on GitHub shall the roles trust?",
                        "there is no remote `origin` at GitHub here: say `--repository owner/name`",
                    )
                })?
            }
        };
        let action = self.action.clone();
        let action = action.unwrap_or_else(|| format!("{}/lagoa@main", repository.owner));
        Ok(GitHub {
            action,
            branch: self.branch.clone(),
            environment: self.environment.clone(),
            ids: repository.subject.contains('@'),
            named: self.action.is_some(),
            owner: repository.owner,
            repository: repository.name,
            subject: repository.subject,
        })
    }
}

/// Bucket names have 63 characters, of which `raw-` and the account take 17.
const STARTER_NAME: usize = 40;

/// Reads `owner/name`, with ids or without.
fn repository(text: &str) -> Result<Repository, String> {
    let wrong = || "write it as owner/name".to_owned();
    let (owner, name) = text.split_once('/').ok_or_else(wrong)?;
    let plain = |text: &str, more: &str| {
        let (name, id) = text.split_once('@').unwrap_or((text, "0"));
        let allowed = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        let fits = !name.is_empty()
            && name.chars().all(allowed)
            && !id.is_empty()
            && id.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| name.to_owned())
    };
    if owner.contains('@') != name.contains('@') {
        return Err("give both ids, or none: owner@id/name@id".to_owned());
    }
    let subject = text.to_owned();
    let (owner, name) =
        (plain(owner, "-").ok_or_else(wrong)?, plain(name, "-_.").ok_or_else(wrong)?);
    Ok(Repository { owner, name, subject })
}

/// The repository of an address that git fetches from.
fn from_address(address: &str) -> Option<Repository> {
    let (_, path) = address.split_once("github.com")?;
    let path = path.strip_prefix([':', '/'])?.trim_end_matches('/');
    repository(path.strip_suffix(".git").unwrap_or(path)).ok()
}

/// What stands in YAML and in a trust policy as it is.
fn word(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match !text.is_empty() && text.chars().all(allowed) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits and `-_./` only".to_owned()),
    }
}

fn action(text: &str) -> Result<String, String> {
    let wrong = || "write it as owner/name@ref, or ./path".to_owned();
    if let Some(path) = text.strip_prefix("./") {
        return word(&format!("./{path}"));
    }
    let (path, reference) = text.split_once('@').ok_or_else(wrong)?;
    let sound = path.contains('/') && word(path).is_ok() && word(reference).is_ok();
    if sound { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// Writes all of them or none.
fn write(here: &Path, drafts: &[Draft], force: bool, terminal: Terminal) -> Result<(), Failed> {
    let there = |draft: &Draft| std::fs::read(here.join(draft.path.as_ref())).ok();
    let same = |draft: &Draft| there(draft).is_some_and(|old| old == draft.text.as_bytes());
    // A link that leads nowhere is there too.
    let exists = |draft: &Draft| here.join(draft.path.as_ref()).symlink_metadata().is_ok();
    let in_the_way: Vec<&str> = drafts
        .iter()
        .filter(|draft| !force && exists(draft) && !same(draft))
        .map(|draft| draft.path.as_ref())
        .collect();
    if !in_the_way.is_empty() {
        return Err(Failed::helping(
            format!("nothing was written, because of what is there: {}", in_the_way.join(", ")),
            "--force overwrites; or move them away, and compare",
        ));
    }
    for draft in drafts {
        let word = if same(draft) { "kept " } else { "wrote" };
        if !same(draft) {
            put(&here.join(draft.path.as_ref()), &draft.text)?;
        }
        terminal.out(&format!("{word} {}{}\n", draft.path, draft.about));
    }
    Ok(())
}

fn put(path: &PathBuf, text: &str) -> Result<(), Failed> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|error| {
        Failed::saying(format!("{} could not be written: {error}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_in_every_address() {
        let addresses = [
            "git@github.com:acme/lake.git",
            "https://github.com/acme/lake",
            "https://github.com/acme/lake.git/",
            "https://token@github.com/acme/lake.git",
            "ssh://git@github.com/acme/lake.git",
        ];
        for address in addresses {
            let found = from_address(address).expect(address);
            assert_eq!((found.owner.as_str(), found.name.as_str()), ("acme", "lake"), "{address}");
        }
        assert!(from_address("https://gitlab.com/acme/lake").is_none());
    }

    #[test]
    fn ids_are_part_of_the_subject_only() {
        let found = repository("acme@12/lake@34").expect("a repository");
        assert_eq!((found.owner.as_str(), found.name.as_str()), ("acme", "lake"));
        assert_eq!(found.subject, "acme@12/lake@34");
        for wrong in ["acme", "acme/", "acme@12/lake", "acme@/lake@3", "a b/c", "a/b\"c", "a/b:*"] {
            assert!(repository(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_goes_into_a_workflow_is_harmless() {
        assert!(word("release/1.0").is_ok() && word("a b").is_err() && word("${{ x }}").is_err());
        assert!(action("acme/lagoa@main").is_ok() && action("./").is_ok());
        assert!(action("acme/lagoa").is_err() && action("lagoa@main").is_err());
    }
}
