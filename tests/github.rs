//! lagoa in GitHub Actions: credentials that GitHub vouches for, pull requests from forks, the
//! stacks that a change touches, the workflows that `init` writes, and the action itself.

#[path = "github/init.rs"]
mod init;
#[path = "github/lint.rs"]
mod lint;
#[path = "github/listed.rs"]
mod listed;
#[path = "github/offline.rs"]
mod offline;
#[path = "support/server.rs"]
mod server;
mod support;
#[path = "github/vouched.rs"]
mod vouched;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::Ran;

/// A folder of the test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("make a folder");
        Self(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder"))
            .expect("make a folder");
        std::fs::write(path, text).expect("write a file");
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.join(path)).expect("read a file")
    }

    /// lagoa, as in a job that has nothing: no account, no settings of anybody's.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lagoa"));
        bare(&mut command);
        command.args(arguments).current_dir(&self.0).stdin(std::process::Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Test", "-c", "user.email=test@example.com"]);
        git.args(["-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]);
        git.args(["-c", "protocol.file.allow=always"]);
        let output = git.args(arguments).current_dir(&self.0).output().expect("git starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {}: {said}", arguments.join(" "));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs it.
fn ran(command: &mut Command) -> Ran {
    let arguments: Vec<_> =
        command.get_args().map(|one| one.to_string_lossy().into_owned()).collect();
    let output = command.output().expect("it starts");
    Ran { arguments: arguments.join(" "), output }
}

/// Takes away whatever could be credentials, and what a job of GitHub's own brings.
fn bare(command: &mut Command) {
    for (name, _) in std::env::vars() {
        if ["AWS_", "GITHUB_", "ACTIONS_", "LAGOA_VAR_"].iter().any(|one| name.starts_with(one)) {
            command.env_remove(name);
        }
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/nowhere");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere");
}
