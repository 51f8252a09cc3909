//! The password that DMS was given. RDS rotates a managed one every seven days, and DMS goes on with
//! the one it knows, so a tag on the endpoint tells which version that is.

use super::DmsEndpoint;
use crate::aws::{Aws, Error, vault};
use crate::field::{Database, SecretSource, Tags};

/// The version of the managed password that DMS was given.
pub const TAG: &str = "lagoa:password";

/// Names of the secrets that RDS makes begin so.
const MANAGED: &str = ":secret:rds!";

impl DmsEndpoint {
    /// The secret that RDS keeps the password in, once it is known.
    fn managed_secret(&self) -> Option<&str> {
        let Some(Database::Known(connection)) = self.rds.as_deref() else { return None };
        match (&self.password, &connection.password) {
            (None, SecretSource::Secret { secret, .. }) if secret.contains(MANAGED) => Some(secret),
            _ => None,
        }
    }

    /// Which version of the managed password counts now; `None` when the password isn't managed.
    pub(super) async fn password_version(&self, aws: &Aws) -> Result<Option<String>, Error> {
        let Some(secret) = self.managed_secret() else { return Ok(None) };
        Ok(vault::describe(aws, secret).await?.and_then(|secret| secret.version))
    }

    /// Whether DMS has another password than the one that counts, by the endpoint's tags.
    pub(super) async fn is_behind(&self, aws: &Aws, tags: &Tags) -> Result<bool, Error> {
        let now = self.password_version(aws).await?;
        Ok(now.is_some_and(|now| tags.get(TAG) != Some(&now)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn secret_of(password: Value, own: Value) -> Option<String> {
        let rds = json!({ "host": "h", "port": 5432, "username": "u", "password": password });
        let endpoint: DmsEndpoint = serde_json::from_value(json!({
            "type": "source", "engine": "postgres", "rds": rds, "password": own,
        }))
        .expect("an endpoint");
        endpoint.managed_secret().map(str::to_owned)
    }

    #[test]
    fn only_a_password_of_rds_changes_by_itself() {
        let managed = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf";
        let of_rds = json!({ "secret": managed, "key": "password" });
        assert_eq!(secret_of(of_rds.clone(), Value::Null).as_deref(), Some(managed));
        assert_eq!(secret_of(of_rds, json!({ "env": "PW" })), None);
        assert_eq!(secret_of(json!({ "secret": "mine" }), Value::Null), None);
        assert_eq!(secret_of(json!({ "env": "PW" }), Value::Null), None);
    }
}
