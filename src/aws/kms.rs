//! The spellings of a KMS key.

use crate::reference::is_marked;

/// Whether `desired` (an id, an ARN or an alias, as people write them) may name the key that AWS
/// reports as `live` (an id or an ARN). An alias can't be told from a key without asking KMS, so it
/// counts as the same: it is used at creation and never takes a resource away later.
pub fn same_key(desired: Option<&str>, live: Option<&str>) -> bool {
    let (Some(desired), Some(live)) = (desired, live) else {
        return desired == live;
    };
    if is_marked(desired) {
        return false;
    }
    let id = |key: &str| key.rsplit('/').next().map(str::to_owned);
    desired.starts_with("alias/") || desired.contains(":alias/") || id(desired) == id(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_an_arn_and_an_alias_may_be_one_key() {
        let live = Some("arn:aws:kms:us-east-1:111122223333:key/abc");
        for (desired, same) in [("abc", true), ("alias/data", true), ("abd", false)] {
            assert_eq!(same_key(Some(desired), live), same, "{desired}");
        }
        assert!(same_key(live, live));
        assert!(!same_key(Some("abc"), None));
    }
}
