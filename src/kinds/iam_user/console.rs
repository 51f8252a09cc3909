//! The console password.

use secrecy::{ExposeSecret, SecretString};

use super::{Console, IamUser, notes};
use crate::aws::{Aws, Class, Error, absent, iam, vault};
use crate::field::{Tags, WriteOnly};
use crate::kind::{Cx, Site};

/// Where the account's users sign in.
pub fn url(site: &Site) -> String {
    let domain = match site.partition.as_str() {
        "aws-cn" => "signin.amazonaws.cn",
        "aws-us-gov" => "signin.amazonaws-us-gov.com",
        _ => "signin.aws.amazon.com",
    };
    format!("https://{}.{domain}/console", site.account)
}

/// The console access that lagoa gave and that is in force, with the ARN of its secret: there is a
/// login profile, and the secret's current value was made its password.
pub async fn read(aws: &Aws, user: &str, tags: &Tags) -> Result<Option<(Console, String)>, Error> {
    let Some(name) = tags.get(notes::PASSWORD_SECRET) else { return Ok(None) };
    let (profile, secret) = futures::try_join!(
        async { absent(aws.iam.get_login_profile().user_name(user).send().await) },
        vault::describe(aws, name),
    )?;
    let in_force = |secret: &vault::Secret| {
        secret.is_usable()
            && notes::holder(tags).has(secret)
            && secret.version.as_ref() == tags.get(notes::PASSWORD_VERSION)
    };
    Ok(secret.filter(in_force).filter(|_| profile.is_some()).map(|secret| {
        let must_change_password = WriteOnly::default();
        (Console { password_secret: Some(name.clone()), must_change_password }, secret.arn)
    }))
}

/// Sets the password to the value of the secret, which gets a generated one if it has none.
/// The secret comes first: a run that is killed on the way leaves a secret that the next one takes
/// the password from.
pub async fn set(
    console: &Console,
    desired: &IamUser,
    live: &IamUser,
    rotate: bool,
    cx: &Cx<'_>,
) -> Result<(), Error> {
    let name = console.secret_name(cx.name);
    let holder = notes::holder(&desired.tags);
    let noted = live.tags.get(notes::PASSWORD_SECRET);
    if let Some(old) = noted.filter(|old| **old != name) {
        vault::destroy(cx, old, holder).await?;
    }
    if noted != Some(&name) {
        notes::write(notes::PASSWORD_SECRET, &name, cx).await?;
    }
    let secret = vault::open(cx, &name, &notes::about(cx.name), holder).await?;
    let (version, password) = if secret.is_usable() && !rotate {
        vault::value(cx, &name).await?
    } else {
        let password = generate(cx).await?;
        (vault::put(cx, &name, &password, &[]).await?, password)
    };
    let must_change = console.must_change_password.0;
    let call = cx.iam.create_login_profile().user_name(cx.name);
    let call = call.password(password.expose_secret()).password_reset_required(must_change);
    match call.send().await.map_err(Error::from) {
        Err(error) if error.class == Class::Already => {
            let call = cx.iam.update_login_profile().user_name(cx.name);
            let call = call.password(password.expose_secret());
            call.password_reset_required(must_change).send().await.map_err(iam::settling)?;
        }
        other => drop(other.map_err(iam::settling)?),
    }
    notes::write(notes::PASSWORD_VERSION, &version, cx).await
}

/// Characters that IAM doesn't count as symbols, and the quote, which is hard to copy.
const NOT_SYMBOLS: &str = "\"',./:;<>?\\`~";

async fn generate(cx: &Cx<'_>) -> Result<SecretString, Error> {
    let call = cx.secrets.get_random_password().password_length(32);
    let call = call.require_each_included_type(true).exclude_characters(NOT_SYMBOLS);
    let password = call.send().await?.random_password;
    let password = password.ok_or_else(|| Error::internal("no password was generated"))?;
    Ok(SecretString::from(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_signs_in_at_its_own_place() {
        let url = |partition: &str| {
            let (partition, account) = (partition.to_owned(), "1".to_owned());
            url(&Site { partition, account, region: String::new(), stack: String::new() })
        };
        assert_eq!(url("aws"), "https://1.signin.aws.amazon.com/console");
        assert_eq!(url("aws-cn"), "https://1.signin.amazonaws.cn/console");
    }
}
