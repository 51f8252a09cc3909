//! Tags of everything in RDS: one call to read them, two to change them, by ARN.

use aws_sdk_rds::types::Tag;

use super::{Aws, Error};
use crate::field::Tags;

/// The tags of the thing with that ARN.
pub async fn read(aws: &Aws, arn: &str) -> Result<Tags, Error> {
    let reply = aws.rds.list_tags_for_resource().resource_name(arn).send().await?;
    Ok(from_aws(reply.tag_list()))
}

/// Sets tags, whatever values they had.
pub async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), Error> {
    let call = aws.rds.add_tags_to_resource().resource_name(arn);
    call.set_tags(Some(to_aws(tags))).send().await?;
    Ok(())
}

/// Takes tags away.
pub async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<(), Error> {
    let call = aws.rds.remove_tags_from_resource().resource_name(arn);
    call.set_tag_keys(Some(keys)).send().await?;
    Ok(())
}

/// Sets and removes what turns `live` into `desired`; nothing when they agree.
pub async fn update(aws: &Aws, arn: &str, desired: &Tags, live: &Tags) -> Result<(), Error> {
    let (changed, gone) = desired.change_from(live);
    if !changed.is_empty() {
        set(aws, arn, &Tags(changed)).await?;
    }
    if !gone.is_empty() {
        remove(aws, arn, gone).await?;
    }
    Ok(())
}

/// Tags in the shape that the create calls take.
pub fn to_aws(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags in the shape that the describe calls give.
pub fn from_aws(tags: &[Tag]) -> Tags {
    let pair =
        |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.iter().filter_map(pair).collect()
}
