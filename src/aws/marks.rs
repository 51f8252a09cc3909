//! The marks that seeds leave on a database: tags `lagoa:seed:<key>`, so that a plan knows what was
//! seeded without logging in to the database.

use std::collections::BTreeMap;

use super::{Aws, Error, gone_is_fine, rds_tags};
use crate::field::Tags;

const PREFIX: &str = "lagoa:seed:";

/// Every mark on the database, by the seed's key.
pub async fn read(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>, Error> {
    Ok(marks(&rds_tags::read(aws, arn).await?))
}

/// Leaves a mark, or overwrites the one that the seed left before. The text may hold what RDS
/// allows in a tag: up to 256 letters, digits, spaces and `_.:/=+-@`.
pub async fn write(aws: &Aws, arn: &str, key: &str, text: &str) -> Result<(), Error> {
    let mark = Tags(BTreeMap::from([(tag(key), text.to_owned())]));
    let call = aws.rds.add_tags_to_resource().resource_name(arn);
    call.set_tags(Some(rds_tags::to_aws(&mark))).send().await?;
    Ok(())
}

/// Takes a mark away; nothing to do when there is none, or no database.
pub async fn remove(aws: &Aws, arn: &str, key: &str) -> Result<(), Error> {
    let call = aws.rds.remove_tags_from_resource().resource_name(arn);
    gone_is_fine(call.tag_keys(tag(key)).send().await)
}

fn tag(key: &str) -> String {
    format!("{PREFIX}{key}")
}

fn marks(tags: &Tags) -> BTreeMap<String, String> {
    let mark = |(key, text): (&String, &String)| {
        Some((key.strip_prefix(PREFIX)?.to_owned(), text.clone()))
    };
    tags.iter().filter_map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tags_of_seeds_are_marks() {
        let tags = [("lagoa:stack", "s"), ("lagoa:seed:coins", "v1"), ("Team", "x")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let marks = marks(&tags.into_iter().collect());
        assert_eq!(marks, BTreeMap::from([("coins".to_owned(), "v1".to_owned())]));
    }
}
