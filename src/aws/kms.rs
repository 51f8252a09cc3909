//! The spellings of a KMS key.

use crate::reference::is_marked;

/// Whether two spellings name one key without a doubt: a key's id and its ARN do, and so do an
/// alias and its ARN.
pub fn same_name(a: &str, b: &str) -> bool {
    let name = |key: &str| {
        let last = key.rsplit(':').next().unwrap_or_default();
        last.strip_prefix("key/").unwrap_or(last).to_owned()
    };
    name(a) == name(b)
}

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
    let is_alias = |key: &str| key.starts_with("alias/") || key.contains(":alias/");
    same_name(desired, live) || (is_alias(desired) && !is_alias(live))
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

    #[test]
    fn a_name_has_several_spellings() {
        assert!(same_name("arn:aws:kms:us-east-1:123456789012:key/1-2", "1-2"));
        assert!(same_name("arn:aws:kms:us-east-1:123456789012:alias/a", "alias/a"));
        assert!(!same_name("alias/a", "a") && !same_name("alias/a", "1-2"));
    }
}
