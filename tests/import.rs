//! What exists becomes a stack file that says the same: for stacks that together have every kind,
//! and for whole platforms that somebody else made.

#[path = "support/everything.rs"]
mod everything;
mod support;

use std::collections::BTreeSet;

use everything::families;
use lagoa::kinds;
use serde_json::Value;
use support::{Ran, Site, actions, yaml};

fn lagoa(site: &Site, command: &str, file: &str, more: &[&str]) -> Ran {
    site.run(&[&[command, file, "--sandbox"], more].concat())
}

fn import(site: &Site, stack: &str, file: &str, more: &[&str]) -> Ran {
    let arguments = ["import", "--sandbox", "--stack", stack, "--out", file];
    site.run(&[&arguments[..], more].concat()).success()
}

fn text(site: &Site, file: &str) -> String {
    std::fs::read_to_string(site.folder.join(file)).expect("read a stack")
}

#[track_caller]
fn settled(site: &Site, file: &str, when: &str) {
    site.run(&["check", file]).success();
    let plan = lagoa(site, "plan", file, &["--detailed-exitcode"]);
    let (told, wrong) = (plan.stdout(), plan.stderr());
    assert_eq!(plan.code(), Some(0), "{when}:\n{told}{wrong}\n{}", text(site, file));
}

/// The file that a stack's resources give is the stack's; once they are nobody's, another stack
/// takes them over with nothing but its marks to change.
fn comes_back(word: &str) {
    let name = format!("walk-{word}");
    let family = families().into_iter().find(|one| one.name == name).expect("a family");
    let site = Site::quick(&format!("import-{word}"));
    family.write(&site);
    site.stack_command("apply", &["--yes"]).success();

    import(&site, &name, "anew.yaml", &["--owned"]);
    settled(&site, "anew.yaml", "the file of a stack anew");
    let anew = yaml(&text(&site, "anew.yaml"));
    let written = anew["resources"].as_object().expect("resources").values();
    let written: BTreeSet<&str> = written.filter_map(|one| one["kind"].as_str()).collect();
    for kind in family.kinds.iter().filter_map(|kind| kinds::find(kind)) {
        let facts = kind.facts();
        assert!(facts.seed || written.contains(facts.name), "{} isn't written", facts.name);
    }
    assert!(!text(&site, "anew.yaml").contains("ignore:"), "{}", text(&site, "anew.yaml"));

    site.post("/_lagoa/unmark");
    import(&site, "taken", "taken.yaml", &[]);
    let plan = lagoa(&site, "plan", "taken.yaml", &["--json"]).success().json();
    assert!(
        actions(&plan).iter().all(|action| action.starts_with("adopt ")),
        "{:?}\n{}",
        actions(&plan),
        text(&site, "taken.yaml")
    );
    lagoa(&site, "adopt", "taken.yaml", &["--yes"]).success();
    settled(&site, "taken.yaml", "after it was taken over");
}

macro_rules! families {
    ($($word:ident),+ $(,)?) => {
        $(#[test]
        fn $word() {
            comes_back(stringify!($word));
        })+

        #[test]
        fn every_kind_that_can_be_imported_is_tried() {
            let tried: BTreeSet<&str> = [$(stringify!($word)),+].into();
            let word = |name: &'static str| name.split('_').next().unwrap_or(name);
            let things = kinds::all().iter().filter(|kind| !kind.facts().seed);
            let all: BTreeSet<&str> = things.map(|kind| word(kind.facts().name)).collect();
            assert_eq!(tried, all);
        }
    };
}

families! { dms, ec2, eks, emr, iam, kms, logs, rds, redshift, s3, secretsmanager, ssm }

#[test]
fn a_platform_of_nobody_is_imported_by_its_tag_and_taken_over() {
    let site = Site::quick("import-platform");
    let family = everything::platforms().into_iter().find(|one| one.name == "sicredi");
    family.expect("the platform").write(&site);
    site.stack_command("apply", &["--yes"]).success();
    site.post("/_lagoa/unmark");

    let tag = ["--tag", "Projeto=Sicredi", "--region", "us-east-2"];
    import(&site, "found", "found.yaml", &tag);
    let found = yaml(&text(&site, "found.yaml"));
    let (made, resources) = (yaml(&text(&site, "stack.yaml")), &found["resources"]);
    assert_eq!(found["tags"], made["tags"]);
    // Its address has the same name, and is a thing of its own as long as it is nobody's.
    let gateway = resources.as_object().into_iter().flatten();
    let mut gateways = gateway.filter(|(_, one)| one["kind"] == "ec2_nat_gateway");
    let (_, gateway) = gateways.next().expect("a NAT gateway");
    assert_eq!(gateway["subnet"], "sicredi-public-a");
    assert_eq!(resources["sicredi-eks"]["role"], "sicredi-control-plane");
    assert_eq!(resources["dbsicredi"]["subnet_group"], "sicredi-database-subnets");
    assert_eq!(resources["dbsicredi"]["security_groups"][0], "sicredi-database-access");
    assert_eq!(resources["sicredi-nodes"]["service"], "ec2.amazonaws.com");
    let text = text(&site, "found.yaml");
    assert!(!["vpc-", "subnet-", "sg-"].iter().any(|id| text.contains(id)), "{text}");

    lagoa(&site, "adopt", "found.yaml", &["--yes"]).success();
    settled(&site, "found.yaml", "after the platform was taken over");
    lagoa(&site, "destroy", "found.yaml", &["--yes", "--force-unprotect"]).success();
}

#[test]
fn what_is_appended_refers_to_what_is_there_and_changes_no_other_text() {
    let site = Site::quick("import-into");
    let others = "stack: others\nregion: us-east-1\nresources:\n  lake-vpc:\n    kind: ec2_vpc\n    \
                  cidr: 10.0.0.0/16\n  lake-a:\n    kind: ec2_subnet\n    vpc: lake-vpc\n    cidr: \
                  10.0.0.0/24\n    zone: us-east-1a\n";
    site.write("others.yaml", others);
    lagoa(&site, "apply", "others.yaml", &["--yes"]).success();
    site.post("/_lagoa/unmark");
    let mine = "# Mine.\nstack: mine\nregion: us-east-1\nresources:\n    lake-vpc:   # by hand\n        \
                kind: ec2_vpc\n        cidr: 10.0.0.0/16\n\noutputs: { vpc: \"${lake-vpc.id}\" }\n";
    site.write("mine.yaml", mine);

    let arguments = ["import", "--sandbox", "ec2_subnet/lake-a", "--into", "mine.yaml"];
    site.run(&arguments).success();
    let after = text(&site, "mine.yaml");
    let (head, tail) = mine.split_once("\noutputs").expect("outputs");
    assert!(after.starts_with(head) && after.ends_with(&format!("\noutputs{tail}")), "{after}");
    let resources = yaml(&after)["resources"].clone();
    assert_eq!(resources["lake-a"]["vpc"], "lake-vpc");
    lagoa(&site, "adopt", "mine.yaml", &["--yes"]).success();
    settled(&site, "mine.yaml", "after both were taken over");
}

#[test]
fn what_is_another_stacks_or_not_there_is_said() {
    let site = Site::quick("import-notes");
    site.write(
        "stack.yaml",
        "stack: others\nregion: us-east-1\nresources: { raw-coins: { kind: s3_bucket } }\n",
    );
    site.stack_command("apply", &["--yes"]).success();
    let ran = site.run(&["import", "--sandbox", "s3_bucket", "iam_role/nobody"]).ends_with(1);
    insta::assert_snapshot!("import_of_others", ran.stderr());
    let ran = site.run(&["import", "--sandbox", "s3_buckets", "postgres_seed"]).ends_with(1);
    insta::assert_snapshot!("import_of_no_kind", ran.stderr());
    let ran = site.run(&["import", "--sandbox", "--stack", "others", "--owned"]).success();
    insta::assert_snapshot!("import_of_a_stack", ran.stdout());
    site.write("out.yaml", "mine");
    let ran = site.run(&["import", "--sandbox", "--out", "out.yaml"]).ends_with(1);
    insta::assert_snapshot!("import_overwrites_nothing", ran.stderr());
    assert_eq!(text(&site, "out.yaml"), "mine");
}

/// Nothing that a person would miss: a value of the stack that isn't in its file anew.
#[test]
fn nothing_secret_is_written() {
    let site = Site::quick("import-secrets");
    let stack = "stack: own\nregion: us-east-1\nresources:\n  /coins/key:\n    kind: ssm_parameter\n    \
                 type: SecureString\n    secret: ${env.LAGOA_TEST_PASSWORD}\n";
    site.write("stack.yaml", stack);
    site.stack_command("apply", &["--yes"]).success();
    import(&site, "own", "anew.yaml", &["--owned"]);
    let anew = text(&site, "anew.yaml");
    assert!(!anew.contains("correct-horse-battery"), "{anew}");
    let secret: &Value = &yaml(&anew)["resources"]["/coins/key"]["secret"];
    assert_eq!(secret["env"], "_COINS_KEY_SECRET");
    settled(&site, "anew.yaml", "a secret in the environment");
}
