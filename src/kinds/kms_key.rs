//! A KMS key and its alias.

mod calls;
mod words;

use std::collections::BTreeSet;
use std::path::Path;

use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Class, Error, absent, gone_is_fine};
use crate::field::{Computed, Derived, Differs, Immutable, Policy, Tags, leave_out};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Phase, Site, Wanted, When,
};
pub use words::{Spec, Usage};

/// A KMS key, known by the alias `alias/NAME`.
///
/// A deleted key is kept by AWS for `deletion_days`: what it encrypted can't be read from the first
/// day, and never again after the last. A key of the same stack and name that waits for that is
/// taken back rather than made anew, so that what it encrypted can be read again.
///
/// The name is also kept in the tag `lagoa:alias`: a key whose alias is lost gets it back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KmsKey {
    /// What the key is for; at most 8192 characters.
    #[schemars(length(max = 8192))]
    pub description: Option<String>,
    /// Who may do what with the key: a document or a path to one. AWS starts with a policy that
    /// leaves it to the account's IAM policies. KMS refuses a policy that would lock you out.
    pub policy: Option<Policy>,
    /// Whether the key can be used. Default true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// KMS makes new key material from time to time, and keeps the old to read what it encrypted.
    /// Symmetric keys only. Default false.
    #[serde(default)]
    pub rotation: bool,
    /// Days between two rotations, 90 to 2560; needs `rotation`. AWS starts with 365.
    #[schemars(range(min = 90, max = 2560))]
    pub rotation_period_days: Option<i32>,
    /// What kind of key it is. AWS starts with `SYMMETRIC_DEFAULT`.
    pub spec: Option<Immutable<Spec>>,
    /// What the key is used for. AWS starts with `ENCRYPT_DECRYPT`; keys that aren't symmetric need
    /// it.
    pub usage: Option<Immutable<Usage>>,
    /// The key can have replicas in other regions. Default false.
    #[serde(default)]
    pub multi_region: Immutable<bool>,
    /// Days for which a deleted key can be taken back, 7 to 30. Default 30. Kept in the tag
    /// `lagoa:deletion-days`.
    #[serde(default = "thirty")]
    #[schemars(range(min = 7, max = 30))]
    pub deletion_days: u8,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// The key's id, which AWS makes up.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:kms:region:account:key/id`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// `alias/NAME`.
    #[serde(default)]
    pub alias: Derived<String>,
    /// The service's own word: `Enabled`, `Disabled`, `Creating`, …
    #[serde(default)]
    pub state: Computed<String>,
}

fn yes() -> bool {
    true
}

fn thirty() -> u8 {
    30
}

/// The tag that remembers `deletion_days`, so that deleting an orphan honours it too.
const DELETION_TAG: &str = "lagoa:deletion-days";
/// The tag that holds the name of a key, whether its alias is there or not.
const ALIAS_TAG: &str = "lagoa:alias";

fn alias(name: &str) -> String {
    format!("alias/{name}")
}

impl Kind for KmsKey {
    const EXAMPLE: &'static str = "
coins-data:
  kind: kms_key
  description: encrypts the coins databases and their logs
  policy:
    Version: '2012-10-17'
    Statement:
      - Sid: account
        Effect: Allow
        Principal: { AWS: 'arn:aws:iam::${aws.account}:root' }
        Action: kms:*
        Resource: '*'
      - Sid: logs
        Effect: Allow
        Principal: { Service: 'logs.${aws.region}.amazonaws.com' }
        Action: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', kms:DescribeKey]
        Resource: '*'
  rotation: true
  rotation_period_days: 180
  deletion_days: 7
  tags: { Projeto: Bootcamp }
  on_destroy: delete
";
    const NAME: &'static str = "^[a-zA-Z0-9:/_-]{1,250}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(
                &[
                    "kms:DescribeKey",
                    "kms:GetKeyPolicy",
                    "kms:GetKeyRotationStatus",
                    "kms:ListResourceTags",
                ],
                &["kms:{region}:{account}:key/*"],
            ),
            Grant::of(&["kms:ListAliases"], ANY),
        ],
        write: &[
            Grant::of(&["kms:CreateKey"], ANY).when(When::Marked),
            Grant::of(&["kms:TagResource"], &["kms:{region}:{account}:key/*"]).when(When::Marked),
            Grant::of(&["kms:ListKeys"], ANY),
            Grant::of(&["kms:CreateAlias"], &["kms:{region}:{account}:alias/{name}"]),
            Grant::of(
                &[
                    "kms:CancelKeyDeletion",
                    "kms:CreateAlias",
                    "kms:DisableKey",
                    "kms:DisableKeyRotation",
                    "kms:EnableKey",
                    "kms:EnableKeyRotation",
                    "kms:PutKeyPolicy",
                    "kms:TagResource",
                    "kms:UntagResource",
                    "kms:UpdateKeyDescription",
                ],
                &["kms:{region}:{account}:key/*"],
            )
            .when(When::Owned),
            Grant::linking(&["mrk.kms.amazonaws.com"]).given("multi_region"),
        ],
        delete: &[
            Grant::of(&["kms:DeleteAlias"], &["kms:{region}:{account}:alias/{name}"]),
            Grant::of(
                &["kms:DeleteAlias", "kms:ScheduleKeyDeletion"],
                &["kms:{region}:{account}:key/*"],
            )
            .when(When::Owned),
        ],
        ..Access::NONE
    };
    const HOLDS: Option<&'static str> = Some("the key to what it encrypted");
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = None;

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let keys = try_join_all(wanted.iter().map(|one| read_one(aws, one))).await?;
        Ok(keys.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ids = aws.swept("kms", "key/").await?;
        let names = try_join_all(ids.iter().map(|id| calls::name_of(aws, id))).await?;
        // A key that waits for its deletion may have been called what another is called now.
        let names: BTreeSet<String> = names.into_iter().flatten().collect();
        Ok(names.into_iter().collect())
    }

    /// By their aliases: a key without one has no name.
    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        calls::names(aws).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = match calls::made(cx.name) {
            Some(id) => id,
            None => match calls::left_behind(self, cx).await? {
                Some(id) => id,
                None => self.make(cx).await?,
            },
        };
        let alias = alias(cx.name);
        match cx.kms.create_alias().alias_name(&alias).target_key_id(&id).send().await {
            Ok(_) => Ok(()),
            // The alias of a key that was taken back may have stayed with it.
            Err(error) => match Error::from(error) {
                error if error.class == Class::Already => {
                    let key = cx.kms.describe_key().key_id(&alias).send().await?;
                    let there = key.key_metadata().map(|key| key.key_id());
                    if there == Some(id.as_str()) {
                        return Ok(());
                    }
                    Err(Error { class: Class::Terminal, ..error }.hint(format!(
                        "{alias} belongs to the key {}, which is being deleted: delete the alias \
                         or give this key another name",
                        there.unwrap_or_default()
                    )))
                }
                // Not all of KMS knows yet that the key is there.
                error if error.is_gone() => Err(Error { class: Class::Transient, ..error }),
                error => Err(error),
            },
        }
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = live.known_id()?;
        if live.alias.is_none() {
            cx.kms.create_alias().alias_name(alias(cx.name)).target_key_id(id).send().await?;
        }
        // A key that is disabled can't be changed in every way.
        if self.enabled && !live.enabled {
            cx.kms.enable_key().key_id(id).send().await?;
        }
        self.update_tags(live, cx).await?;
        if let Some(description) = &self.description
            && self.description.differs(&live.description)
        {
            let call = cx.kms.update_key_description().key_id(id);
            call.description(description).send().await?;
        }
        if let Some(policy) = &self.policy
            && self.policy.differs(&live.policy)
        {
            let call = cx.kms.put_key_policy().key_id(id).policy_name("default");
            call.policy(policy.text()).send().await?;
        }
        let period = self.rotation_period_days;
        if self.rotation && (!live.rotation || period.differs(&live.rotation_period_days)) {
            let call = cx.kms.enable_key_rotation().key_id(id);
            call.set_rotation_period_in_days(period).send().await?;
        } else if !self.rotation && live.rotation {
            cx.kms.disable_key_rotation().key_id(id).send().await?;
        }
        if !self.enabled && live.enabled {
            cx.kms.disable_key().key_id(id).send().await?;
        }
        Ok(())
    }

    /// The alias first: a key that waits for its deletion is gone, and nobody would look for its
    /// alias any more.
    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        gone_is_fine(cx.kms.delete_alias().alias_name(alias(cx.name)).send().await)?;
        let call = cx.kms.schedule_key_deletion().key_id(self.known_id()?);
        let scheduled = call.pending_window_in_days(self.deletion_days.into()).send().await;
        match scheduled.map_err(Error::from) {
            Err(error) if error.message.contains("pending deletion") => Ok(()),
            answer => gone_is_fine(answer),
        }
    }

    fn phase(&self) -> Phase {
        match self.state.as_deref().unwrap_or("Creating") {
            "Enabled" | "Disabled" => Phase::Ready,
            state => Phase::Pending(state.to_owned()),
        }
    }

    /// KMS doesn't rotate a key that is disabled, whatever it says, and refuses to be told.
    fn accept(&mut self, live: &Self) {
        if !self.enabled && !live.enabled && !self.rotation {
            self.rotation = live.rotation;
        }
    }

    fn predict(&mut self, name: &str, _site: &Site, _root: &Path) {
        self.alias = alias(name).into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        leave_out(&mut self.spec, Immutable(Spec::SymmetricDefault));
        leave_out(&mut self.usage, Immutable(Usage::EncryptDecrypt));
        leave_out(&mut self.rotation_period_days, 365);
        if !self.rotation {
            self.rotation_period_days = None;
        }
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message: &str| wrong.push((path.into(), message.into()));
        let symmetric = self.spec.as_deref().is_none_or(|spec| *spec == Spec::SymmetricDefault);
        if self.rotation && !symmetric {
            say("rotation", "KMS rotates only `SYMMETRIC_DEFAULT` keys");
        }
        if self.rotation && !self.enabled {
            say("rotation", "KMS doesn't rotate a disabled key: leave out `rotation`");
        }
        if self.rotation_period_days.is_some() && !self.rotation {
            say("rotation_period_days", "this is for `rotation: true` only");
        }
        if !symmetric && self.usage.is_none() {
            say("usage", "a key that isn't symmetric needs a `usage`");
        }
        wrong
    }

    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        Ok(Some(format!(
            "the only key to what it encrypted (it can be taken back for {} days)",
            self.deletion_days
        )))
    }
}

impl KmsKey {
    fn known_id(&self) -> Result<&str, Error> {
        self.id.as_deref().ok_or_else(|| Error::internal("a key was read without its id"))
    }
}

async fn read_one(aws: &Aws, wanted: &Wanted<KmsKey>) -> Result<Option<Found<KmsKey>>, Error> {
    let called = alias(&wanted.name);
    let reply = absent(aws.kms.describe_key().key_id(&called).send().await)?;
    let (key, called) = match reply.and_then(|reply| reply.key_metadata) {
        Some(key) => (Some(key), Some(called)),
        None => (calls::without_alias(aws, &wanted.name).await?, None),
    };
    let Some(key) = key.filter(|key| !calls::is_going(key)) else { return Ok(None) };
    let fields = calls::fields(aws, wanted, &key).await?;
    Ok(fields.map(|fields| Found {
        name: wanted.name.clone(),
        fields: KmsKey { alias: called.into(), ..fields },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_disabled_key_is_not_asked_to_rotate_no_more() {
        let key = |enabled: bool, rotation: bool| {
            KmsKey::deserialize(json!({ "enabled": enabled, "rotation": rotation })).unwrap()
        };
        let settled = |mut desired: KmsKey, live: KmsKey| {
            desired.accept(&live);
            desired.rotation
        };
        assert!(settled(key(false, false), key(false, true)));
        assert!(!settled(key(false, false), key(true, true)));
        assert!(!settled(key(true, false), key(false, true)));
    }
}
