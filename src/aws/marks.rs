//! The marks that seeds leave on a database: tags `lagoa:seed:<key>`, so that a plan knows what was
//! seeded without logging in to the database. What carries them is known by the service in its ARN.

use std::collections::BTreeMap;

use super::{
    Aws, Error, gone_is_fine, rds_tags, redshift_serverless_tags as serverless_tags, redshift_tags,
};
use crate::field::Tags;

const PREFIX: &str = "lagoa:seed:";

/// A service whose things carry marks.
enum Carrier {
    Rds,
    Redshift,
    RedshiftServerless,
}

fn carrier(arn: &str) -> Result<Carrier, Error> {
    match arn.split(':').nth(2) {
        Some("rds") => Ok(Carrier::Rds),
        Some("redshift") => Ok(Carrier::Redshift),
        Some("redshift-serverless") => Ok(Carrier::RedshiftServerless),
        _ => Err(Error::internal(format!("{arn} can't carry the marks of seeds"))),
    }
}

/// Every mark on the database, by the seed's key.
pub async fn read(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>, Error> {
    let tags = match carrier(arn)? {
        Carrier::Rds => rds_tags::read(aws, arn).await,
        Carrier::Redshift => redshift_tags::read(aws, arn).await,
        Carrier::RedshiftServerless => serverless_tags::read(aws, arn).await,
    };
    Ok(marks(&tags?))
}

/// Leaves a mark, or overwrites the one that the seed left before. The text may hold what all
/// services allow in a tag: up to 256 letters, digits, spaces and `_.:/=+-@`.
pub async fn write(aws: &Aws, arn: &str, key: &str, text: &str) -> Result<(), Error> {
    let mark = Tags(BTreeMap::from([(tag(key), text.to_owned())]));
    match carrier(arn)? {
        Carrier::Rds => rds_tags::set(aws, arn, &mark).await,
        Carrier::Redshift => redshift_tags::set(aws, arn, &mark).await,
        Carrier::RedshiftServerless => serverless_tags::set(aws, arn, &mark).await,
    }
}

/// Takes a mark away; nothing to do when there is none, or no database.
pub async fn remove(aws: &Aws, arn: &str, key: &str) -> Result<(), Error> {
    let keys = vec![tag(key)];
    gone_is_fine(match carrier(arn)? {
        Carrier::Rds => rds_tags::remove(aws, arn, keys).await,
        Carrier::Redshift => redshift_tags::remove(aws, arn, keys).await,
        Carrier::RedshiftServerless => serverless_tags::remove(aws, arn, keys).await,
    })
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
