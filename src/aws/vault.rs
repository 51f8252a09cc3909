//! Secrets in Secrets Manager that aren't resources of the stack but belong to one: what a service
//! generates and shows once goes straight into them.
//!
//! Such a secret carries the marks of its holder (`lagoa:stack`, `lagoa:name`) and `lagoa:part-of`,
//! which keeps it apart from the secrets that are resources themselves.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use secrecy::{ExposeSecret, SecretString};

use super::{Aws, Class, Error, absent, gone_is_fine};
use crate::field::Tags;
use crate::kind::{Grant, When};

/// Tag of a secret that belongs to a resource: that one's kind.
pub const PART_OF: &str = "lagoa:part-of";

/// What it takes to look at such secrets.
pub const fn reading(on: &'static [&'static str]) -> Grant {
    Grant::of(&["secretsmanager:DescribeSecret"], on)
}

/// What it takes to make them and to write into them.
pub const fn keeping(on: &'static [&'static str]) -> Grant {
    const ACTIONS: &[&str] = &[
        "secretsmanager:CreateSecret",
        "secretsmanager:PutSecretValue",
        "secretsmanager:RestoreSecret",
        "secretsmanager:TagResource",
        "secretsmanager:UntagResource",
    ];
    Grant::of(ACTIONS, on)
}

/// What it takes to delete those that the resource had before it changed: whatever their names,
/// they carry the stack's mark.
pub const FORMER: Grant = Grant::of(
    &["secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret"],
    &["secretsmanager:{region}:{account}:secret:*"],
)
.when(When::Owned);

/// What it takes to delete them.
pub const fn destroying(on: &'static [&'static str]) -> Grant {
    Grant::of(&["secretsmanager:DeleteSecret"], on)
}

/// The resource that a secret belongs to.
#[derive(Clone, Copy)]
pub struct Holder<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its tags, which hold its marks; the secret gets them all.
    pub tags: &'a Tags,
}

impl Holder<'_> {
    /// Whether the secret carries the holder's marks.
    pub fn has(&self, secret: &Secret) -> bool {
        let same = |key| self.tags.get(key).is_some_and(|mark| secret.tags.get(key) == Some(mark));
        same("lagoa:stack") && same("lagoa:name") && secret.part_of() == Some(self.kind)
    }

    /// Tags that speak of other things of the holder's than its marks stay with it.
    fn tags(&self) -> impl Iterator<Item = (String, String)> {
        let shared = self.tags.iter().filter(|(key, _)| {
            !crate::field::reserved_tag(key)
                || ["lagoa:stack", "lagoa:name"].contains(&key.as_str())
        });
        let shared = shared.map(|(key, value)| (key.clone(), value.clone()));
        shared.chain([(PART_OF.to_owned(), self.kind.to_owned())])
    }
}

/// A secret without its value.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its ARN.
    pub arn: String,
    /// The version that is current, if it has a value at all.
    pub version: Option<String>,
    /// Its tags.
    pub tags: Tags,
    deleted: bool,
}

impl Secret {
    /// Whether there is a value to be had.
    pub fn is_usable(&self) -> bool {
        !self.deleted && self.version.is_some()
    }

    /// The kind of the resource it belongs to, if it is none itself.
    pub fn part_of(&self) -> Option<&str> {
        self.tags.get(PART_OF).map(String::as_str)
    }
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

/// Makes sure that there is a secret to write into: it is the holder's, and not on its way out.
/// Done before the value is generated, so that what is shown once isn't lost for want of a
/// permission. A secret that somebody else keeps under that name is never touched.
pub async fn open(aws: &Aws, name: &str, about: &str, holder: Holder<'_>) -> Result<Secret, Error> {
    let Some(mut secret) = describe(aws, name).await? else {
        return make(aws, name, about, holder).await;
    };
    if !holder.has(&secret) {
        let message = format!("the secret {name} exists and doesn't belong to this resource");
        return Err(Error::new(Class::Terminal, message).hint("choose another name for it"));
    }
    if secret.deleted {
        aws.secrets.restore_secret().secret_id(name).send().await.map_err(settling)?;
        secret.deleted = false;
        // What was thrown away isn't used again.
        secret.version = None;
    }
    let tags: Tags = holder.tags().collect();
    let (set, remove) = tags.change_from(&secret.tags);
    change_tags(aws, name, set, remove).await.map_err(settling)?;
    Ok(secret)
}

async fn make(aws: &Aws, name: &str, about: &str, holder: Holder<'_>) -> Result<Secret, Error> {
    let tags: Tags = holder.tags().collect();
    let call = aws.secrets.create_secret().name(name).description(about);
    let made = call.set_tags(Some(tag_set(holder.tags()))).send().await.map_err(Error::from);
    let made = made.map_err(|error| match error.class {
        // It is there now; the next look finds it.
        Class::Already => Error { class: Class::Transient, ..error },
        _ => error,
    })?;
    let arn = made.arn.unwrap_or_default();
    Ok(Secret { arn, version: None, tags, deleted: false })
}

async fn change_tags(
    aws: &Aws,
    name: &str,
    set: BTreeMap<String, String>,
    remove: Vec<String>,
) -> Result<(), Error> {
    if !set.is_empty() {
        let call = aws.secrets.tag_resource().secret_id(name);
        call.set_tags(Some(tag_set(set.into_iter()))).send().await?;
    }
    if !remove.is_empty() {
        let call = aws.secrets.untag_resource().secret_id(name);
        call.set_tag_keys(Some(remove)).send().await?;
    }
    Ok(())
}

/// Puts a value into an open secret, then notes in its tags what it is. Gives the value's version.
pub async fn put(
    aws: &Aws,
    name: &str,
    value: &SecretString,
    notes: &[(&str, &str)],
) -> Result<String, Error> {
    aws.heard(value);
    let call = aws.secrets.put_secret_value().secret_id(name);
    let put = call.secret_string(value.expose_secret()).send().await.map_err(settling)?;
    let notes = notes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    change_tags(aws, name, notes.collect(), Vec::new()).await?;
    put.version_id.ok_or_else(|| Error::internal("a secret's value without a version"))
}

/// The current version and its value.
pub async fn value(aws: &Aws, name: &str) -> Result<(String, SecretString), Error> {
    let reply = aws.secrets.get_secret_value().secret_id(name).send().await.map_err(settling)?;
    let version = reply.version_id.unwrap_or_default();
    let value = SecretString::from(reply.secret_string.unwrap_or_default());
    aws.heard(&value);
    Ok((version, value))
}

/// Gives the secret its holder's change of tags.
pub async fn retag(
    aws: &Aws,
    name: &str,
    holder: Holder<'_>,
    set: &BTreeMap<String, String>,
    remove: &[String],
) -> Result<(), Error> {
    if !holds(aws, name, holder).await? {
        return Ok(());
    }
    gone_is_fine(change_tags(aws, name, set.clone(), remove.to_vec()).await)
}

/// Schedules the secret for deletion, in AWS's own thirty days, if it is the holder's.
pub async fn bury(aws: &Aws, name: &str, holder: Holder<'_>) -> Result<(), Error> {
    if !holds(aws, name, holder).await? {
        return Ok(());
    }
    gone_is_fine(aws.secrets.delete_secret().secret_id(name).send().await)
}

/// Deletes the secret at once, if it is the holder's: for what opens nothing any more, where a
/// recovery window would only keep the name from being used again.
pub async fn destroy(aws: &Aws, name: &str, holder: Holder<'_>) -> Result<(), Error> {
    if !holds(aws, name, holder).await? {
        return Ok(());
    }
    let call = aws.secrets.delete_secret().secret_id(name).force_delete_without_recovery(true);
    gone_is_fine(call.send().await)
}

/// Whether the secret is there and the holder's. One that is on its way out is left to go.
async fn holds(aws: &Aws, name: &str, holder: Holder<'_>) -> Result<bool, Error> {
    let secret = describe(aws, name).await?;
    Ok(secret.is_some_and(|secret| holder.has(&secret) && !secret.deleted))
}

/// A secret that was restored a moment ago still refuses to be written, and one that was made a
/// moment ago isn't known everywhere.
pub fn settling(error: impl Into<Error>) -> Error {
    let error = error.into();
    let marked =
        error.message.contains("marked for deletion") || error.message.contains("marked deleted");
    if error.is_gone() || (error.code == "InvalidRequestException" && marked) {
        return Error { class: Class::Busy, ..error };
    }
    error
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

    const STACK: (&str, &str) = ("lagoa:stack", "coins");
    const NAME: (&str, &str) = ("lagoa:name", "pair");

    #[test]
    fn a_secret_is_the_holders_only_with_the_same_marks() {
        let secret =
            |pairs| Secret { arn: String::new(), version: None, deleted: false, tags: tags(pairs) };
        let marks = tags(&[STACK, NAME]);
        let holder = Holder { kind: "ec2_key_pair", tags: &marks };
        assert!(holder.has(&secret(&[STACK, NAME, (PART_OF, "ec2_key_pair")])));
        assert!(!holder.has(&secret(&[STACK, NAME, (PART_OF, "iam_user")])));
        assert!(!holder.has(&secret(&[STACK, NAME])));
        assert!(!holder.has(&secret(&[STACK, ("lagoa:name", "x"), (PART_OF, "ec2_key_pair")])));
        let unmarked = Tags::default();
        let holder = Holder { kind: "ec2_key_pair", tags: &unmarked };
        assert!(!holder.has(&secret(&[(PART_OF, "ec2_key_pair")])));
    }

    #[test]
    fn a_secret_gets_the_tags_of_its_holder_and_its_marks() {
        let own = tags(&[STACK, NAME, ("Team", "data"), ("lagoa:note", "x")]);
        let given: Tags = Holder { kind: "ec2_key_pair", tags: &own }.tags().collect();
        let expected = tags(&[STACK, NAME, ("Team", "data"), (PART_OF, "ec2_key_pair")]);
        assert_eq!(given, expected);
    }
}
