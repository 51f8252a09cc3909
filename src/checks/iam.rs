//! Identities: what they may do, and who may become them.

use serde_json::Value;

use super::access::{Statement, allowed};
use super::{Check, Severity, Spot, Subject};
use crate::reference::is_marked;

/// Where permissions are written.
const GRANTING: &[&str] = &["iam_policy", "iam_role", "iam_user", "iam_group"];
const ROLE: &[&str] = &["iam_role"];
const USER: &[&str] = &["iam_user"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "IAM-ADMIN",
        severity: Severity::Critical,
        kinds: GRANTING,
        requires: "No policy allows every action on every resource",
        remedy: "name the actions and resources that are needed",
        checkov: &["CKV_AWS_62", "CKV_AWS_63", "CKV_AWS_274"],
        fsbp: &["IAM.1"],
        find: admin,
    },
    Check {
        id: "IAM-WILDCARD-SVC",
        severity: Severity::Medium,
        kinds: GRANTING,
        requires: "No policy allows all of a service on every resource",
        remedy: "name the actions, or the resources such as `${bucket.arn}/*`",
        checkov: &["CKV_AWS_111"],
        fsbp: &["IAM.21"],
        find: whole_service,
    },
    Check {
        id: "IAM-PRIVESC",
        severity: Severity::High,
        kinds: GRANTING,
        requires: "No policy lets its holder gain more permissions",
        remedy: "name the roles under `Resource`, such as `${role.arn}`; for iam:PassRole also with \
                 `Condition: { StringEquals: { iam:PassedToService: … } }`",
        checkov: &["CKV_AWS_110"],
        fsbp: &[],
        find: escalation,
    },
    Check {
        id: "IAM-EXFIL",
        severity: Severity::Medium,
        kinds: GRANTING,
        requires: "No policy reads the data of every bucket, secret or parameter",
        remedy: "name the buckets, secrets or parameters under `Resource`",
        checkov: &["CKV_AWS_108"],
        fsbp: &[],
        find: exfiltration,
    },
    Check {
        id: "IAM-PERM-MGMT",
        severity: Severity::High,
        kinds: GRANTING,
        requires: "No policy changes who may use any bucket, key or secret",
        remedy: "take these actions out, or name the resources",
        checkov: &["CKV_AWS_109"],
        fsbp: &[],
        find: permission_management,
    },
    Check {
        id: "IAM-TRUST-ANY",
        severity: Severity::Critical,
        kinds: ROLE,
        requires: "Nobody becomes a role who isn't named",
        remedy: "name the accounts, roles or services under `Principal` of `trust`",
        checkov: &["CKV_AWS_60", "CKV_AWS_61"],
        fsbp: &[],
        find: trusts_anybody,
    },
    Check {
        id: "IAM-OIDC-SUB",
        severity: Severity::Critical,
        kinds: ROLE,
        requires: "A role for GitHub Actions names the repository and the audience",
        remedy: "give `trust` the `Condition: { StringEquals: { \
                 token.actions.githubusercontent.com:aud: sts.amazonaws.com, \
                 token.actions.githubusercontent.com:sub: repo:OWNER/NAME:ref:refs/heads/main } }`",
        checkov: &["CKV_AWS_358"],
        fsbp: &[],
        find: github,
    },
    Check {
        id: "IAM-CONFUSED-DEPUTY",
        severity: Severity::Medium,
        kinds: ROLE,
        requires: "A service becomes a role for this account only",
        remedy: "write `trust` instead of `service`, with \
                 `Condition: { StringEquals: { aws:SourceAccount: \"${aws.account}\" } }`",
        checkov: &[],
        fsbp: &[],
        find: confused_deputy,
    },
    Check {
        id: "IAM-USER-POLICY",
        severity: Severity::Low,
        kinds: USER,
        requires: "Users get their permissions from groups",
        remedy: "move the policies to an `iam_group`, and name it in `groups`",
        checkov: &["CKV_AWS_40"],
        fsbp: &["IAM.2"],
        find: user_policies,
    },
    Check {
        id: "IAM-USER-KEYS",
        severity: Severity::Medium,
        kinds: USER,
        requires: "Nothing has a key that is valid for good",
        remedy: "use a role: an `iam_oidc_provider` for GitHub Actions, single sign-on for people",
        checkov: &[],
        fsbp: &[],
        find: user_keys,
    },
];

/// The policy documents of a resource, with the paths of their fields.
fn documents<'a>(subject: &Subject<'a>) -> Vec<(String, &'a Value)> {
    let inline = subject.fields["inline_policies"].as_object().into_iter().flatten();
    let inline = inline.map(|(name, document)| (format!("inline_policies.{name}"), document));
    let own = Some(&subject.fields["document"]).filter(|document| document.is_object());
    own.map(|document| ("document".to_owned(), document)).into_iter().chain(inline).collect()
}

/// One spot for each document with a statement that is wrong, in the words for it.
fn in_documents(subject: &Subject<'_>, wrong: impl Fn(&Statement) -> Option<String>) -> Vec<Spot> {
    let found = |(path, document): (String, &Value)| {
        let message = allowed(document).iter().find_map(&wrong)?;
        Some(Spot::new(path, message))
    };
    documents(subject).into_iter().filter_map(found).collect()
}

/// AWS's own policy for administrators.
const ADMIN: &str = "AdministratorAccess";

fn admin(subject: &Subject<'_>) -> Vec<Spot> {
    let mut spots = in_documents(subject, |one| {
        let everything = one.actions().contains(&"*") || one.inverted();
        let wrong = everything && one.everywhere() && !one.conditional();
        wrong.then(|| "this allows every action on every resource".to_owned())
    });
    let is_admin =
        |name: &Value| name.as_str().and_then(|name| name.rsplit('/').next()) == Some(ADMIN);
    let field = match &subject.written["managed_policies"] {
        Value::Array(names) => {
            names.iter().position(is_admin).map(|at| format!("managed_policies[{at}]"))
        }
        one => is_admin(one).then(|| "managed_policies".to_owned()),
    };
    let message = format!("{ADMIN} allows every action on every resource");
    spots.extend(field.map(|field| Spot::new(field, message)));
    spots
}

/// Whether it hands out what the others of this group ask about.
fn broad(one: &Statement) -> bool {
    one.everywhere() && !one.conditional()
}

fn whole_service(subject: &Subject<'_>) -> Vec<Spot> {
    in_documents(subject, |one| {
        let whole = one
            .actions()
            .into_iter()
            .find(|action| action.split_once(':').is_some_and(|(_, rest)| rest == "*"))?;
        broad(one).then(|| format!("this allows `{whole}` on every resource"))
    })
}

/// What lets its holder become or make somebody who may do more.
const ESCALATING: &[&str] = &[
    "iam:addusertogroup",
    "iam:attachgrouppolicy",
    "iam:attachrolepolicy",
    "iam:attachuserpolicy",
    "iam:createaccesskey",
    "iam:createloginprofile",
    "iam:createpolicyversion",
    "iam:passrole",
    "iam:putgrouppolicy",
    "iam:putrolepolicy",
    "iam:putuserpolicy",
    "iam:setdefaultpolicyversion",
    "iam:updateassumerolepolicy",
    "iam:updateloginprofile",
];

fn escalation(subject: &Subject<'_>) -> Vec<Spot> {
    in_documents(subject, |one| {
        let action = one.grants(ESCALATING).filter(|_| broad(one))?;
        Some(format!("`{action}` on every resource lets its holder gain any permission"))
    })
}

const READING: &[&str] = &[
    "s3:getobject",
    "secretsmanager:getsecretvalue",
    "ssm:getparameter",
    "ssm:getparameters",
    "ssm:getparametersbypath",
];

fn exfiltration(subject: &Subject<'_>) -> Vec<Spot> {
    in_documents(subject, |one| {
        let action = one.grants(READING).filter(|_| broad(one))?;
        // All of a service is told of by itself.
        let whole = action.ends_with(":*");
        (!whole).then(|| format!("`{action}` on every resource reads all there is"))
    })
}

const MANAGING: &[&str] = &[
    "kms:creategrant",
    "kms:putkeypolicy",
    "lambda:addpermission",
    "glue:putresourcepolicy",
    "s3:deletebucketpolicy",
    "s3:putbucketacl",
    "s3:putbucketpolicy",
    "s3:putbucketpublicaccessblock",
    "secretsmanager:putresourcepolicy",
    "sns:addpermission",
    "sqs:addpermission",
];

fn permission_management(subject: &Subject<'_>) -> Vec<Spot> {
    in_documents(subject, |one| {
        let action = one.grants(MANAGING).filter(|_| broad(one))?;
        Some(format!("`{action}` on every resource decides who else may use it"))
    })
}

fn trusts_anybody(role: &Subject<'_>) -> Vec<Spot> {
    let trust = allowed(&role.fields["trust"]);
    let open = trust.iter().any(|one| one.anybody() && !one.conditional());
    Spot::when(open, "trust", "anybody in any account may become this role")
}

const GITHUB: &str = "token.actions.githubusercontent.com";

/// Claims of GitHub's that name a repository.
const NAMING: &[&str] = &[":sub", ":repository", ":repository_id", ":job_workflow_ref"];

fn github(role: &Subject<'_>) -> Vec<Spot> {
    let from_github = |one: &&Statement| {
        one.principals("Federated").iter().any(|provider| {
            let referred = role.among.referred(&Value::from(*provider));
            let url = |(_, fields): &(&str, &Value)| {
                fields["url"].as_str().is_some_and(|url| url.contains(GITHUB))
            };
            provider.contains(GITHUB) || referred.iter().any(url)
        })
    };
    let trust = allowed(&role.fields["trust"]);
    let loose = trust.iter().filter(from_github).any(|one| {
        let subjects = one.compared(|key| NAMING.iter().any(|claim| key.ends_with(claim)));
        let audiences = one.compared(|key| key.ends_with(":aud"));
        let any = |subject: &str| matches!(subject, "*" | "repo:*" | "repo:*:*" | "repo:*/*:*");
        subjects.is_empty() || subjects.into_iter().any(any) || audiences.is_empty()
    });
    let message = "workflows of any repository on GitHub may become this role";
    Spot::when(loose, "trust", message)
}

/// Services that work for many accounts and say for which one they come; AWS's guides ask to
/// restrict their roles by it.
const DEPUTIES: &[&str] = &[
    "dms",
    "elasticmapreduce",
    "emr-serverless",
    "events",
    "glue",
    "monitoring.rds",
    "redshift",
    "redshift-serverless",
    "scheduler",
    "states",
];

fn confused_deputy(role: &Subject<'_>) -> Vec<Spot> {
    let services = match &role.fields["service"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let trust = allowed(&role.fields["trust"]);
    let loose = trust.iter().filter(|one| {
        let source = |key: &str| key.starts_with("aws:source");
        one.compared(source).is_empty()
    });
    let named = loose.flat_map(|one| one.principals("Service"));
    let deputy = |service: &&str| {
        let name = service.split(".amazonaws.com").next().unwrap_or_default();
        !is_marked(service) && DEPUTIES.contains(&name)
    };
    let message =
        |service: &str| format!("{service} may use this role for any account it works for");
    // The shorthand becomes `trust` only when the account is known.
    let short = services.into_iter().find(deputy).map(|one| Spot::new("service", message(one)));
    let long = named.into_iter().find(deputy).map(|one| Spot::new("trust", message(one)));
    short.or(long).into_iter().collect()
}

fn user_policies(user: &Subject<'_>) -> Vec<Spot> {
    let own = ["managed_policies", "inline_policies"].into_iter().find(|one| !user.left_out(one));
    own.map(|field| Spot::new(field, "the user has permissions of their own")).into_iter().collect()
}

fn user_keys(user: &Subject<'_>) -> Vec<Spot> {
    Spot::when(!user.left_out("access_key"), "access_key", "this key never expires")
}
