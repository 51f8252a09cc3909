//! What the kinds of EMR share: tags, and calls that must not be made twice.

use aws_sdk_emr::config::retry::RetryConfig;
use aws_sdk_emr::config::{Builder, Config};
use aws_sdk_emr::types::Tag;

use super::{Aws, Error};
use crate::field::Tags;

/// Settings of a call that the SDK must not repeat by itself.
pub fn once() -> Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

/// Sets and removes what turns `live` into `desired`; nothing when they agree.
pub async fn update_tags(aws: &Aws, id: &str, desired: &Tags, live: &Tags) -> Result<(), Error> {
    let (set, remove) = desired.change_from(live);
    if !set.is_empty() {
        let call = aws.emr.add_tags().resource_id(id);
        call.set_tags(Some(to_aws(&Tags(set)))).send().await?;
    }
    if !remove.is_empty() {
        let call = aws.emr.remove_tags().resource_id(id);
        call.set_tag_keys(Some(remove)).send().await?;
    }
    Ok(())
}

/// Tags in the shape that the calls take.
pub fn to_aws(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags in the shape that the describe calls give.
pub fn from_aws(tags: &[Tag]) -> Tags {
    let pair =
        |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.iter().filter_map(pair).collect()
}
