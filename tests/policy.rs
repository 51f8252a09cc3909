//! The policies that lagoa prints: what the kinds declare is what IAM knows, documents fit, and the
//! platforms in `stacks/` stand up, change and go while the sandbox enforces them.

#[path = "support/cloud.rs"]
mod cloud;
#[path = "support/everything.rs"]
mod everything;
#[path = "support/leave.rs"]
mod leave;
mod support;

use std::collections::BTreeSet;

use cloud::wait;
use everything::Family;
use lagoa::access::{LIMIT, MOST, Statement, matches, paper};
use lagoa::kind::{Grant, When};
use lagoa::kinds;
use leave::{Leave, facts, printed};
use serde_json::{Map, Value, json};
use support::{Ran, Site};

/// Every grant of every kind, with the kind's name.
fn grants() -> Vec<(&'static str, Grant)> {
    let of = |kind: &&dyn lagoa::kind::AnyKind| {
        let facts = kind.facts();
        let access = facts.access;
        let all = [access.sweep, access.read, access.write, access.delete].concat();
        all.into_iter().map(move |grant| (facts.name, grant)).collect::<Vec<_>>()
    };
    kinds::all().iter().flat_map(of).collect()
}

/// A template with a wildcard for each placeholder.
fn starred(template: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in template.chars() {
        match c {
            '{' => {
                inside = true;
                text.push('*');
            }
            '}' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

#[test]
fn what_is_declared_is_what_iam_knows() {
    let facts = facts();
    let tagged: Vec<&str> = facts["tagged"].as_array().expect("ARNs").iter().map(text).collect();
    let mut wrong = Vec::new();
    for (kind, grant) in grants() {
        for action in grant.actions {
            let known = &facts["actions"][*action];
            let Some(sorts) = known["on"].as_array() else {
                wrong.push(format!("{kind}: IAM has no action {action}"));
                continue;
            };
            let sorts: Vec<&str> =
                sorts.iter().map(|sort| text(sort).trim_start_matches('!')).collect();
            let any = grant.on == ["*"];
            // IAM ignores a statement whose resources the action doesn't know.
            if any && !sorts.is_empty() && !SCOPELESS.contains(action) {
                wrong.push(format!("{kind}: {action} can be limited to {sorts:?}"));
            }
            let fits = |template: &&str| {
                let arn = starred(template);
                arn == "*" || sorts.iter().any(|sort| matches(sort, &arn) || matches(&arn, sort))
            };
            if !any && !grant.on.iter().any(fits) {
                wrong.push(format!("{kind}: {action} isn't limited by {:?}", grant.on));
            }
            if grant.when == Some(When::Owned) {
                let told =
                    grant.on.iter().all(|on| tagged.iter().any(|sort| matches(sort, &starred(on))));
                if !told {
                    wrong.push(format!("{kind}: {:?} can't be told by tags", grant.on));
                }
            }
            if grant.when == Some(When::Marked) && known["request_tag"] != true {
                wrong.push(format!("{kind}: {action} isn't told by the tags it gives"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What can be limited, but AWS asks for it in the caller's name, on things that only it knows.
const SCOPELESS: &[&str] = &["ec2:CreateNetworkInterface", "route53:AssociateVPCWithHostedZone"];

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn one(actions: &[&str], resources: Vec<String>) -> Statement {
    let actions = actions.iter().map(|action| (*action).to_owned()).collect();
    Statement { actions, resources: resources.into_iter().collect(), condition: None }
}

#[test]
fn what_is_too_much_for_one_document_takes_several() {
    let buckets = |count: usize| {
        (0..count).map(|number| format!("arn:aws:s3:::raw-{number:04}-of-the-lake")).collect()
    };
    let paper = |count| paper(vec![one(&["s3:GetBucketTagging", "s3:ListBucket"], buckets(count))]);
    assert_eq!(paper(100).documents.len(), 1);
    let several = paper(500);
    assert!(!several.coarse && (2..=MOST).contains(&several.documents.len()));
    let mut named = BTreeSet::new();
    for document in &several.documents {
        let size = document.to_string().chars().filter(|c| !c.is_whitespace()).count();
        assert!(size <= LIMIT, "{size}");
        for statement in document["Statement"].as_array().expect("statements") {
            named.extend(
                statement["Resource"]
                    .as_array()
                    .expect("ARNs")
                    .iter()
                    .map(|arn| text(arn).to_owned()),
            );
        }
    }
    assert_eq!(named.len(), 500, "nothing is lost");
    let coarse = paper(5000);
    assert!(coarse.coarse && coarse.documents.len() == 1);
    assert_eq!(coarse.documents[0]["Statement"][0]["Resource"], "arn:aws:s3:::raw-*");
}

#[test]
fn wildcards_stay_with_one_sort_of_thing() {
    let named = |what: &'static str| (0..5000).map(move |n| what.replace('#', &n.to_string()));
    let [users, roles] = ["arn:aws:iam::1:user/u-#", "arn:aws:iam::1:role/r-#"].map(named);
    let paper = paper(vec![one(&["a:B"], users.chain(roles).collect())]);
    let expected = ["arn:aws:iam::1:role/r-*", "arn:aws:iam::1:user/u-*"];
    assert_eq!(paper.documents[0]["Statement"][0]["Resource"], json!(expected));
}

/// The command line of `site` as somebody who may do what the policy says and no more.
struct Somebody {
    id: String,
    secret: String,
}

impl Somebody {
    /// The sandbox judges actions; resources and conditions it doesn't know, [`Leave`] judges those.
    /// Some actions of S3 have names of moto's own.
    fn new(site: &Site, name: &str, policy: &Value) -> Self {
        let statements = policy.as_array().expect("statements").iter();
        let actions = statements.flat_map(|statement| match &statement["Action"] {
            Value::Array(several) => several.clone(),
            one => vec![one.clone()],
        });
        let mut actions: BTreeSet<String> =
            actions.map(|action| text(&action).to_owned()).collect();
        for (iam, motos) in MOTOS {
            if actions.contains(*iam) {
                actions.extend(motos.iter().map(|one| (*one).to_owned()));
            }
        }
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
        });
        let iam = aws_sdk_iam::Client::new(&cloud::config(site));
        wait(async {
            iam.create_user().user_name(name).send().await.expect("make a user");
            let put = iam.put_user_policy().user_name(name).policy_name("leave");
            put.policy_document(policy.to_string()).send().await.expect("give it a policy");
            let key = iam.create_access_key().user_name(name).send().await.expect("make a key");
            let key = key.access_key().expect("a key").clone();
            Self { id: key.access_key_id, secret: key.secret_access_key }
        })
    }

    fn runs(&self, site: &Site, arguments: &[&str]) -> Ran {
        let mut lagoa = site.command(arguments);
        lagoa.env("AWS_ENDPOINT_URL", site.endpoint()).env("AWS_EC2_METADATA_DISABLED", "true");
        lagoa.env("AWS_ACCESS_KEY_ID", &self.id).env("AWS_SECRET_ACCESS_KEY", &self.secret);
        Ran { arguments: arguments.join(" "), output: lagoa.output().expect("run lagoa") }
    }
}

/// Names that moto gives to actions: by the service that a call is signed for, and of S3's where it
/// doesn't know the parameter of a call.
const MOTOS: &[(&str, &[&str])] = &[
    ("tag:GetResources", &["tagging:GetResources"]),
    ("s3:ListBucket", &["s3:HeadBucket"]),
    ("s3:PutBucketPublicAccessBlock", &["s3:PutPublicAccessBlock", "s3:CreateBucket"]),
    ("s3:DeleteObject", &["s3:DeleteObjects"]),
];

fn enforced(family: &Family) {
    let site = Site::quick(&format!("policy-{}", family.name));
    family.write(&site);
    let stack = ["stack.yaml"];
    let policies = ["plan", "apply", "destroy"].map(|command| printed(&site, command, &stack));
    let [plans, applies, destroys] = ["plan", "apply", "destroy"].map(|command| {
        let at = ["plan", "apply", "destroy"].iter().position(|one| *one == command);
        Somebody::new(&site, &format!("who-{command}"), &policies[at.expect("one of them")])
    });
    site.post("/_lagoa/enforce");
    let mut leave = Leave::new(&site);
    let mut held = |who: &Somebody, at: usize, arguments: &[&str], code: i32| {
        site.post("/_lagoa/requests/reset");
        who.runs(&site, arguments).ends_with(code);
        leave.hold(&policies[at], arguments[0]);
    };
    let (plan, apply) =
        (["plan", "stack.yaml", "--detailed-exitcode"], ["apply", "stack.yaml", "--yes"]);
    held(&plans, 0, &plan, 2);
    held(&applies, 1, &apply, 0);
    held(&plans, 0, &plan, 0);
    // Who may plan may change nothing.
    let file = std::fs::read_to_string(site.folder.join("stack.yaml")).expect("the stack");
    site.write("stack.yaml", &file.replacen("\ntags:\n", "\ntags:\n  Changed: everywhere\n", 1));
    let denied = plans.runs(&site, &apply).ends_with(1);
    assert!(denied.stderr().contains("AccessDenied"), "{}", denied.stderr());
    held(&applies, 1, &apply, 0);
    held(&destroys, 2, &["destroy", "stack.yaml", "--yes", "--force-unprotect"], 0);
}

#[test]
fn the_platforms_live_under_their_policies() {
    for family in everything::platforms() {
        enforced(&family);
    }
}

/// What a policy holds is the engine's, the search for what left the stack, or a kind's of the stack.
#[test]
fn nothing_is_allowed_for_kinds_that_are_not_in_the_stack() {
    let folder = std::env::temp_dir().join(format!("lagoa-policy-{}", std::process::id()));
    let site = Site::unstarted(&folder);
    for family in everything::platforms() {
        family.write(&site);
        let present = family.present();
        let of = |all: bool| -> BTreeSet<&str> {
            let grants = kinds::all().iter().flat_map(|kind| {
                let access = kind.facts().access;
                let own = all || present.contains(kind.facts().name);
                let lists = [access.read, access.write, access.delete];
                let lists = lists.into_iter().filter(move |_| own);
                lists.chain([access.sweep]).flatten().flat_map(|grant| grant.actions)
            });
            grants.copied().collect()
        };
        let strange: BTreeSet<&str> = of(true).difference(&of(false)).copied().collect();
        let policy = printed(&site, "apply", &["stack.yaml"]);
        for statement in policy.as_array().expect("statements") {
            let actions = statement["Action"].to_string();
            let found = strange.iter().find(|action| actions.contains(&format!("\"{action}\"")));
            // Secrets and the home bucket are the engine's own.
            let found = found.filter(|action| !ENGINES.contains(action));
            assert!(found.is_none(), "{}: {found:?} in {statement}", family.name);
        }
    }
    std::fs::remove_dir_all(folder).expect("clean up");
}

/// Actions that the engine needs and some kinds too.
const ENGINES: &[&str] = &["ec2:DescribeSubnets", "ec2:DescribeVpcs", "s3:TagResource"];

#[test]
fn a_policy_reads_well() {
    let folder = std::env::temp_dir().join(format!("lagoa-policy-page-{}", std::process::id()));
    let site = Site::unstarted(&folder);
    let resources = json!({
        "raw-coins": { "kind": "s3_bucket", "versioning": true },
        "loader": {
            "kind": "iam_role", "service": "dms", "managed_policies": ["AmazonS3ReadOnlyAccess"],
        },
        "coins": {
            "kind": "rds_instance", "engine": "postgres", "engine_version": "15",
            "instance_class": "db.t3.micro", "storage_gib": 20, "username": "postgres",
            "managed_password": true, "on_destroy": "snapshot",
        },
        "kept": { "kind": "s3_bucket", "on_destroy": "retain" },
    });
    let resources: Map<String, Value> = resources.as_object().expect("a mapping").clone();
    site.stack("coins", &resources);
    for command in ["plan", "apply", "destroy"] {
        let arguments = ["policy", "stack.yaml", "--for", command, "--account", "123456789012"];
        insta::assert_snapshot!(command, site.run(&arguments).success().stdout());
    }
    let anywhere = site.run(&["policy", "stack.yaml", "--for", "plan"]).success();
    assert!(anywhere.stdout().contains("arn:aws:rds:us-east-1:*:db:*"), "{}", anywhere.stdout());
    assert!(anywhere.stderr().contains("--account"), "{}", anywhere.stderr());
    site.run(&["policy", "stack.yaml"]).ends_with(1);
    site.run(&["policy", "stack.yaml", "--for", "plan", "--account", "12"]).ends_with(1);
    std::fs::remove_dir_all(folder).expect("clean up");
}
