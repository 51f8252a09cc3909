//! What S3 would refuse about lifecycle rules.

use std::collections::BTreeSet;

use super::{LifecycleRule, StorageClass};
use crate::reference::{is_marked, shown};

/// What S3 would refuse about the rules.
pub fn check(rules: &BTreeSet<LifecycleRule>) -> Vec<String> {
    let mut ids = BTreeSet::new();
    let mut complaints = Vec::new();
    for rule in rules {
        if let Some(id) = &rule.id
            && !ids.insert(id)
        {
            complaints.push(format!("two rules have the id {id}; give each its own"));
        }
        let whose = match &rule.id {
            Some(id) => format!("rule {id}"),
            None if rule.prefix.is_empty() => "the rule for all objects".to_owned(),
            None => format!("the rule for {}", shown(&rule.prefix)),
        };
        complaints.extend(check_one(rule).into_iter().map(|what| format!("{whose}: {what}")));
    }
    complaints
}

fn check_one(rule: &LifecycleRule) -> Vec<String> {
    let by_age = rule.expiration_days.is_some() || rule.expiration_date.is_some();
    let sized = rule.object_size_greater_than_bytes.or(rule.object_size_less_than_bytes).is_some();
    let acts = by_age
        || rule.expired_object_delete_marker
        || rule.noncurrent_expiration_days.is_some()
        || rule.abort_incomplete_upload_days.is_some()
        || !(rule.transitions.is_empty() && rule.noncurrent_transitions.is_empty());
    let mut wrong = Vec::new();
    let mut refuse = |refused: bool, why: &str| {
        if refused {
            wrong.push(why.to_owned());
        }
    };
    refuse(!acts, "it does nothing; give it `expiration_days`, `transitions` or another action");
    refuse(
        rule.expiration_days.is_some() && rule.expiration_date.is_some(),
        "`expiration_days` and `expiration_date` exclude each other",
    );
    refuse(
        rule.expired_object_delete_marker && (by_age || !rule.tags.is_empty()),
        "`expired_object_delete_marker` needs a rule without expiration and without tags",
    );
    refuse(
        rule.newer_noncurrent_versions.is_some() && rule.noncurrent_expiration_days.is_none(),
        "`newer_noncurrent_versions` needs `noncurrent_expiration_days`",
    );
    refuse(
        rule.abort_incomplete_upload_days.is_some() && (sized || !rule.tags.is_empty()),
        "unfinished uploads have no tags and no size; move `abort_incomplete_upload_days` to a \
         rule of its own",
    );
    let early = |class: StorageClass, days: Option<i32>| {
        matches!(class, StorageClass::StandardIa | StorageClass::OnezoneIa)
            && days.is_some_and(|days| days < 30)
    };
    refuse(
        rule.transitions.iter().any(|move_| early(move_.storage_class, move_.days))
            || rule.noncurrent_transitions.iter().any(|m| early(m.storage_class, Some(m.days))),
        "objects move to STANDARD_IA and ONEZONE_IA after 30 days at the earliest",
    );
    refuse(
        rule.transitions.iter().any(|move_| move_.days.is_some() == move_.date.is_some()),
        "each transition needs either `days` or `date`",
    );
    let days = rule.transitions.iter().filter_map(|move_| move_.date.as_ref());
    for day in days.chain(&rule.expiration_date) {
        let fits = day.len() == 10 && day.parse::<jiff::civil::Date>().is_ok();
        refuse(!fits && !is_marked(day), &format!("{day} is not a day; write it as 2027-12-31"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(value: serde_json::Value) -> LifecycleRule {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_s3_refuses_is_refused_first() {
        for (value, part) in [
            (json!({ "prefix": "a/" }), "does nothing"),
            (json!({ "expiration_days": 1, "expiration_date": "2027-01-01" }), "exclude"),
            (json!({ "expiration_date": "31/12/2027" }), "not a day"),
            (json!({ "expiration_days": 1, "newer_noncurrent_versions": 2 }), "needs `noncurrent"),
            (json!({ "abort_incomplete_upload_days": 1, "tags": { "a": "b" } }), "uploads"),
            (json!({ "transitions": [{ "storage_class": "GLACIER" }] }), "either"),
            (json!({ "transitions": [{ "days": 3, "storage_class": "ONEZONE_IA" }] }), "30 days"),
        ] {
            let said = check(&BTreeSet::from([rule(value)]));
            assert!(said.len() == 1 && said[0].contains(part), "{said:?}");
        }
        assert!(check(&BTreeSet::from([rule(json!({ "expiration_days": 1 }))])).is_empty());
    }
}
