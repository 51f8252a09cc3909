//! What is in the bucket: counting it and deleting it.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};

use super::folders;
use crate::aws::error::class;
use crate::aws::{Class, Error, absent, gone_is_fine};
use crate::kind::Cx;

/// How many versions one call deletes. S3 takes a thousand, but several smaller calls at once are
/// faster and stay below its limit of 3,500 deletions a second.
const BATCH: usize = 250;

/// How many uploads are aborted at a time.
const ABORTS_AT_ONCE: usize = 16;

/// What a page of versions holds, in words; `None` when it is nothing but folders.
fn words(page: &ListObjectVersionsOutput) -> Option<String> {
    let real = |key: Option<&str>, size| !folders::is_marker(key.unwrap_or_default(), size);
    let versions = page.versions().iter().filter(|v| real(v.key(), v.size()));
    let markers = page.delete_markers().len();
    let plain = markers == 0 && versions.clone().all(|v| v.is_latest() != Some(false));
    let noun = if plain { "object" } else { "object version" };
    let more = page.is_truncated() == Some(true);
    match (versions.count() + markers, more) {
        (0, false) => None,
        (0, true) => Some("objects".to_owned()),
        (1, false) => Some(format!("1 {noun}")),
        (count, false) => Some(format!("{} {noun}s", grouped(count))),
        (count, true) => Some(format!("more than {} {noun}s", grouped(count))),
    }
}

/// `1234567` as `1,234,567`.
fn grouped(count: usize) -> String {
    if count < 1000 {
        count.to_string()
    } else {
        format!("{},{:03}", grouped(count / 1000), count % 1000)
    }
}

/// How much the bucket holds, from one call.
pub async fn describe(cx: &Cx<'_>) -> Result<Option<String>, Error> {
    let page = absent(cx.s3.list_object_versions().bucket(cx.name).send().await)?;
    Ok(page.as_ref().and_then(words))
}

/// Deletes the folders of a bucket that holds nothing else; false when it does.
pub async fn clear_folders(cx: &Cx<'_>) -> Result<bool, Error> {
    let page = absent(cx.s3.list_object_versions().bucket(cx.name).send().await)?;
    let Some(page) = page.filter(|page| words(page).is_none()) else { return Ok(false) };
    delete_batch(identifiers(&page)?, false, cx).await?;
    Ok(true)
}

/// Deletes every version and delete marker: lists a page from the start, deletes it, and so on
/// until there is none. `bypass` lifts governance locks.
pub async fn empty(bypass: bool, cx: &Cx<'_>) -> Result<(), Error> {
    let mut deleted = 0;
    loop {
        let page = absent(cx.s3.list_object_versions().bucket(cx.name).send().await)?;
        let Some(page) = page else { return Ok(()) };
        let objects = identifiers(&page)?;
        if objects.is_empty() {
            return Ok(());
        }
        let batches = objects.chunks(BATCH).map(|batch| delete_batch(batch.to_vec(), bypass, cx));
        deleted += try_join_all(batches).await?.into_iter().sum::<usize>();
        (cx.status)(format!("emptying: {} versions deleted", grouped(deleted)));
    }
}

fn identifiers(page: &ListObjectVersionsOutput) -> Result<Vec<ObjectIdentifier>, Error> {
    let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
    let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
    let identifier = |(key, version): (Option<&str>, Option<&str>)| {
        let version = version.map(str::to_owned);
        ObjectIdentifier::builder().key(key.unwrap_or_default()).set_version_id(version).build()
    };
    Ok(versions.chain(markers).map(identifier).collect::<Result<_, _>>()?)
}

/// `DeleteObjects` answers 200 even when it deleted nothing, so each error inside counts.
async fn delete_batch(
    objects: Vec<ObjectIdentifier>,
    bypass: bool,
    cx: &Cx<'_>,
) -> Result<usize, Error> {
    let count = objects.len();
    if count == 0 {
        return Ok(0);
    }
    let batch = Delete::builder().set_objects(Some(objects)).quiet(true).build()?;
    let call = cx.s3.delete_objects().bucket(cx.name).delete(batch);
    let call = call.set_bypass_governance_retention(bypass.then_some(true));
    let Some(reply) = absent(call.send().await)? else { return Ok(0) };
    let Some(first) = reply.errors().first() else { return Ok(count) };
    let (code, message) = (first.code().unwrap_or_default(), first.message().unwrap_or_default());
    let failed = reply.errors().len();
    let error = Error {
        code: code.to_owned(),
        ..Error::new(
            class(code, message, None),
            format!(
                "{failed} of {count} objects could not be deleted, the first: {}: {message}",
                first.key().unwrap_or_default()
            ),
        )
    };
    Err(if code == "AccessDenied" { locked(error) } else { error })
}

fn locked(error: Error) -> Error {
    error.hint(
        "either your credentials lack s3:DeleteObjectVersion, or an object lock holds the objects: \
         --force-unprotect lifts governance locks; compliance locks and legal holds have to end first",
    )
}

/// Aborts unfinished multipart uploads, whose parts are paid for though nobody sees them.
pub async fn abort_uploads(cx: &Cx<'_>) -> Result<(), Error> {
    let mut after = (None, None);
    loop {
        let (key, upload) = after;
        let list = cx.s3.list_multipart_uploads().bucket(cx.name);
        let page = list.set_key_marker(key).set_upload_id_marker(upload).send().await;
        let Some(page) = absent(page)? else { return Ok(()) };
        let uploads = page.uploads().iter().filter_map(|u| Some((u.key()?, u.upload_id()?)));
        let aborts = uploads.map(|(key, id)| async move {
            let call = cx.s3.abort_multipart_upload().bucket(cx.name).key(key).upload_id(id);
            gone_is_fine(call.send().await)
        });
        stream::iter(aborts).buffer_unordered(ABORTS_AT_ONCE).try_collect::<Vec<()>>().await?;
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        after = (page.next_key_marker, page.next_upload_id_marker);
    }
}

/// What `DeleteBucket` said about a bucket that isn't empty. After emptying it, somebody is still
/// writing, so it is worth another round.
pub fn not_empty(error: Error, emptied: bool) -> Error {
    if error.code != "BucketNotEmpty" {
        return error;
    }
    if emptied {
        let error = Error { class: Class::Dependency, ..error };
        return error.hint("something still writes to the bucket; stop it and run again");
    }
    error.hint("write `on_destroy: delete` in the stack to delete the bucket with all its objects")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectVersion};

    fn version(key: &str, size: i64, latest: bool) -> ObjectVersion {
        ObjectVersion::builder().key(key).size(size).is_latest(latest).version_id("v").build()
    }

    fn said(versions: Vec<ObjectVersion>, markers: usize, more: bool) -> Option<String> {
        let marker = DeleteMarkerEntry::builder().key("gone").build();
        let page = ListObjectVersionsOutput::builder()
            .set_versions(Some(versions))
            .set_delete_markers(Some(vec![marker; markers]))
            .is_truncated(more);
        words(&page.build())
    }

    #[test]
    fn contents_are_put_in_words() {
        let one = version("a", 3, true);
        assert_eq!(said(vec![], 0, false), None);
        assert_eq!(said(vec![version("raw/", 0, true)], 0, false), None);
        assert_eq!(said(vec![one.clone()], 0, false).as_deref(), Some("1 object"));
        assert_eq!(said(vec![one.clone(); 312], 0, false).as_deref(), Some("312 objects"));
        let old = version("a", 2, false);
        assert_eq!(said(vec![one.clone(), old], 1, false).as_deref(), Some("3 object versions"));
        assert_eq!(grouped(1_002_003), "1,002,003");
        let full = said(vec![one; 1000], 0, true);
        assert_eq!(full.as_deref(), Some("more than 1,000 objects"));
    }

    #[test]
    fn a_page_names_all_it_holds() {
        let page = ListObjectVersionsOutput::builder()
            .versions(version("a", 1, true))
            .delete_markers(DeleteMarkerEntry::builder().key("b").version_id("w").build())
            .build();
        let keys: Vec<_> = identifiers(&page).unwrap().into_iter().map(|one| one.key).collect();
        assert_eq!(keys, ["a", "b"]);
    }
}
