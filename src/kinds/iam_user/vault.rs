//! The secrets in Secrets Manager that belong to a user.
//!
//! A user's own tags say which secrets are its and what of them is in force, so that the bulk read
//! of IAM brings it along: the name of each secret is noted before the secret is made, and what it
//! holds is noted after it has taken effect. A run that was killed in between finds the two at odds
//! and finishes the work.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use secrecy::{ExposeSecret, SecretString};

use crate::aws::{Aws, Class, Error, absent, gone_is_fine, iam};
use crate::field::Tags;
use crate::kind::Cx;

/// Tag of the user: name of the secret with the password.
pub const PASSWORD_SECRET: &str = "lagoa:password-secret";
/// Tag of the user: version of that secret which is the password.
pub const PASSWORD_VERSION: &str = "lagoa:password-version";
/// Tag of the user: name of the secret with the access key.
pub const KEY_SECRET: &str = "lagoa:access-key-secret";
/// Tag of the user: id of the access key in that secret.
pub const KEY_ID: &str = "lagoa:access-key-id";
/// Tag of a secret that isn't a resource of the stack but belongs to one: that one's kind.
pub const PART_OF: &str = "lagoa:part-of";

/// A secret without its value.
pub struct Secret {
    /// Its ARN.
    pub arn: String,
    /// The version that is current, if it has a value at all.
    pub version: Option<String>,
    deleted: bool,
    tags: Tags,
}

impl Secret {
    /// Whether there is a value to be had.
    pub fn is_usable(&self) -> bool {
        !self.deleted && self.version.is_some()
    }

    /// Whether it belongs to the user with these tags.
    pub fn is_of(&self, user: &Tags) -> bool {
        let same = |key| user.get(key).is_some() && user.get(key) == self.tags.get(key);
        same("lagoa:stack") && same("lagoa:name") && self.tags.get(PART_OF).is_some()
    }
}

/// Names of the secrets that the user's tags speak of.
pub fn named_in(user: &Tags) -> impl Iterator<Item = &str> {
    [PASSWORD_SECRET, KEY_SECRET].into_iter().filter_map(|tag| user.get(tag).map(String::as_str))
}

/// The secret of that name, one that is scheduled for deletion too.
pub async fn describe(aws: &Aws, name: &str) -> Result<Option<Secret>, Error> {
    let reply = absent(aws.secrets.describe_secret().secret_id(name).send().await)?;
    Ok(reply.map(secret_of))
}

fn secret_of(reply: DescribeSecretOutput) -> Secret {
    let tags = reply.tags().iter();
    let tags = tags.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    let mut versions = reply.version_ids_to_stages().into_iter().flatten();
    let current = versions.find(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
    Secret {
        arn: reply.arn().unwrap_or_default().to_owned(),
        version: current.map(|(version, _)| version.clone()),
        deleted: reply.deleted_date().is_some(),
        tags: tags.collect(),
    }
}

/// Makes the secret ready to be written or read: it is this user's, and not on its way out.
/// A secret that somebody else keeps under that name is never touched.
pub async fn open(name: &str, user: &Tags, cx: &Cx<'_>) -> Result<Option<Secret>, Error> {
    let Some(mut secret) = describe(cx, name).await? else { return Ok(None) };
    if !secret.is_of(user) {
        let message = format!("the secret {name} exists and isn't this user's");
        return Err(Error::new(Class::Terminal, message)
            .hint("choose another name for it in `password_secret` or `access_key.secret`"));
    }
    if secret.deleted {
        let call = cx.secrets.restore_secret().secret_id(name).send().await;
        call.map_err(iam::settling)?;
        secret.deleted = false;
        secret.version = None;
    }
    Ok(Some(secret))
}

/// The current version and its value.
pub async fn value(name: &str, cx: &Cx<'_>) -> Result<(String, SecretString), Error> {
    let reply = cx.secrets.get_secret_value().secret_id(name).send().await;
    let reply = reply.map_err(iam::settling)?;
    let version = reply.version_id.unwrap_or_default();
    Ok((version, SecretString::from(reply.secret_string.unwrap_or_default())))
}

/// Puts the value into the secret, which is made if `open` found none, and returns its version.
pub async fn store(
    name: &str,
    open: Option<&Secret>,
    value: &SecretString,
    user: &Tags,
    cx: &Cx<'_>,
) -> Result<String, Error> {
    let value = value.expose_secret();
    let version = if open.is_some() {
        let call = cx.secrets.put_secret_value().secret_id(name).secret_string(value);
        call.send().await.map_err(iam::settling)?.version_id
    } else {
        let part_of = [(PART_OF.to_owned(), "iam_user".to_owned())];
        let tags = user.iter().map(|(key, value)| (key.clone(), value.clone())).chain(part_of);
        let call = cx.secrets.create_secret().name(name).secret_string(value);
        let call = call.description(format!("Credentials of the IAM user {}", cx.name));
        call.set_tags(Some(tag_set(tags))).send().await?.version_id
    };
    version.ok_or_else(|| Error::internal("a secret without a version"))
}

/// Deletes the secret if it is this user's, and at once: what is in it opens nothing any more, and
/// a recovery window would only keep its name from being used again. One that is on its way out
/// already is left to go.
pub async fn destroy(name: &str, user: &Tags, cx: &Cx<'_>) -> Result<(), Error> {
    match describe(cx, name).await? {
        Some(secret) if secret.is_of(user) && !secret.deleted => {
            let call = cx.secrets.delete_secret().secret_id(name);
            gone_is_fine(call.force_delete_without_recovery(true).send().await)
        }
        _ => Ok(()),
    }
}

/// Gives the secret the user's change of tags.
pub async fn retag(
    name: &str,
    user: &Tags,
    set: &BTreeMap<String, String>,
    remove: &[String],
    cx: &Cx<'_>,
) -> Result<(), Error> {
    match describe(cx, name).await? {
        Some(secret) if secret.is_of(user) && !secret.deleted => {}
        _ => return Ok(()),
    }
    if !set.is_empty() {
        let tags = tag_set(set.iter().map(|(key, value)| (key.clone(), value.clone())));
        let call = cx.secrets.tag_resource().secret_id(name).set_tags(Some(tags));
        gone_is_fine(call.send().await)?;
    }
    if !remove.is_empty() {
        let call = cx.secrets.untag_resource().secret_id(name);
        gone_is_fine(call.set_tag_keys(Some(remove.to_vec())).send().await)?;
    }
    Ok(())
}

/// Notes something in the user's own tags.
pub async fn note(tag: &str, value: &str, cx: &Cx<'_>) -> Result<(), Error> {
    let tags = iam::tag_set(&[(tag.to_owned(), value.to_owned())].into_iter().collect())?;
    let call = cx.iam.tag_user().user_name(cx.name).set_tags(Some(tags));
    call.send().await.map(drop).map_err(iam::settling)
}

fn tag_set(tags: impl Iterator<Item = (String, String)>) -> Vec<Tag> {
    tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_secret_is_the_users_only_with_the_same_marks() {
        let secret = |pairs: &[(&str, &str)]| Secret {
            arn: String::new(),
            version: None,
            deleted: false,
            tags: tags(pairs),
        };
        let user = tags(&[("lagoa:stack", "coins"), ("lagoa:name", "ana")]);
        let (stack, name) = (("lagoa:stack", "coins"), ("lagoa:name", "ana"));
        assert!(secret(&[stack, name, (PART_OF, "iam_user")]).is_of(&user));
        assert!(!secret(&[stack, name]).is_of(&user));
        assert!(!secret(&[stack, ("lagoa:name", "eva"), (PART_OF, "iam_user")]).is_of(&user));
        assert!(!secret(&[(PART_OF, "iam_user")]).is_of(&Tags::default()));
    }
}
