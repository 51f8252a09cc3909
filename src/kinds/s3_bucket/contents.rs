//! What is in the bucket: counting it and deleting it.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, Error as S3Error, ObjectIdentifier};
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
    match delete_batch(identifiers(&page)?, false, cx).await?.refusal {
        Some(error) => Err(error),
        None => Ok(true),
    }
}

/// Deletes every version and delete marker: lists a page from the start, deletes it, and so on
/// until there is none. `bypass` lifts governance locks. A page that is deleted in part only is
/// listed again, as long as it is the service that was in trouble.
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
        let batches = try_join_all(batches).await?;
        let now: usize = batches.iter().map(|batch| batch.deleted).sum();
        if let Some(error) = batches.into_iter().find_map(|batch| batch.failed(now > 0)) {
            return Err(error);
        }
        deleted += now;
        (cx.status)(format!("emptying: {} versions deleted", grouped(deleted)));
        cx.go_on()?;
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
struct Deleted {
    deleted: usize,
    /// Why the first of the others wasn't.
    refusal: Option<Error>,
}

impl Deleted {
    /// Why the rest isn't worth another try, after some of all was deleted or nothing.
    fn failed(self, some: bool) -> Option<Error> {
        self.refusal.filter(|error| !some || !error.is_outage())
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
) -> Result<Deleted, Error> {
    let count = objects.len();
    if count == 0 {
        return Ok(Deleted::default());
    }
    let batch = Delete::builder().set_objects(Some(objects)).quiet(true).build()?;
    let call = cx.s3.delete_objects().bucket(cx.name).delete(batch);
    let call = call.set_bypass_governance_retention(bypass.then_some(true));
    let Some(reply) = absent(call.send().await)? else { return Ok(Deleted::default()) };
    Ok(deleted(count, reply.errors()))
}

/// What the errors inside an answer say about a batch of so many. One that calling again can't help
/// tells more than one that it can.
fn deleted(count: usize, errors: &[S3Error]) -> Deleted {
    let class_of = |error: &S3Error| {
        class(error.code().unwrap_or_default(), error.message().unwrap_or_default(), None)
    };
    let passes = |error: &&S3Error| matches!(class_of(error), Class::Throttled | Class::Transient);
    let worst = errors.iter().find(|error| !passes(error)).or(errors.first());
    let refusal = worst.map(|one| {
        let (code, message) = (one.code().unwrap_or_default(), one.message().unwrap_or_default());
        let error = Error {
            code: code.to_owned(),
            ..Error::new(
                class_of(one),
                format!(
                    "{} of {count} objects could not be deleted, such as {}: {message}",
                    errors.len(),
                    one.key().unwrap_or_default()
                ),
            )
        };
        if code == "AccessDenied" { locked(error) } else { error }
    });
    Deleted { deleted: count.saturating_sub(errors.len()), refusal }
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
        let (key, upload) = after.clone();
        let list = cx.s3.list_multipart_uploads().bucket(cx.name);
        let page = list.set_key_marker(key).set_upload_id_marker(upload).send().await;
        let Some(page) = absent(page)? else { return Ok(()) };
        let uploads = page.uploads().iter().filter_map(|u| Some((u.key()?, u.upload_id()?)));
        let aborts = uploads.map(|(key, id)| async move {
            let call = cx.s3.abort_multipart_upload().bucket(cx.name).key(key).upload_id(id);
            gone_is_fine(call.send().await)
        });
        stream::iter(aborts).buffer_unordered(ABORTS_AT_ONCE).try_collect::<Vec<()>>().await?;
        let next = (page.next_key_marker.clone(), page.next_upload_id_marker.clone());
        if page.is_truncated() != Some(true) || next == after {
            return Ok(());
        }
        cx.go_on()?;
        after = next;
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

    #[test]
    fn a_batch_that_failed_in_part_is_gone_on_with_unless_that_is_hopeless() {
        let error = |code: &str| S3Error::builder().key("a").code(code).build();
        let all = |errors: &[S3Error]| deleted(10, errors);
        assert_eq!(all(&[]).deleted, 10);
        let slow = [error("SlowDown"), error("InternalError")];
        assert_eq!(all(&slow).deleted, 8);
        assert!(all(&slow).failed(true).is_none());
        assert_eq!(all(&slow).failed(false).unwrap().class, Class::Throttled);
        let refused = all(&[error("SlowDown"), error("AccessDenied")]).failed(true).unwrap();
        assert_eq!((refused.code.as_str(), refused.hint.is_some()), ("AccessDenied", true));
    }
}
