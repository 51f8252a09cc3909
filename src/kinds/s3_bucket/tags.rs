//! Tags, which S3 replaces as one set.

use aws_sdk_s3::types::{Tag, Tagging};

use crate::aws::Error;
use crate::field::{Tags, lasting_tag};
use crate::kind::Cx;

/// As S3 takes them.
pub fn to_aws(tags: &Tags) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    Ok(tags.iter().map(tag).collect::<Result<_, _>>()?)
}

/// As S3 gives them.
pub fn from_aws(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// Replaces the set. Live tags that aren't the user's to set are sent along: left out they would
/// be lost, and S3 refuses to lose those of AWS's own.
pub async fn put(tags: &Tags, live: &Tags, cx: &Cx<'_>) -> Result<(), Error> {
    let tagging = Tagging::builder().set_tag_set(Some(to_aws(&merged(tags, live))?)).build()?;
    cx.s3.put_bucket_tagging().bucket(cx.name).tagging(tagging).send().await?;
    Ok(())
}

fn merged(tags: &Tags, live: &Tags) -> Tags {
    let kept = live.iter().filter(|(key, _)| lasting_tag(key));
    kept.chain(tags.iter()).map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_others_are_kept() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let live = tags(&[
            ("aws:x", "1"),
            ("lagoa:name", "old"),
            ("gone", "1"),
            ("Team", "a"),
            ("lagoa:protect", "true"),
        ]);
        let desired = tags(&[("lagoa:name", "new"), ("Team", "b")]);
        let all = tags(&[("aws:x", "1"), ("lagoa:name", "new"), ("Team", "b")]);
        assert_eq!(merged(&desired, &live), all);
        assert_eq!(from_aws(&to_aws(&all).unwrap()), all);
    }
}
