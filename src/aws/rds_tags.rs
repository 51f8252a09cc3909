//! Tags of everything in RDS: one call to read them, two to change them, by ARN.

use aws_sdk_rds::types::Tag;

use super::{Aws, Error};
use crate::field::Tags;

/// The tags of the thing with that ARN.
pub async fn read(aws: &Aws, arn: &str) -> Result<Tags, Error> {
    let reply = aws.rds.list_tags_for_resource().resource_name(arn).send().await?;
    Ok(from_aws(reply.tag_list()))
}

/// Sets and removes what turns `live` into `desired`; nothing when they agree.
pub async fn update(aws: &Aws, arn: &str, desired: &Tags, live: &Tags) -> Result<(), Error> {
    let (set, remove) = desired.change_from(live);
    if !set.is_empty() {
        let tags = Tags(set);
        let call = aws.rds.add_tags_to_resource().resource_name(arn);
        call.set_tags(Some(to_aws(&tags))).send().await?;
    }
    if !remove.is_empty() {
        let call = aws.rds.remove_tags_from_resource().resource_name(arn);
        call.set_tag_keys(Some(remove)).send().await?;
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
