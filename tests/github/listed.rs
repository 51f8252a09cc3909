//! The stacks that a change touches, in real repositories.

use serde_json::{Value, json};

use super::support::Ran;
use super::{Folder, ran};

const LAKE: &str = "\
stack: lake
region: us-east-1
variables: { my_ip: {} }
resources:
  raw: { kind: s3_bucket, policy: policies/raw.json }
  db: { kind: rds_instance, engine: postgres, instance_class: db.t3.micro, storage_gib: 20, username: a, managed_password: true }
  schema: { kind: postgres_seed, database: db, scripts: ['sql/schema/*.sql'] }
  coins: { kind: postgres_seed, database: db, csv: data/coins.csv, table: coins }
";
const SHOP: &str = "stack: shop\nregion: us-east-1\nresources: { shop-raw: { kind: s3_bucket } }\n";

/// A repository with two stacks, a commit on main, and a branch that begins there.
fn repository(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("stacks/lake.yaml", LAKE);
    folder.write("stacks/deep/shop.yml", SHOP);
    folder.write("stacks/values.yaml", "my_ip: 203.0.113.7/32\n");
    folder.write("policies/raw.json", "{}");
    folder.write("sql/schema/1.sql", "select 1;");
    folder.write("sql/schema/2.sql", "select 2;");
    folder.write("data/coins.csv", "id\n1\n");
    folder.write("README.md", "A lake.\n");
    folder.git(&["init", "--quiet"]);
    folder.git(&["add", "."]);
    folder.git(&["commit", "--quiet", "-m", "Begin"]);
    folder.git(&["branch", "-M", "main"]);
    folder.git(&["switch", "--quiet", "-c", "work"]);
    folder
}

fn changed(folder: &Folder) -> Vec<String> {
    names(&folder.run(&["stacks", "--changed-since", "main", "--json"]).success())
}

fn names(ran: &Ran) -> Vec<String> {
    let listed = ran.json();
    let include = listed["include"].as_array().expect("a list").iter();
    include.map(|one| one["stack"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn stacks_are_known_by_what_is_in_them() {
    let folder = repository("listed");
    let listed = folder.run(&["stacks", "--json"]).success();
    assert_eq!(listed.stdout().lines().count(), 1, "a workflow keeps it as an output");
    let expected: Value = json!({ "include": [
        { "stack": "shop", "file": "stacks/deep/shop.yml" },
        { "stack": "lake", "file": "stacks/lake.yaml" },
    ] });
    assert_eq!(listed.json(), expected);
    let text = folder.run(&["stacks", "stacks/lake.yaml"]).success().stdout();
    assert_eq!(text, "lake  stacks/lake.yaml\n");
    assert_eq!(names(&folder.run(&["stacks", "--json", "--except", "lake"])), ["shop"]);
    let told = folder.run(&["stacks", "nowhere"]).ends_with(1).stderr();
    assert!(told.contains("there is no nowhere"), "{told}");
    // A broken one is listed: whoever plans it is told what is wrong.
    folder.write("stacks/broken.yaml", "stack: broken\nresources: [\n");
    assert_eq!(names(&folder.run(&["stacks", "--json"])), ["broken", "shop", "lake"]);
}

#[test]
fn a_stack_is_touched_by_its_file_and_by_what_it_names() {
    let folder = repository("touched");
    assert!(changed(&folder).is_empty());
    let none = folder.run(&["stacks", "--changed-since", "main"]).success();
    assert!(none.stdout().is_empty() && none.stderr().contains("No stack differs"));

    // What the stack doesn't name.
    folder.write("README.md", "A deep lake.\n");
    folder.write("sql/other.sql", "select 3;");
    folder.write("stacks/values.yaml", "my_ip: 203.0.113.8/32\n");
    assert!(changed(&folder).is_empty());

    // Edited, committed or not; new, known to git or not; by glob and by path.
    let back = |folder: &Folder| {
        folder.git(&["reset", "--quiet", "--hard", "main"]);
        folder.git(&["clean", "--quiet", "-fd"]);
    };
    let lake = ["lake"];
    for path in ["policies/raw.json", "sql/schema/2.sql", "sql/schema/3.sql", "data/coins.csv"] {
        folder.write(path, "changed");
        assert_eq!(changed(&folder), lake, "{path} as it lies there");
        folder.git(&["add", "."]);
        assert_eq!(changed(&folder), lake, "{path} in the index");
        folder.git(&["commit", "--quiet", "-m", "Change"]);
        assert_eq!(changed(&folder), lake, "{path} in a commit");
        back(&folder);
    }

    // A rule that the plan has to pass, and one that nobody asks.
    folder.write("policies/guardrails/examples/prod.rego", "package lagoa\n");
    assert!(changed(&folder).is_empty());
    folder.write("policies/guardrails/prod.rego", "package lagoa\n");
    assert_eq!(changed(&folder), lake);
    back(&folder);

    // Deleted, and renamed out of the glob.
    for (from, to) in [("policies/raw.json", "gone.json"), ("sql/schema/1.sql", "sql/1.sql")] {
        folder.git(&["mv", from, to]);
        assert_eq!(changed(&folder), lake, "{from} renamed");
        back(&folder);
        folder.git(&["rm", "--quiet", from]);
        assert_eq!(changed(&folder), lake, "{from} deleted");
        back(&folder);
    }

    // Renamed into it, seen from a folder below, with a name that git would quote.
    folder.write("sql/schema/ação \"1\".sql", "select 1;");
    let mut below = folder.command(&["stacks", "../stacks", "--changed-since", "main", "--json"]);
    let listed = ran(below.current_dir(folder.0.join("sql"))).success();
    assert_eq!(listed.json()["include"][0]["file"], "../stacks/lake.yaml");
    back(&folder);

    folder.write("stacks/deep/shop.yml", &SHOP.replace("shop-raw", "shop-new"));
    assert_eq!(changed(&folder), ["shop"]);
}

#[test]
fn what_main_did_meanwhile_is_not_this_works_change() {
    let folder = repository("meanwhile");
    folder.git(&["switch", "--quiet", "main"]);
    folder.write("policies/raw.json", "changed on main");
    folder.git(&["commit", "--quiet", "-am", "Change"]);
    folder.git(&["switch", "--quiet", "work"]);
    assert!(changed(&folder).is_empty());
}

#[test]
fn a_deleted_stack_is_not_forgotten() {
    let folder = repository("deleted");
    folder.git(&["rm", "--quiet", "stacks/deep/shop.yml"]);
    let ran = folder.run(&["stacks", "--changed-since", "main", "--json"]).success();
    assert!(names(&ran).is_empty());
    let told = ran.stderr();
    assert!(told.contains("what the stack shop made stays in AWS"), "{told}");
    assert!(told.contains("lagoa destroy"), "{told}");

    // One that moved is still there.
    folder.write("stacks/shop.yaml", SHOP);
    let ran = folder.run(&["stacks", "--changed-since", "main", "--json"]).success();
    assert_eq!(names(&ran), ["shop"]);
    assert!(!ran.stderr().contains("stays in AWS"), "{}", ran.stderr());
}

#[test]
fn git_s_refusals_come_with_a_remedy() {
    let folder = repository("remedies");
    folder.write("README.md", "More.\n");
    folder.git(&["commit", "--quiet", "-am", "More"]);
    let told = |folder: &Folder, reference: &str| {
        folder.run(&["stacks", "--changed-since", reference]).ends_with(1).stderr()
    };
    let unknown = told(&folder, "origin/nowhere");
    assert!(unknown.contains("git knows no commit `origin/nowhere`"), "{unknown}");
    // No option of git's can be slipped in.
    let option = told(&folder, "--help");
    assert!(
        option.contains("git knows no commit `--help`") || option.contains("a value"),
        "{option}"
    );

    let clone = Folder::new("remedies-clone");
    let from = format!("file://{}", folder.0.display());
    clone.git(&["clone", "--quiet", "--depth", "1", "--no-single-branch", &from, "."]);
    let shallow = told(&clone, "origin/main");
    assert!(shallow.contains("fetch-depth: 0"), "{shallow}");

    // A push that made the branch names no commit before it: everything is new.
    let zeros = "0".repeat(40);
    assert_eq!(
        names(&folder.run(&["stacks", "--changed-since", &zeros, "--json"])),
        ["shop", "lake"]
    );
}
