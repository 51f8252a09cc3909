//! The password that DMS was given. RDS rotates a managed one every seven days, and DMS goes on with
//! the one it knows, so a tag on the endpoint tells which version that is.

use aws_sdk_databasemigration::types::ReplicationTask;

use super::DmsEndpoint;
use crate::aws::{Aws, Error, absent, vault};
use crate::field::{Database, SecretSource};

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

    /// Whether DMS has another password than the one that counts, by the endpoint's tags. A task
    /// that is at work goes on with the connections that it has, and DMS changes nothing under it:
    /// until it stands still, that doesn't count.
    pub(super) async fn is_behind(&self, aws: &Aws, live: &Self) -> Result<bool, Error> {
        let now = self.password_version(aws).await?;
        let behind = now.is_some_and(|now| live.tags.get(TAG) != Some(&now));
        Ok(behind && !is_at_work(aws, live.arn.as_deref().unwrap_or_default()).await?)
    }
}

/// Whether a task works with the endpoint.
async fn is_at_work(aws: &Aws, arn: &str) -> Result<bool, Error> {
    let call = aws.dms.describe_replication_tasks().without_settings(true);
    let mut pages = call.into_paginator().send();
    while let Some(page) = pages.next().await {
        let Some(page) = absent(page)? else { break };
        let works = |task: &ReplicationTask| {
            let ends = [task.source_endpoint_arn(), task.target_endpoint_arn()];
            ends.contains(&Some(arn)) && matches!(task.status(), Some("running" | "starting"))
        };
        if page.replication_tasks().iter().any(works) {
            return Ok(true);
        }
    }
    Ok(false)
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
