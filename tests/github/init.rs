//! What `lagoa init` writes, as its user goes on from there.

use super::support::Site;
use super::{Folder, bare, ran};

#[test]
fn what_init_writes_passes_check_and_applies() {
    let site = Site::serverless("init");
    let folder = Folder(site.folder.clone());
    folder.git(&["init", "--quiet"]);
    folder.git(&["remote", "add", "origin", "git@github.com:acme/Big.Lake.git"]);
    let told = folder.run(&["init", "coins"]).success().stdout();
    assert!(told.contains("wrote stacks/coins.yaml"), "{told}");
    let told = folder.run(&["init", "--ci", "github"]).success().stdout();
    for part in [
        "wrote .github/workflows/lagoa-plan.yaml",
        "kept  lagoa.schema.json",
        "lagoa apply stacks/github-access.yaml",
        "gh variable set LAGOA_PLAN_ROLE --repo acme/Big.Lake",
        "environment `production`",
        "lagoa policy",
        "--action",
        "gh api repos/acme/Big.Lake",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let access = folder.read("stacks/github-access.yaml");
    for subject in [
        "repo:acme/Big.Lake:pull_request",
        "repo:acme/Big.Lake:ref:refs/heads/main",
        "repo:acme/Big.Lake:environment:production",
    ] {
        assert!(access.contains(subject), "{subject}");
    }

    for stack in ["stacks/coins.yaml", "stacks/github-access.yaml"] {
        let checked = folder.run(&["check", stack]).success();
        assert!(checked.stderr().is_empty(), "{}", checked.stderr());
        ran(&mut site.command(&["apply", stack, "--sandbox", "--yes"])).success();
        ran(&mut site.command(&["plan", stack, "--sandbox", "--detailed-exitcode"])).success();
    }
    let listed = folder.run(&["stacks", "--json", "--except", "github-access-big-lake"]).json();
    assert_eq!(listed["include"].as_array().map(Vec::len), Some(1), "{listed}");
    std::mem::forget(folder);
}

#[test]
fn init_overwrites_nothing() {
    let folder = Folder::new("init-again");
    folder.write("policies/github-apply.json", "{}");
    let arguments = ["init", "--ci", "github", "--repository", "acme@12/lake@34"];
    let told = folder.run(&arguments).ends_with(1).stderr();
    assert!(told.contains("policies/github-apply.json") && told.contains("--force"), "{told}");
    assert!(!folder.0.join("stacks").exists(), "nothing was written");
    folder.run(&[&arguments[..], &["--force"]].concat()).success();
    let access = folder.read("stacks/github-access.yaml");
    assert!(access.contains("repo:acme@12/lake@34:environment:production"), "{access}");
    assert!(access.contains("github-lake-apply"), "{access}");
    // The same once more is nothing new.
    let told = folder.run(&arguments).success().stdout();
    assert!(!told.contains("wrote") && told.contains("kept "), "{told}");
}

#[test]
fn init_asks_for_what_it_cannot_know() {
    let folder = Folder::new("init-asks");
    let told = folder.run(&["init", "--ci", "github"]).ends_with(1).stderr();
    assert!(told.contains("--repository owner/name"), "{told}");
    folder.run(&["init", "--ci", "github", "--repository", "acme/\"lake"]).ends_with(1);
    let told = folder.run(&["init", "Coins"]).ends_with(1).stderr();
    assert!(told.contains("`Coins` is no name"), "{told}");
    let mut command = folder.command(&["init"]);
    bare(&mut command);
    ran(&mut command).success();
}
