//! The access key, whose secret half AWS shows once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use aws_sdk_iam::types::AccessKeyMetadata;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{AccessKey, IamUser, notes};
use crate::aws::{Aws, Error, absent, gone_is_fine, iam, vault};
use crate::field::Tags;
use crate::kind::Cx;

thread_local! {
    /// Ids of the keys that this run has made, by user: AWS may not show for a while that there is
    /// one, nor that it is in its secret, and another one would be left over.
    static MADE: RefCell<BTreeMap<String, String>> = RefCell::default();
}

/// Id of the key that lagoa made, as the user's tags have it.
pub fn id(tags: &Tags) -> Option<String> {
    tags.get(notes::KEY_ID).cloned()
}

/// The key that lagoa made, with the ARN of its secret: the user has the key, and the secret has
/// a value.
pub async fn read(
    aws: &Aws,
    user: &str,
    tags: &Tags,
) -> Result<Option<(AccessKey, String)>, Error> {
    let (Some(name), Some(id)) = (tags.get(notes::KEY_SECRET), id(tags)) else { return Ok(None) };
    let (keys, secret) = futures::try_join!(list(user, aws), vault::describe(aws, name))?;
    let secret = secret.filter(|secret| secret.is_usable() && notes::holder(tags).has(secret));
    let secret = secret.filter(|_| keys.contains(&id));
    Ok(secret.map(|secret| (AccessKey { secret: Some(name.clone()) }, secret.arn)))
}

/// Makes sure that the secret holds a key of the user's. A key that got lost on the way to the
/// secret, because a run was killed, is of no use to anybody: it goes, and a new one is made.
pub async fn issue(
    key: &AccessKey,
    desired: &IamUser,
    live: &IamUser,
    rotate: bool,
    cx: &Cx<'_>,
) -> Result<(), Error> {
    let name = key.secret_name(cx.name);
    let holder = notes::holder(&desired.tags);
    let noted = live.tags.get(notes::KEY_SECRET);
    let mut keys = list(cx.name, cx).await?;
    if let Some(old) = noted.filter(|old| **old != name) {
        forget(id(&live.tags), &mut keys, cx).await?;
        vault::destroy(cx, old, holder).await?;
    }
    if noted != Some(&name) {
        notes::write(notes::KEY_SECRET, &name, cx).await?;
    }
    let secret = vault::open(cx, &name, &notes::about(cx.name), holder).await?;
    let stored = match secret.is_usable() {
        true => stored_id(&vault::value(cx, &name).await?.1),
        false => None,
    };
    if let Some(stored) = stored.as_ref().filter(|id| keys.contains(id) && !rotate) {
        return notes::write(notes::KEY_ID, stored, cx).await;
    }
    forget(stored, &mut keys, cx).await?;
    forget(id(&live.tags), &mut keys, cx).await?;
    let made = MADE.with_borrow(|made| made.get(cx.name).cloned());
    forget(made, &mut keys, cx).await?;
    for lost in keys {
        if never_used(&lost, cx).await? {
            delete(&lost, cx).await?;
        }
    }
    let (id, value) = make(cx).await?;
    vault::put(cx, &name, &value, &[]).await?;
    notes::write(notes::KEY_ID, &id, cx).await
}

/// Ids of the user's keys.
pub async fn list(user: &str, aws: &Aws) -> Result<Vec<String>, Error> {
    let pages = aws.iam.list_access_keys().user_name(user).into_paginator().items().send();
    let keys = absent(pages.collect::<Result<Vec<AccessKeyMetadata>, _>>().await)?;
    Ok(keys.into_iter().flatten().filter_map(|key| key.access_key_id).collect())
}

/// Deletes a key of the user's.
pub async fn delete(id: &str, cx: &Cx<'_>) -> Result<(), Error> {
    let call = cx.iam.delete_access_key().user_name(cx.name).access_key_id(id);
    gone_is_fine(call.send().await)
}

/// Also a key that isn't among those listed: a list can be of a moment ago, and a key that is left
/// because of that opens the account for ever.
async fn forget(id: Option<String>, keys: &mut Vec<String>, cx: &Cx<'_>) -> Result<(), Error> {
    if let Some(id) = id {
        delete(&id, cx).await?;
        keys.retain(|key| *key != id);
    }
    Ok(())
}

/// A key that got lost was never used. One that was used is somebody's, so it isn't touched.
async fn never_used(id: &str, cx: &Cx<'_>) -> Result<bool, Error> {
    let reply = cx.iam.get_access_key_last_used().access_key_id(id).send().await?;
    Ok(reply.access_key_last_used().is_none_or(|used| used.last_used_date().is_none()))
}

async fn make(cx: &Cx<'_>) -> Result<(String, SecretString), Error> {
    let call = cx.iam.create_access_key().user_name(cx.name).customize();
    let reply = call.config_override(iam::once()).send().await;
    let key = reply.map_err(|error| unmade(iam::settling(error)))?.access_key;
    let key = key.ok_or_else(|| Error::internal("no access key was made"))?;
    let value = json!({
        "access_key_id": key.access_key_id(),
        "secret_access_key": key.secret_access_key(),
    });
    let id = key.access_key_id().to_owned();
    MADE.with_borrow_mut(|made| made.insert(cx.name.to_owned(), id.clone()));
    Ok((id, SecretString::from(value.to_string())))
}

fn unmade(error: Error) -> Error {
    if error.code != "LimitExceeded" {
        return error;
    }
    error.hint(
        "a user has at most two access keys, and lagoa deletes none that was used and isn't its \
         own: delete one of them",
    )
}

fn stored_id(value: &SecretString) -> Option<String> {
    let value: Value = serde_json::from_str(value.expose_secret()).ok()?;
    Some(value.get("access_key_id")?.as_str()?.to_owned())
}
