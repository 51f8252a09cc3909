//! Which web pages may call the bucket.

use std::collections::BTreeSet;

use aws_sdk_s3::types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{from_word, word};
use crate::aws::{Aws, Error, absent};
use crate::kind::Cx;

/// What pages of other origins may do. S3 keeps a rule as one piece, and the first rule that fits
/// a request counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-whole" = true))]
pub struct CorsRule {
    /// Name of the rule, at most 255 characters.
    pub id: Option<String>,
    /// HTTP methods that pages may use.
    pub allowed_methods: BTreeSet<Method>,
    /// Origins that may call, such as `https://example.com`; `*` for all.
    pub allowed_origins: BTreeSet<String>,
    /// Request headers that pages may send; `*` for all.
    #[serde(default)]
    pub allowed_headers: BTreeSet<String>,
    /// Answer headers that pages may read, such as `ETag`.
    #[serde(default)]
    pub expose_headers: BTreeSet<String>,
    /// How long a browser may remember the answer to its first question, in seconds.
    pub max_age_seconds: Option<i32>,
}

/// An HTTP method that S3 serves.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Read an object.
    Get,
    /// Write an object.
    Put,
    /// Read an object's headers.
    Head,
    /// Write an object from a form.
    Post,
    /// Delete an object.
    Delete,
}

impl CorsRule {
    fn from_aws(rule: &types::CorsRule) -> Self {
        let set = |list: &[String]| list.iter().cloned().collect();
        Self {
            id: rule.id().map(str::to_owned),
            allowed_methods: rule.allowed_methods().iter().filter_map(|m| from_word(m)).collect(),
            allowed_origins: set(rule.allowed_origins()),
            allowed_headers: set(rule.allowed_headers()),
            expose_headers: set(rule.expose_headers()),
            max_age_seconds: rule.max_age_seconds(),
        }
    }

    fn to_aws(&self) -> Result<types::CorsRule, Error> {
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        let given = |set| Some(list(set)).filter(|list| !list.is_empty());
        let rule = types::CorsRule::builder()
            .set_id(self.id.clone())
            .set_allowed_methods(Some(self.allowed_methods.iter().map(word).collect()))
            .set_allowed_origins(Some(list(&self.allowed_origins)))
            .set_allowed_headers(given(&self.allowed_headers))
            .set_expose_headers(given(&self.expose_headers))
            .set_max_age_seconds(self.max_age_seconds);
        Ok(rule.build()?)
    }
}

/// No configuration is an empty list of rules.
pub async fn read(aws: &Aws, bucket: &str) -> Result<Vec<CorsRule>, Error> {
    let reply = absent(aws.s3.get_bucket_cors().bucket(bucket).send().await)?;
    let rules = reply.and_then(|reply| reply.cors_rules).unwrap_or_default();
    Ok(rules.iter().map(CorsRule::from_aws).collect())
}

/// Replaces all rules; none removes the configuration, because S3 refuses an empty one.
pub async fn put(rules: &[CorsRule], cx: &Cx<'_>) -> Result<(), Error> {
    if rules.is_empty() {
        cx.s3.delete_bucket_cors().bucket(cx.name).send().await?;
        return Ok(());
    }
    let rules = rules.iter().map(CorsRule::to_aws).collect::<Result<Vec<_>, _>>()?;
    let configuration = types::CorsConfiguration::builder().set_cors_rules(Some(rules)).build()?;
    cx.s3.put_bucket_cors().bucket(cx.name).cors_configuration(configuration).send().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_come_back_as_they_went() {
        for value in [
            json!({ "allowed_methods": ["GET"], "allowed_origins": ["*"] }),
            json!({ "id": "web", "allowed_methods": ["PUT", "DELETE", "HEAD", "POST"],
                "allowed_origins": ["https://a.example", "https://b.example"],
                "allowed_headers": ["*"], "expose_headers": ["ETag"], "max_age_seconds": 0 }),
        ] {
            let rule: CorsRule = serde_json::from_value(value).unwrap();
            assert_eq!(CorsRule::from_aws(&rule.to_aws().unwrap()), rule);
        }
    }
}
