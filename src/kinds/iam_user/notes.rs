//! What a user's own tags say of its secrets.
//!
//! They say which secrets are the user's and what of them is in force, so that the bulk read of IAM
//! brings it along: the name of each secret is noted before the secret is made, and what it holds
//! is noted after it has taken effect. A run that was killed in between finds the two at odds and
//! finishes the work.

use crate::aws::vault::Holder;
use crate::aws::{Error, iam};
use crate::field::Tags;
use crate::kind::Cx;

/// Name of the secret with the password.
pub const PASSWORD_SECRET: &str = "lagoa:password-secret";
/// Version of that secret which is the password.
pub const PASSWORD_VERSION: &str = "lagoa:password-version";
/// Name of the secret with the access key.
pub const KEY_SECRET: &str = "lagoa:access-key-secret";
/// Id of the access key in that secret.
pub const KEY_ID: &str = "lagoa:access-key-id";

/// Names of the secrets that the user's tags speak of.
pub fn secrets_in(user: &Tags) -> impl Iterator<Item = &str> {
    [PASSWORD_SECRET, KEY_SECRET].into_iter().filter_map(|tag| user.get(tag).map(String::as_str))
}

/// The user as the one that secrets belong to.
pub fn holder(user: &Tags) -> Holder<'_> {
    Holder { kind: "iam_user", tags: user }
}

/// What the secrets say they are.
pub fn about(user: &str) -> String {
    format!("Credentials of the IAM user {user}")
}

/// Notes something in the user's tags.
pub async fn write(tag: &str, value: &str, cx: &Cx<'_>) -> Result<(), Error> {
    let tags = iam::tag_set(&[(tag.to_owned(), value.to_owned())].into_iter().collect())?;
    let call = cx.iam.tag_user().user_name(cx.name).set_tags(Some(tags));
    call.send().await.map(drop).map_err(iam::settling)
}
