//! What the IAM kinds share: tags, ownership by path, and names of managed policies.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Config;
use aws_sdk_iam::config::Builder;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::error::BuildError;
use aws_sdk_iam::types::Tag;

use super::{Class, Error};
use crate::field::{Policy, PolicyArn, Tags};
use crate::kind::{Owner, Site};
use crate::reference::{is_marked, known_characters};

/// What IAM's tag calls take.
pub fn tag_set(tags: &Tags) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect::<Result<_, BuildError>>().map_err(unbuilt)
}

/// The tags in a reply of IAM's.
pub fn tags_of(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

fn unbuilt(error: BuildError) -> Error {
    Error::internal(error.to_string())
}

/// The one of that name. IAM keeps a name's case but lets no second one differ only in it.
pub fn named<'a, T>(
    all: &'a [T],
    name_of: impl Fn(&T) -> Option<&str>,
    name: &str,
) -> Option<&'a T> {
    let exact = all.iter().find(|one| name_of(one) == Some(name));
    let same = |one: &&T| name_of(one).is_some_and(|other| other.eq_ignore_ascii_case(name));
    exact.or_else(|| all.iter().find(same))
}

/// Names of those whose tags say that they belong to the stack.
pub fn tagged<'a>(
    all: impl Iterator<Item = (Option<&'a str>, &'a [Tag])>,
    stack: &str,
) -> Vec<String> {
    let ours = |tags: &[Tag]| tags.iter().any(|t| t.key() == "lagoa:stack" && t.value() == stack);
    all.filter(|(_, tags)| ours(tags)).filter_map(|(name, _)| name.map(str::to_owned)).collect()
}

/// The path that says whose the thing is, for what can't be tagged: `/team/lagoa/<stack>/`.
pub fn marked_path(path: &str, stack: &str) -> String {
    format!("{path}lagoa/{stack}/")
}

/// A path in AWS as the stack writes it, without the mark, and the stack that the mark names.
pub fn unmarked_path(path: &str) -> (&str, Option<&str>) {
    let parts = path.strip_suffix('/').and_then(|path| path.rsplit_once('/'));
    match parts.and_then(|(rest, stack)| Some((rest.strip_suffix("lagoa")?, stack))) {
        Some((rest, stack)) if rest.ends_with('/') && !stack.is_empty() => (rest, Some(stack)),
        _ => (path, None),
    }
}

/// Whose the thing at this path is.
pub fn owner_by_path(path: &str) -> Option<Owner> {
    let (_, stack) = unmarked_path(path);
    stack.map(|stack| Owner { stack: stack.to_owned(), key: None })
}

/// The ARN of a managed policy that is given by ARN or by the name of one of AWS's own.
pub fn managed_policy(policy: &PolicyArn, site: &Site) -> PolicyArn {
    if policy.is_empty() || policy.starts_with("arn:") || is_marked(policy) {
        return policy.clone();
    }
    PolicyArn(format!("arn:{}:iam::aws:policy/{}", site.partition, policy.trim_start_matches('/')))
}

/// See [`managed_policy`].
pub fn managed_policies(policies: &BTreeSet<PolicyArn>, site: &Site) -> BTreeSet<PolicyArn> {
    policies.iter().map(|policy| managed_policy(policy, site)).collect()
}

/// The opposite of [`managed_policies`]: AWS's own policies by their names.
pub fn short_policies(policies: &BTreeSet<PolicyArn>, site: &Site) -> BTreeSet<PolicyArn> {
    policies.iter().map(|policy| short_policy(policy, site)).collect()
}

/// The opposite of [`managed_policy`].
pub fn short_policy(policy: &PolicyArn, site: &Site) -> PolicyArn {
    let prefix = format!("arn:{}:iam::aws:policy/", site.partition);
    PolicyArn(policy.strip_prefix(prefix.as_str()).unwrap_or(policy).to_owned())
}

/// What has to be done about a permissions boundary.
pub enum Boundary {
    /// Nothing.
    Keep,
    /// Set this policy.
    Set(PolicyArn),
    /// Take the one there is away, which the stack asks for with an empty text.
    Remove,
}

/// Compares the boundary that is wanted with the one there is.
pub fn boundary(desired: Option<&PolicyArn>, live: Option<&PolicyArn>, site: &Site) -> Boundary {
    match (desired.map(|policy| managed_policy(policy, site)), live) {
        (Some(policy), Some(_)) if policy.is_empty() => Boundary::Remove,
        (Some(policy), live) if !policy.is_empty() && Some(&policy) != live => {
            Boundary::Set(policy)
        }
        _ => Boundary::Keep,
    }
}

/// An empty text asks for no boundary, which is what AWS has when it reports none.
pub fn accept_boundary(desired: &mut Option<PolicyArn>, live: Option<&PolicyArn>) {
    if live.is_none() && desired.as_ref().is_some_and(|policy| policy.is_empty()) {
        *desired = None;
    }
}

/// For calls that make another thing each time they are asked: when an answer is lost, whoever calls
/// again looks first what is there.
pub fn once() -> Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

/// "No such entity" from a call about something that was just read or made: IAM's servers
/// don't all know it yet.
pub fn settling(error: impl Into<Error>) -> Error {
    let error = error.into();
    if error.is_gone() { Error { class: Class::Propagating, ..error } } else { error }
}

/// What is wrong with inline policies, for which there is room for so many characters together.
pub fn check_inline(policies: &BTreeMap<String, Policy>, room: usize) -> Vec<(String, String)> {
    let names = policies.keys();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let bad = names.filter(|name| !is_marked(name));
    let bad = bad.filter(|name| name.is_empty() || name.len() > 128 || !name.chars().all(allowed));
    let message = "a policy's name has 1 to 128 letters, digits and _+=,.@-".to_owned();
    let mut wrong: Vec<_> =
        bad.map(|name| (format!("inline_policies.{name}"), message.clone())).collect();
    wrong.extend(
        too_long(policies.values(), room).map(|message| ("inline_policies".to_owned(), message)),
    );
    wrong
}

/// What is wrong with policies that there isn't room for, whatever their references come to. IAM
/// doesn't count spaces.
pub fn too_long<'a>(policies: impl Iterator<Item = &'a Policy>, room: usize) -> Option<String> {
    let long: usize = policies.map(|policy| known_characters(&policy.text())).sum();
    (long > room).then(|| {
        format!(
            "this has {long} characters without spaces, and IAM takes {room}: take several \
             policies, or wildcards for names"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    fn site() -> Site {
        let text = str::to_owned;
        Site { partition: text("aws-cn"), account: text("1"), region: text("r"), stack: text("s") }
    }

    #[test]
    fn what_is_too_long_for_sure_is_told() {
        let reference = Reference { key: "k".repeat(100), field: "arn".to_owned() }.mark();
        let policy = |text: String| Policy(serde_json::json!({ "Resource": text }));
        let inline = |text: String| BTreeMap::from([("read".to_owned(), policy(text))]);
        // `{"Resource":""}` has 15 characters.
        assert_eq!(check_inline(&inline(format!("{reference} {}", "a".repeat(85))), 100), []);
        let wrong = check_inline(&inline(format!("{reference} {}", "a".repeat(86))), 100);
        assert_eq!(wrong[0].0, "inline_policies");
        assert!(wrong[0].1.starts_with("this has 101 characters"), "{}", wrong[0].1);
        let twice = policy("a".repeat(40));
        assert!(too_long([&twice, &twice].into_iter(), 109).is_some());
    }

    #[test]
    fn a_mark_goes_on_and_comes_off() {
        for path in ["/", "/team/", "/lagoa/", "/a/lagoa/b/"] {
            let marked = marked_path(path, "coins");
            assert_eq!(unmarked_path(&marked), (path, Some("coins")), "{marked}");
        }
        for path in ["/", "/lagoa/", "/team/a/", "/xlagoa/coins/", "/coins/"] {
            assert_eq!(unmarked_path(path), (path, None));
        }
    }

    #[test]
    fn names_of_aws_own_policies_become_arns() {
        for (given, arn) in [
            ("AdministratorAccess", "arn:aws-cn:iam::aws:policy/AdministratorAccess"),
            ("service-role/X", "arn:aws-cn:iam::aws:policy/service-role/X"),
            ("arn:aws:iam::1:policy/x", "arn:aws:iam::1:policy/x"),
            ("", ""),
        ] {
            assert_eq!(&*managed_policy(&given.into(), &site()), arn);
        }
    }

    #[test]
    fn names_match_exactly_before_they_match_without_case() {
        let all = ["Admin", "admin", "other"];
        let find = |name| named(&all, |one| Some(one), name).copied();
        assert_eq!(find("admin"), Some("admin"));
        assert_eq!(find("OTHER"), Some("other"));
        assert_eq!(find("none"), None);
    }
}
