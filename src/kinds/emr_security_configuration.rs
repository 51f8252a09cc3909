//! How clusters of EMR encrypt, and who may log in to them.

use futures::future::try_join_all;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Aws, Error, absent, gone_is_fine};
use crate::field::{Computed, Immutable};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Owner, Site, Wanted};

/// A security configuration of EMR: encryption, Kerberos and Lake Formation of the clusters that
/// name it. EMR can't change one, so a change replaces it, and the clusters that use it with it. EMR
/// can't tag one either: lagoa's mark is in its name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmrSecurityConfiguration {
    /// The configuration in EMR's own form, as YAML or as the path of a JSON file:
    /// `EncryptionConfiguration`, `AuthenticationConfiguration`, `AuthorizationConfiguration`,
    /// `InstanceMetadataServiceConfiguration`.
    pub configuration: Immutable<Document>,
    /// The name in AWS, lagoa's mark included: `lagoa/<stack>/<name>`.
    #[serde(default)]
    pub marked_name: Computed<String>,
}

/// A JSON document, in which AWS may have more than the stack says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub Value);

impl JsonSchema for Document {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EmrDocument".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "object"], "x-file": "document" })
    }
}

const MARK: &str = "lagoa/";

fn marked(name: &str, site: &Site) -> String {
    format!("{MARK}{}/{name}", site.stack)
}

impl Kind for EmrSecurityConfiguration {
    const EXAMPLE: &'static str = "
encrypted:
  kind: emr_security_configuration
  configuration:
    EncryptionConfiguration:
      EnableInTransitEncryption: false
      EnableAtRestEncryption: true
      AtRestEncryptionConfiguration:
        S3EncryptionConfiguration: { EncryptionMode: SSE-S3 }
    InstanceMetadataServiceConfiguration:
      MinimumInstanceMetadataServiceVersion: 2
      HttpPutResponseHopLimit: 1
";
    const NAME: &'static str = r"^[^/\x00-\x1f]{1,256}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        sweep: &[Grant::of(&["elasticmapreduce:ListSecurityConfigurations"], ANY)],
        read: &[Grant::of(&["elasticmapreduce:DescribeSecurityConfiguration"], ANY)],
        write: &[Grant::of(&["elasticmapreduce:CreateSecurityConfiguration"], ANY)],
        delete: &[Grant::of(&["elasticmapreduce:DeleteSecurityConfiguration"], ANY)],
        ..Access::NONE
    };

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let reads = wanted.iter().map(|one| async move {
            let marked = marked(&one.name, &aws.site);
            let call = aws.emr.describe_security_configuration().name(&marked);
            let Some(reply) = absent(call.send().await)? else { return Ok(None) };
            let text = reply.security_configuration().unwrap_or_default();
            let document = serde_json::from_str(text).unwrap_or_else(|_| text.into());
            let fields =
                Self { configuration: Document(document).into(), marked_name: marked.into() };
            Ok::<_, Error>(Some(Found { name: one.name.clone(), fields }))
        });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut pages = aws.emr.list_security_configurations().into_paginator().send();
        let prefix = marked("", &aws.site);
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page?;
            let ours = page.security_configurations().iter().filter_map(|one| one.name());
            names.extend(ours.filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned)));
        }
        Ok(names)
    }

    /// Its name is its mark, and EMR renames nothing: another stack's can't be taken over.
    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Self::owned(aws).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.emr.create_security_configuration().name(marked(cx.name, &cx.site));
        call.security_configuration(self.configuration.0.0.to_string()).send().await?;
        Ok(())
    }

    /// Nothing in it can change.
    async fn update(&self, _live: &Self, _cx: &Cx<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.emr.delete_security_configuration().name(marked(cx.name, &cx.site));
        gone_is_fine(call.send().await)
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &std::path::Path) {
        self.marked_name = marked(name, site).into();
    }

    fn owner(&self) -> Option<Owner> {
        let (stack, key) = self.marked_name.as_deref()?.strip_prefix(MARK)?.split_once('/')?;
        Some(Owner { stack: stack.to_owned(), key: Some(key.to_owned()) })
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let known = [
            "EncryptionConfiguration",
            "AuthenticationConfiguration",
            "AuthorizationConfiguration",
            "InstanceMetadataServiceConfiguration",
        ];
        let Some(parts) = self.configuration.0.0.as_object() else { return Vec::new() };
        if parts.keys().any(|part| known.contains(&part.as_str())) {
            return Vec::new();
        }
        let message = format!("EMR wants one of these in it: {}", known.join(", "));
        vec![("configuration".to_owned(), message)]
    }
}
