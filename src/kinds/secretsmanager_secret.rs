//! A Secrets Manager secret and, if the stack says so, its value.

mod generate;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::{SecretListEntry, Tag};
use futures::future::try_join_all;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::aws::kms::same_key;
use crate::aws::{Aws, Class, Error, absent, gone_is_fine, vault};
use crate::field::{Computed, Derived, Differs, KmsKeyArn, Policy, SecretSource, Tags, WriteOnly};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Wanted};
pub use generate::Generate;

/// A secret in Secrets Manager: a password, a key, a JSON object of such. Its value is made up once
/// (`generate`), taken from elsewhere (`value`), or left for people to fill in. Values are never
/// read for a plan, printed or compared.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsmanagerSecret {
    /// What the secret is for; at most 2048 characters.
    #[schemars(length(max = 2048))]
    pub description: Option<String>,
    /// The KMS key that encrypts the value: key, id, ARN or alias. Without one, AWS's own
    /// `aws/secretsmanager`.
    pub kms_key: Option<KmsKeyArn>,
    /// Makes up a random value, once. `--rotate KEY` makes up a new one. Not together with `value`.
    pub generate: Option<WriteOnly<Generate>>,
    /// Where the value comes from: `${env.NAME}` or another secret. Sent once, and again with
    /// `--rotate KEY`. Not together with `generate`.
    pub value: Option<WriteOnly<SecretSource>>,
    /// Days for which a deleted secret can be restored: 7 to 30, or 0 to delete it for good at
    /// once. AWS's own default is 30. Kept in the tag `lagoa:recovery-days`.
    #[serde(default = "thirty")]
    #[schemars(range(min = 0, max = 30))]
    pub recovery_days: u8,
    /// Who may use the secret beside the account's own IAM policies: a document or a path to one.
    /// Policies that open the secret to the public are refused.
    pub policy: Option<Policy>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// The secret's ARN, which ends in six characters of AWS's choice.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Whether there is a value. A secret that has none is given one when the stack names a source.
    #[serde(default)]
    pub has_value: Derived<bool>,
}

fn thirty() -> u8 {
    30
}

/// The tag that remembers `recovery_days`, so that deleting an orphan honours it too.
const RECOVERY_TAG: &str = "lagoa:recovery-days";

/// Its ARN, which AWS ends with six letters of its own.
const SELF: &[&str] = &["secretsmanager:{region}:{account}:secret:{name}-??????"];

impl Kind for SecretsmanagerSecret {
    const EXAMPLE: &'static str = "
coins-password:
  kind: secretsmanager_secret
  description: password of the coins database
  generate:
    length: 40
    exclude_punctuation: true
    template: { username: coins }
    key: password
  recovery_days: 7
  policy:
    Version: '2012-10-17'
    Statement:
      - Effect: Deny
        Principal: '*'
        Action: secretsmanager:DeleteSecret
        Resource: '*'
        Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'false' } }
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[A-Za-z0-9/_+=.@-]{1,512}$";
    const ACCESS: Access = Access {
        read: &[Grant::of(
            &["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"],
            SELF,
        )],
        write: &[
            Grant::of(
                &[
                    "secretsmanager:CreateSecret",
                    "secretsmanager:PutResourcePolicy",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:RestoreSecret",
                    "secretsmanager:TagResource",
                    "secretsmanager:UntagResource",
                    "secretsmanager:UpdateSecret",
                ],
                SELF,
            ),
            Grant::of(&["secretsmanager:GetRandomPassword"], ANY).given("generate"),
            Grant::encrypting(&["secretsmanager"], "kms_key"),
        ],
        delete: &[Grant::of(&["secretsmanager:DeleteSecret"], SELF)],
        foreseen: &[("arn", "secretsmanager:{region}:{account}:secret:{name}-??????")],
        ..Access::NONE
    };
    const HOLDS: Option<&'static str> = Some("a secret value");

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        // ListSecrets lags by up to five minutes, so each is asked for by name.
        let secrets = try_join_all(wanted.iter().map(|one| read_one(aws, one))).await?;
        Ok(secrets.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let names = aws.swept("secretsmanager", "secret:").await?;
        Ok(names.iter().filter_map(|name| without_suffix(name)).collect())
    }

    /// Secrets that a service keeps for itself, and those that are parts of a resource, aren't resources.
    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut pages = aws.secrets.list_secrets().into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            all.extend(page?.secret_list.unwrap_or_default());
        }
        let is_part = |secret: &SecretListEntry| {
            secret.owning_service().is_some()
                || secret.tags().iter().any(|tag| tag.key() == Some(vault::PART_OF))
        };
        let own = all.into_iter().filter(|one| one.deleted_date.is_none() && !is_part(one));
        Ok(own.filter_map(|one| one.name).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let value = self.fresh_value(cx).await?;
        let call = cx.secrets.create_secret().name(cx.name);
        let call = call.client_request_token(token(&cx.site.stack, cx.name));
        let call = call.set_description(self.description.clone());
        let call = call.set_kms_key_id(self.kms_key.as_deref().map(str::to_owned));
        let call = call.set_secret_string(value.as_ref().map(|v| v.expose_secret().to_owned()));
        let created = call.set_tags(Some(to_aws(self.all_tags()))).send().await;
        match created.map_err(Error::from) {
            Ok(_) => Ok(()),
            Err(error) if error.class == Class::Already || is_scheduled_for_deletion(&error) => {
                restore(value, error, cx).await
            }
            Err(error) => Err(error),
        }
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        self.update_tags(live, cx).await?;
        let kms_key = if self.kms_key.differs(&live.kms_key) { &self.kms_key } else { &None };
        if self.description.differs(&live.description) || kms_key.is_some() {
            let call = cx.secrets.update_secret().secret_id(cx.name);
            let call = call.set_description(self.description.clone());
            call.set_kms_key_id(kms_key.as_deref().map(str::to_owned)).send().await?;
        }
        if let Some(policy) = &self.policy
            && self.policy.differs(&live.policy)
        {
            let call =
                cx.secrets.put_resource_policy().secret_id(cx.name).block_public_policy(true);
            call.resource_policy(policy.text()).send().await?;
        }
        let lacks_value = *self.has_value == Some(true) && *live.has_value != Some(true);
        if (lacks_value || cx.rotate)
            && let Some(value) = self.fresh_value(cx).await?
        {
            put_value(&value, cx).await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.secrets.delete_secret().secret_id(cx.name);
        let call = match self.recovery_days {
            0 => call.force_delete_without_recovery(true),
            days => call.recovery_window_in_days(days.into()),
        };
        match call.send().await.map_err(Error::from) {
            Err(error) if is_scheduled_for_deletion(&error) => Ok(()),
            answer => gone_is_fine(answer),
        }
    }

    fn accept(&mut self, live: &Self) {
        let (desired, reported) = (self.kms_key.as_deref(), live.kms_key.as_deref());
        let own = desired == Some("alias/aws/secretsmanager") && reported.is_none();
        if desired.is_some() && (own || same_key(desired, reported)) {
            self.kms_key.clone_from(&live.kms_key);
        }
    }

    fn predict(&mut self, _name: &str, _site: &crate::kind::Site, _root: &std::path::Path) {
        let sourced = self.generate.is_some() || self.value.is_some();
        self.has_value = sourced.then_some(true).into();
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message: &str| wrong.push((path.into(), message.into()));
        if self.generate.is_some() && self.value.is_some() {
            say(
                "value",
                "a secret is either generated or taken from elsewhere: leave out one of `generate` and `value`",
            );
        }
        if (1..7).contains(&self.recovery_days) {
            say(
                "recovery_days",
                "AWS keeps a deleted secret for 7 to 30 days; 0 deletes it at once",
            );
        }
        let Some(generate) = &self.generate else { return wrong };
        if generate.key.is_some() && generate.template.is_none() {
            say(
                "generate.key",
                "`key` names a member of `template`; write `template: {}` for an object with nothing else in it",
            );
        }
        if generate.template.as_ref().is_some_and(|members| members.contains_key(generate.key())) {
            say(
                "generate.template",
                "the member that `key` names is made up, so the template can't set it",
            );
        }
        wrong
    }

    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        if *self.has_value != Some(true) {
            return Ok(None);
        }
        Ok(Some(match self.recovery_days {
            0 => "a secret value, gone for good".to_owned(),
            days => format!("a secret value, which can be restored for {days} days"),
        }))
    }
}

impl SecretsmanagerSecret {
    /// A new value; `None` for a secret that people fill in.
    async fn fresh_value(&self, cx: &Cx<'_>) -> Result<Option<SecretString>, Error> {
        if let Some(source) = &self.value {
            return cx.secret(source).await.map(Some);
        }
        match &self.generate {
            Some(generate) => generate.value(cx).await.map(Some),
            None => Ok(None),
        }
    }

    fn all_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.0.clone();
        if self.recovery_days != thirty() {
            tags.insert(RECOVERY_TAG.to_owned(), self.recovery_days.to_string());
        }
        tags
    }

    async fn update_tags(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (mut set, remove) = self.tags.change_from(&live.tags);
        if self.recovery_days != live.recovery_days {
            set.insert(RECOVERY_TAG.to_owned(), self.recovery_days.to_string());
        }
        if !set.is_empty() {
            let call = cx.secrets.tag_resource().secret_id(cx.name);
            call.set_tags(Some(to_aws(set))).send().await?;
        }
        if !remove.is_empty() {
            let call = cx.secrets.untag_resource().secret_id(cx.name);
            call.set_tag_keys(Some(remove)).send().await?;
        }
        Ok(())
    }
}

async fn read_one(
    aws: &Aws,
    wanted: &Wanted<SecretsmanagerSecret>,
) -> Result<Option<Found<SecretsmanagerSecret>>, Error> {
    let name = wanted.name.as_str();
    let reply = absent(aws.secrets.describe_secret().secret_id(name).send().await)?;
    let Some(reply) = reply.filter(|reply| reply.deleted_date().is_none()) else { return Ok(None) };
    let policy = if wanted.asks(|desired| desired.policy.is_some()) {
        let reply = aws.secrets.get_resource_policy().secret_id(name).send().await;
        absent(reply)?.and_then(|reply| reply.resource_policy().map(Policy::from_aws))
    } else {
        None
    };
    let tags = tags_of(&reply);
    let recovery_days = tags.get(RECOVERY_TAG).and_then(|days| days.parse().ok());
    let stages = reply.version_ids_to_stages();
    let current = |stages: &Vec<String>| stages.iter().any(|stage| stage == "AWSCURRENT");
    let fields = SecretsmanagerSecret {
        description: Some(reply.description().unwrap_or_default().to_owned()),
        kms_key: reply.kms_key_id().map(KmsKeyArn::from),
        generate: None,
        value: None,
        recovery_days: recovery_days.unwrap_or_else(thirty),
        policy,
        tags,
        arn: reply.arn().map(str::to_owned).into(),
        has_value: stages.is_some_and(|all| all.values().any(current)).into(),
    };
    Ok(Some(Found { name: name.to_owned(), fields }))
}

fn tags_of(reply: &DescribeSecretOutput) -> Tags {
    let pair =
        |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    reply.tags().iter().filter_map(pair).collect()
}

fn to_aws(tags: BTreeMap<String, String>) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

async fn put_value(value: &SecretString, cx: &Cx<'_>) -> Result<(), Error> {
    let call = cx.secrets.put_secret_value().secret_id(cx.name);
    call.secret_string(value.expose_secret()).send().await?;
    Ok(())
}

thread_local! {
    /// Names that this run has taken back and not yet given a fresh value: a secret refuses one for
    /// a moment after it was restored, and looks by then like any other that is there.
    static RESTORED: RefCell<BTreeSet<String>> = RefCell::default();
}

/// Takes a name back that this stack has deleted and AWS still keeps, and gives it a fresh value.
/// If the run ends in between, the value of its former life stays; `--rotate` replaces it.
async fn restore(value: Option<SecretString>, refusal: Error, cx: &Cx<'_>) -> Result<(), Error> {
    let reply = cx.secrets.describe_secret().secret_id(cx.name).send().await;
    // What goes without a way back is gone a moment before its name is free.
    let Some(reply) = absent(reply)? else { return Err(Error { class: Class::Busy, ..refusal }) };
    let goes = reply.deleted_date().is_some();
    if !goes && !RESTORED.with_borrow(|names| names.contains(cx.name)) {
        return Err(refusal);
    }
    if tags_of(&reply).get("lagoa:stack") != Some(&cx.site.stack) {
        return Err(Error { class: Class::Terminal, ..refusal }.hint(format!(
            "a secret {0} that isn't this stack's is scheduled for deletion: wait, restore it, or \
             `aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {0}`",
            cx.name
        )));
    }
    if goes {
        let restored = cx.secrets.restore_secret().secret_id(cx.name).send().await;
        if absent(restored)?.is_none() {
            return Err(Error { class: Class::Busy, ..refusal });
        }
        RESTORED.with_borrow_mut(|names| names.insert(cx.name.to_owned()));
    }
    if let Some(value) = value {
        put_value(&value, cx).await.map_err(vault::settling)?;
    }
    RESTORED.with_borrow_mut(|names| names.remove(cx.name));
    Ok(())
}

/// Secrets Manager says it in a message: "scheduled for deletion" to a create, "marked for
/// deletion" or "currently marked deleted" to everything else.
fn is_scheduled_for_deletion(error: &Error) -> bool {
    let says = |part| error.message.contains(part);
    error.code == "InvalidRequestException"
        && (says("scheduled for deletion") || says("marked for deletion") || says("marked deleted"))
}

/// The secret's name in the last part of its ARN, which has a hyphen and six characters more.
fn without_suffix(name: &str) -> Option<String> {
    let (name, suffix) = name.rsplit_once('-')?;
    (suffix.len() == 6).then(|| name.to_owned())
}

/// The same for the same secret of the same stack, so that a create that was answered twice, or
/// whose answer was lost, makes one version.
fn token(stack: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{stack}\n{name}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_arns() {
        assert_eq!(without_suffix("db/coins-pw-AbCdEf").as_deref(), Some("db/coins-pw"));
        assert_eq!(without_suffix("coins"), None);
    }

    #[test]
    fn tokens_fit() {
        assert_eq!(token("a", "b").len(), 64);
        assert_ne!(token("a", "b"), token("b", "a"));
    }
}
