//! Tags of Redshift Serverless: one call to read them, two to change them, by ARN.

use aws_sdk_redshiftserverless::types::Tag;

use super::{Aws, Error};
use crate::field::Tags;

/// The tags of the thing with that ARN.
pub async fn read(aws: &Aws, arn: &str) -> Result<Tags, Error> {
    let reply = aws.redshift_serverless.list_tags_for_resource().resource_arn(arn).send().await?;
    let pair = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
    Ok(reply.tags().iter().map(pair).collect())
}

/// Sets tags, whatever values they had.
pub async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), Error> {
    let call = aws.redshift_serverless.tag_resource().resource_arn(arn);
    call.set_tags(Some(to_aws(tags)?)).send().await?;
    Ok(())
}

/// Takes tags away.
pub async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<(), Error> {
    let call = aws.redshift_serverless.untag_resource().resource_arn(arn);
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
pub fn to_aws(tags: &Tags) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(|pair| tag(pair).map_err(Error::from)).collect()
}
