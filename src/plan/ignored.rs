//! Fields whose differences don't count.

use serde_json::Value;

/// Desired with the ignored fields as live has them, so that an update leaves them alone too.
pub fn ignoring(mut desired: Value, live: &Value, ignore: &[String]) -> Value {
    for path in ignore {
        leave(&mut desired, live, path);
    }
    desired
}

/// Makes what is at this path what it is in live, or takes it out where live doesn't have it.
fn leave(desired: &mut Value, live: &Value, path: &str) {
    let (Value::Object(want), Value::Object(have)) = (desired, live) else { return };
    // A key may have dots of its own, such as `kubernetes.io/cluster/x`: the longest counts.
    let ends = std::iter::once(path.len()).chain(path.rmatch_indices('.').map(|(at, _)| at));
    let known = |end: &usize| {
        let key = &path[..*end];
        want.contains_key(key) || have.contains_key(key)
    };
    let Some(end) = ends.into_iter().find(known) else { return };
    let key = &path[..end];
    match (path.get(end + 1..), have.get(key)) {
        (Some(rest), live) => {
            if let Some(inner) = want.get_mut(key) {
                leave(inner, live.unwrap_or(&Value::Null), rest);
            }
        }
        (None, Some(live)) => _ = want.insert(key.to_owned(), live.clone()),
        (None, None) => _ = want.remove(key),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn left(desired: Value, live: Value, path: &str) -> Value {
        ignoring(desired, &live, &[path.to_owned()])
    }

    #[test]
    fn what_is_ignored_is_what_live_has() {
        let (desired, live) =
            (json!({ "size": 1, "zone": "a" }), json!({ "size": 2, "zone": "b" }));
        assert_eq!(left(desired, live, "size"), json!({ "size": 2, "zone": "a" }));
        let (desired, live) = (json!({ "at": { "day": 1 } }), json!({ "at": { "day": 2 } }));
        assert_eq!(left(desired.clone(), live.clone(), "at.day"), live);
        assert_eq!(left(desired.clone(), json!({ "at": null }), "at.day"), desired);
    }

    #[test]
    fn a_tag_that_others_set_stays() {
        let desired = json!({ "tags": { "Team": "a" } });
        for key in ["Owner", "kubernetes.io/cluster/a", "a.b.c"] {
            let live = json!({ "tags": { "Team": "a", key: "x" } });
            assert_eq!(left(desired.clone(), live.clone(), &format!("tags.{key}")), live);
        }
        let live = json!({ "tags": {} });
        assert_eq!(left(desired, live.clone(), "tags.Team"), live);
    }
}
