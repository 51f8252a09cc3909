//! Every platform in `stacks/` stands up from its one file, as it is: apply, an empty plan, a tag
//! changed on everything, an empty plan again, and down until nothing is left.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use support::{Site, actions};

/// The platforms, with what they refer to, as a checkout has them.
fn checkout(site: &Site) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["stacks", "policies", "sql"] {
        copy(&repository.join(folder), &site.folder.join(folder));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a folder");
    for entry in fs::read_dir(from).expect("read a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy a file");
        }
    }
}

fn stands_up_changes_and_goes(platform: &str) {
    let site = Site::new(&format!("platform-{platform}"));
    checkout(&site);
    let file = format!("stacks/{platform}.yaml");
    let lagoa = |command: &str, more: &[&str]| {
        site.run(&[&[command, file.as_str(), "--sandbox"], more].concat())
    };
    let settled = |when: &str| {
        let plan = lagoa("plan", &["--detailed-exitcode"]);
        assert_eq!(plan.code(), Some(0), "{when}:\n{}{}", plan.stdout(), plan.stderr());
    };
    site.run(&["check", file.as_str()]).success();
    lagoa("apply", &["--yes"]).success();
    settled("after the first apply");

    let path = site.folder.join(&file);
    let text = fs::read_to_string(&path).expect("read the stack");
    assert!(text.contains("\ntags:\n"), "{platform} has tags of its own, each on a line");
    fs::write(&path, text.replacen("\ntags:\n", "\ntags:\n  Changed: everywhere\n", 1))
        .expect("write the stack");
    let plan = lagoa("plan", &["--json"]).success().json();
    let done = actions(&plan);
    assert!(!done.is_empty(), "a tag of the stack changes what carries it");
    assert!(done.iter().all(|one| one.starts_with("update ")), "{done:?}");
    lagoa("apply", &["--yes"]).success();
    settled("after a tag changed");

    lagoa("destroy", &["--yes", "--force-unprotect"]).success();
    let left = lagoa("destroy", &["--yes", "--json"]).success().json();
    assert_eq!(actions(&left["plan"]), Vec::<String>::new(), "left after destroy");
}

macro_rules! platforms {
    ($($platform:ident),+ $(,)?) => {
        $(#[test]
        fn $platform() {
            stands_up_changes_and_goes(stringify!($platform));
        })+

        #[test]
        fn every_platform_is_tried() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks");
            let files = fs::read_dir(folder).expect("read the folder");
            let names: BTreeSet<String> = files
                .map(|file| file.expect("a file").path())
                .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
                .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
                .collect();
            assert_eq!(names, BTreeSet::from([$(stringify!($platform).to_owned()),+]));
        }
    };
}

platforms! { bootcamp, sicredi, warehouse }
