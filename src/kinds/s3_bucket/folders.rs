//! Folders: objects of zero bytes whose key ends in a slash, as the console makes them.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use crate::aws::{Aws, Error};
use crate::kind::Cx;
use crate::reference::{is_marked, shown};

/// Whether an object is nothing but a folder.
pub fn is_marker(key: &str, size: Option<i64>) -> bool {
    key.ends_with('/') && size == Some(0)
}

fn plain(folder: &str) -> &str {
    folder.strip_suffix('/').unwrap_or(folder)
}

/// One spelling: without the slash at the end.
pub fn normalise(folders: &mut BTreeSet<String>) {
    *folders = folders.iter().map(|folder| plain(folder).to_owned()).collect();
}

/// What would be a key that nobody means.
pub fn check(folders: &BTreeSet<String>) -> Vec<String> {
    let odd = |name: &&String| name.is_empty() || name.starts_with('/') || name.contains("//");
    let complain = |name: &String| {
        let name = shown(name);
        format!(
            "\"{name}\" is no folder; write it as raw/coins, without a slash in front or two in a row"
        )
    };
    folders.iter().filter(odd).map(complain).collect()
}

/// Those of the folders that there are: something in the bucket has a key that begins so.
pub async fn read(
    aws: &Aws,
    bucket: &str,
    folders: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Error> {
    let known = folders.iter().map(|folder| plain(folder)).filter(|folder| !is_marked(folder));
    let there = try_join_all(known.map(|folder| async move {
        let call = aws.s3.list_objects_v2().bucket(bucket).prefix(format!("{folder}/")).max_keys(1);
        let any = !call.send().await?.contents().is_empty();
        Ok::<_, Error>(any.then(|| folder.to_owned()))
    }));
    Ok(there.await?.into_iter().flatten().collect())
}

/// Makes those that aren't there.
pub async fn put(
    folders: &BTreeSet<String>,
    live: &BTreeSet<String>,
    cx: &Cx<'_>,
) -> Result<(), Error> {
    try_join_all(folders.difference(live).map(|folder| async move {
        cx.s3.put_object().bucket(cx.name).key(format!("{folder}/")).send().await?;
        Ok::<_, Error>(())
    }))
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_slash_at_the_end_does_not_matter() {
        let mut folders = set(&["raw/", "raw", "a/b/"]);
        normalise(&mut folders);
        assert_eq!(folders, set(&["a/b", "raw"]));
        assert!(check(&folders).is_empty());
    }

    #[test]
    fn odd_names_are_refused() {
        assert_eq!(check(&set(&["", "/raw", "a//b", "raw"])).len(), 3);
    }

    #[test]
    fn a_marker_is_empty_and_ends_in_a_slash() {
        assert!(is_marker("raw/", Some(0)));
        assert!(
            !is_marker("raw/", Some(1)) && !is_marker("raw", Some(0)) && !is_marker("raw/", None)
        );
    }
}
