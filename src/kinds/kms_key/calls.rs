//! What KMS is asked about keys: their fields, and which of them are ours.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::types::{AliasListEntry, KeyMetadata, KeyState, Tag};

use super::{ALIAS_TAG, DELETION_TAG, KmsKey, Spec, alias, thirty};
use crate::aws::words::{parse, word};
use crate::aws::{Aws, Error, absent};
use crate::field::{Immutable, Policy, Tags};
use crate::kind::{Cx, Wanted};

thread_local! {
    /// Ids of the keys that this run has made, by name: KMS may not show one for a while, nor take
    /// an alias for it, and another one would be left over.
    static MADE: RefCell<BTreeMap<String, String>> = RefCell::default();
}

/// Id of the key that this run has made for the resource.
pub fn made(name: &str) -> Option<String> {
    MADE.with_borrow(|made| made.get(name).cloned())
}

impl KmsKey {
    /// Makes the key itself and gives its id. KMS takes no token for this, so that a call whose
    /// answer was lost is found by [`left_behind`].
    pub(super) async fn make(&self, cx: &Cx<'_>) -> Result<String, Error> {
        let spec = self.spec.as_deref().map(|spec| word(spec).as_str().into());
        let usage = self.usage.as_deref().map(|usage| word(usage).as_str().into());
        let mut tags = self.tags.0.clone();
        tags.insert(DELETION_TAG.to_owned(), self.deletion_days.to_string());
        tags.insert(ALIAS_TAG.to_owned(), cx.name.to_owned());
        let call = cx.kms.create_key().set_description(self.description.clone());
        let call = call.set_policy(self.policy.as_ref().map(Policy::text));
        let call = call.set_key_spec(spec).set_key_usage(usage).multi_region(*self.multi_region);
        // KMS makes another key each time it is asked, so the SDK must not ask again by itself.
        let once = aws_sdk_kms::Config::builder().retry_config(RetryConfig::disabled());
        let call = call.set_tags(Some(to_aws(&tags)?));
        let made = call.customize().config_override(once).send().await?;
        let id = made.key_metadata().map(|key| key.key_id().to_owned());
        let id = id.ok_or_else(|| Error::internal("a key without an id"))?;
        MADE.with_borrow_mut(|made| made.insert(cx.name.to_owned(), id.clone()));
        Ok(id)
    }

    pub(super) async fn update_tags(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let id = live.known_id()?;
        let (mut set, remove) = self.tags.change_from(&live.tags);
        if self.deletion_days != live.deletion_days {
            set.insert(DELETION_TAG.to_owned(), self.deletion_days.to_string());
        }
        if live.tags.get(ALIAS_TAG).map(String::as_str) != Some(cx.name) {
            set.insert(ALIAS_TAG.to_owned(), cx.name.to_owned());
        }
        if !set.is_empty() {
            let call = cx.kms.tag_resource().key_id(id);
            call.set_tags(Some(to_aws(&set)?)).send().await?;
        }
        if !remove.is_empty() {
            cx.kms.untag_resource().key_id(id).set_tag_keys(Some(remove)).send().await?;
        }
        Ok(())
    }

    /// Whether the key is of the kind that the stack wants.
    fn is_like(&self, key: &KeyMetadata) -> bool {
        let same = |desired: Option<String>, has: Option<&str>| {
            desired.is_none_or(|word| Some(word.as_str()) == has)
        };
        same(self.spec.as_deref().map(word), key.key_spec().map(|spec| spec.as_str()))
            && same(self.usage.as_deref().map(word), key.key_usage().map(|usage| usage.as_str()))
            && *self.multi_region == key.multi_region().unwrap_or_default()
    }
}

/// The key's fields; `None` when it is gone by now.
pub async fn fields(
    aws: &Aws,
    wanted: &Wanted<KmsKey>,
    key: &KeyMetadata,
) -> Result<Option<KmsKey>, Error> {
    let id = key.key_id();
    let Some(tags) = absent(tags(aws, id).await)? else { return Ok(None) };
    let policy = match wanted.asks(|desired| desired.policy.is_some()) {
        true => {
            let call = aws.kms.get_key_policy().key_id(id).policy_name("default");
            let Some(reply) = absent(call.send().await)? else { return Ok(None) };
            reply.policy().map(Policy::from_aws)
        }
        false => None,
    };
    let spec: Option<Spec> = key.key_spec().and_then(|spec| parse(spec.as_str()));
    let rotation = match spec {
        // Of other keys KMS doesn't like to be asked.
        Some(Spec::SymmetricDefault) => {
            let call = aws.kms.get_key_rotation_status().key_id(id);
            let Some(reply) = absent(call.send().await)? else { return Ok(None) };
            Some(reply)
        }
        _ => None,
    };
    let deletion_days = tags.get(DELETION_TAG).and_then(|days| days.parse().ok());
    Ok(Some(KmsKey {
        description: Some(key.description().unwrap_or_default().to_owned()),
        policy,
        enabled: key.enabled(),
        rotation: rotation.as_ref().is_some_and(|rotation| rotation.key_rotation_enabled()),
        rotation_period_days: rotation.and_then(|rotation| rotation.rotation_period_in_days()),
        spec: spec.map(Immutable),
        usage: key.key_usage().and_then(|usage| parse(usage.as_str())).map(Immutable),
        multi_region: key.multi_region().unwrap_or_default().into(),
        deletion_days: deletion_days.unwrap_or_else(thirty),
        tags,
        id: id.to_owned().into(),
        arn: key.arn().map(str::to_owned).into(),
        alias: None.into(),
        state: key.key_state().map(|state| state.as_str().to_owned()).into(),
    }))
}

/// Whether the key waits for its deletion.
pub fn is_going(key: &KeyMetadata) -> bool {
    matches!(key.key_state(), Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion))
}

/// The name of a key of ours: its alias, and of several the one that lagoa calls it by. A key
/// whose alias isn't there is known by its tag.
pub async fn name_of(aws: &Aws, id: &str) -> Result<Option<String>, Error> {
    let Some(aliases) = absent(aliases(aws, Some(id)).await)? else { return Ok(None) };
    let names = aliases.iter().filter_map(|one| one.alias_name()?.strip_prefix("alias/"));
    let names: Vec<&str> = names.collect();
    if let [only] = names.as_slice() {
        return Ok(Some((*only).to_owned()));
    }
    let Some(tags) = absent(tags(aws, id).await)? else { return Ok(None) };
    let called = tags.get(ALIAS_TAG).map(String::as_str);
    let called = called.filter(|called| names.is_empty() || names.contains(called));
    Ok(called.map(str::to_owned))
}

/// The key of ours that its tag calls so and that has no alias: whoever made or deletes it didn't
/// come to the end.
pub async fn without_alias(aws: &Aws, name: &str) -> Result<Option<KeyMetadata>, Error> {
    for id in aws.swept("kms", "key/").await? {
        let Some(tags) = absent(tags(aws, &id).await)? else { continue };
        if tags.get(ALIAS_TAG).is_none_or(|called| called != name)
            || tags.get("lagoa:stack") != Some(&aws.site.stack)
            || !absent(aliases(aws, Some(&id)).await)?.is_some_and(|all| all.is_empty())
        {
            continue;
        }
        let reply = absent(aws.kms.describe_key().key_id(&id).send().await)?;
        let key = reply.and_then(|reply| reply.key_metadata).filter(|key| !is_going(key));
        if key.is_some() {
            return Ok(key);
        }
    }
    Ok(None)
}

/// A name for every key that has an alias of its own, the first of several; `alias/aws/…` are AWS's.
pub async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for alias in aliases(aws, None).await? {
        let name = alias.alias_name().and_then(|name| name.strip_prefix("alias/"));
        let name = name.filter(|name| !name.starts_with("aws/"));
        if let (Some(name), Some(id)) = (name, alias.target_key_id()) {
            let first = names.entry(id.to_owned()).or_insert_with(|| name.to_owned());
            if name < first.as_str() {
                *first = name.to_owned();
            }
        }
    }
    Ok(names.into_values().collect())
}

/// A key that this stack made for the resource and that has no alias: one that an earlier run
/// didn't come to finish, or one that was deleted and still waits for that. The latter is taken
/// back. Without an alias only the tags tell, so every key without one is asked for them.
pub async fn left_behind(desired: &KmsKey, cx: &Cx<'_>) -> Result<Option<String>, Error> {
    let named = aliases(cx, None).await?;
    let own = alias(cx.name);
    let elsewhere = named.iter().filter(|one| one.alias_name() != Some(own.as_str()));
    let elsewhere: BTreeSet<&str> = elsewhere.filter_map(|one| one.target_key_id()).collect();
    let mut pages = cx.kms.list_keys().into_paginator().send();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        let keys = page?.keys.unwrap_or_default();
        ids.extend(keys.into_iter().filter_map(|key| key.key_id));
    }
    let mut found: Vec<KeyMetadata> = Vec::new();
    for id in ids.iter().filter(|id| !elsewhere.contains(id.as_str())) {
        let tags = match tags(cx, id).await {
            Ok(tags) => tags,
            // It may be ours: passed over, another one would be made beside it.
            Err(error) if error.is_outage() => return Err(error),
            // Keys may be closed to whoever asks; those are nobody's we know.
            Err(_) => continue,
        };
        let marked = |tag: &str, mark: &str| tags.get(tag).is_some_and(|value| value == mark);
        if marked("lagoa:stack", &cx.site.stack) && marked("lagoa:name", cx.key) {
            let reply = absent(cx.kms.describe_key().key_id(id).send().await)?;
            found.extend(reply.and_then(|reply| reply.key_metadata));
        }
    }
    found.retain(|key| desired.is_like(key));
    let Some(key) = found.into_iter().max_by_key(|key| key.creation_date().copied()) else {
        return Ok(None);
    };
    if is_going(&key) {
        cx.kms.cancel_key_deletion().key_id(key.key_id()).send().await?;
    }
    Ok(Some(key.key_id().to_owned()))
}

async fn aliases(aws: &Aws, id: Option<&str>) -> Result<Vec<AliasListEntry>, Error> {
    let call = aws.kms.list_aliases().set_key_id(id.map(str::to_owned));
    let mut pages = call.into_paginator().send();
    let mut aliases = Vec::new();
    while let Some(page) = pages.next().await {
        aliases.extend(page?.aliases.unwrap_or_default());
    }
    Ok(aliases)
}

async fn tags(aws: &Aws, id: &str) -> Result<Tags, Error> {
    let mut pages = aws.kms.list_resource_tags().key_id(id).into_paginator().send();
    let mut tags = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page?.tags.unwrap_or_default();
        tags.extend(page.into_iter().map(|tag| (tag.tag_key, tag.tag_value)));
    }
    Ok(Tags(tags))
}

fn to_aws(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value)| Ok(Tag::builder().tag_key(key).tag_value(value).build()?);
    tags.iter().map(tag).collect()
}
