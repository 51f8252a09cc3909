//! What git knows of the files here.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::failed::Failed;

/// The checkout that a folder lies in.
pub struct Checkout {
    /// Its top folder, without links in its path.
    pub top: PathBuf,
}

/// What differs between a commit and the files as they are now.
pub struct Changes {
    /// The commit, shortened.
    pub since: String,
    /// Paths from the top; a renamed file is there twice.
    pub paths: Vec<String>,
    /// Those of them that are gone.
    pub gone: Vec<String>,
}

/// What a push of a new branch names as the commit before it.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

impl Checkout {
    /// The one around a folder.
    pub async fn around(folder: &Path) -> Result<Self, Failed> {
        let top =
            git(folder, ["rev-parse", "--show-toplevel"]).await.map_err(|said| match said {
                Said::Absent(error) => Failed::helping(
                    format!("git can't be started: {error}"),
                    "--changed-since asks git what has changed: install it",
                ),
                Said::No(words) => Failed::helping(
                    format!("git knows no repository here: {words}"),
                    "run it in a checkout, or leave out --changed-since",
                ),
            })?;
        Ok(Self { top: PathBuf::from(top.trim_end()) })
    }

    /// What has changed since the work left `reference`: commits, what is not committed yet, and
    /// files that git doesn't know, but none that it ignores. `None` when `reference` stands for no
    /// commit, so that everything is new.
    pub async fn changes(&self, reference: &str) -> Result<Option<Changes>, Failed> {
        if reference == NO_COMMIT {
            return Ok(None);
        }
        let base = self.merge_base(reference).await?;
        // Without renames, both names of a renamed file are in the list.
        let differs = ["diff", "--name-status", "--no-renames", "--no-ext-diff", "-z", &base, "--"];
        let differs = self.ask(differs).await?;
        let mut words = differs.split('\0').filter(|word| !word.is_empty());
        let (mut paths, mut gone) = (Vec::new(), Vec::new());
        while let (Some(status), Some(path)) = (words.next(), words.next()) {
            if status.starts_with('D') {
                gone.push(path.to_owned());
            }
            paths.push(path.to_owned());
        }
        let new = self.ask(["ls-files", "--others", "--exclude-standard", "--full-name", "-z"]);
        let new = new.await?;
        paths.extend(new.split('\0').filter(|path| !path.is_empty()).map(str::to_owned));
        Ok(Some(Changes { since: base.chars().take(12).collect(), paths, gone }))
    }

    /// A file as a commit has it.
    pub async fn file(&self, commit: &str, path: &str) -> Option<String> {
        git(&self.top, ["show", &format!("{commit}:{path}")]).await.ok()
    }

    /// Where the work left `reference`.
    async fn merge_base(&self, reference: &str) -> Result<String, Failed> {
        let commit = format!("{reference}^{{commit}}");
        let found =
            git(&self.top, ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]).await;
        let Ok(commit) = found else {
            let message = format!("git knows no commit `{reference}`");
            return Err(self.shallow(message, "fetch it, or name another").await);
        };
        let base = git(&self.top, ["merge-base", commit.trim_end(), "HEAD"]).await;
        match base {
            Ok(base) => Ok(base.trim_end().to_owned()),
            Err(_) => {
                let message =
                    format!("git finds no commit that {reference} and HEAD have in common");
                Err(self.shallow(message, "name a branch that this one began at").await)
            }
        }
    }

    /// The way out where git lacks commits, most often because it was told to fetch only one.
    async fn shallow(&self, message: String, otherwise: &str) -> Failed {
        let shallow = git(&self.top, ["rev-parse", "--is-shallow-repository"]).await;
        let help = match shallow {
            Ok(answer) if answer.trim_end() == "true" => {
                "the checkout is shallow: in GitHub Actions give actions/checkout `fetch-depth: 0`; \
                 elsewhere run `git fetch --unshallow`"
            }
            _ => otherwise,
        };
        Failed::helping(message, help)
    }

    async fn ask<const N: usize>(&self, arguments: [&str; N]) -> Result<String, Failed> {
        git(&self.top, arguments).await.map_err(|said| match said {
            Said::Absent(error) => Failed::saying(format!("git can't be started: {error}")),
            Said::No(words) => Failed::saying(format!("git {} failed: {words}", arguments[0])),
        })
    }
}

/// The address of the remote `origin`.
pub async fn origin(folder: &Path) -> Option<String> {
    let address = git(folder, ["remote", "get-url", "origin"]).await.ok()?;
    Some(address.trim_end().to_owned())
}

/// Why git gave no answer.
enum Said {
    Absent(std::io::Error),
    No(String),
}

async fn git<const N: usize>(
    folder: &Path,
    arguments: [impl AsRef<OsStr>; N],
) -> Result<String, Said> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let run = Command::new("git").arg("-C").arg(folder).args(arguments).output().await;
    let output = run.map_err(Said::Absent)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Said::No(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
