//! A certificate with which DMS checks a database server.

use aws_sdk_databasemigration::types::Certificate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error, absent, dms, gone_is_fine};
use crate::field::{Computed, Immutable, KmsKeyArn, Tags};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Wanted, When};
use crate::reference::is_marked;

/// The certificate of an authority, with which DMS checks that a database server is who it says;
/// an endpoint with `ssl_mode: verify-ca` or `verify-full` names it. A change replaces it. Names
/// are kept in lower case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DmsCertificate {
    /// The certificate as PEM text, `-----BEGIN CERTIFICATE-----` and what follows. Spaces and line
    /// ends around it don't count. Several certificates may follow each other.
    pub pem: Immutable<String>,
    /// The KMS key that encrypts it at rest: key, id, ARN or alias. Without one, AWS's own
    /// `aws/dms`.
    pub kms_key: Option<Immutable<KmsKeyArn>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:dms:region:account:cert:…`; its end is AWS's choice.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The day from which it no longer holds.
    #[serde(default)]
    pub valid_to: Computed<String>,
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

impl Kind for DmsCertificate {
    const EXAMPLE: &'static str = "
rds-authority:
  kind: dms_certificate
  pem: |
    -----BEGIN CERTIFICATE-----
    MIIBlTCCATugAwIBAgIUKoP4rW8xDbGE0CqTLEH0qk8uVwMwCgYIKoZIzj0EAwIw
    -----END CERTIFICATE-----
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = "^[A-Za-z](-?[A-Za-z0-9]){0,254}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["dms:DescribeCertificates"], ANY),
            Grant::of(&["dms:ListTagsForResource"], &["dms:{region}:{account}:cert:*"]),
        ],
        write: &[
            Grant::of(&["dms:ImportCertificate"], ANY).when(When::Marked),
            Grant::of(&["dms:AddTagsToResource"], &["dms:{region}:{account}:cert:*"])
                .when(When::Marked),
            Grant::of(
                &["dms:AddTagsToResource", "dms:RemoveTagsFromResource"],
                &["dms:{region}:{account}:cert:*"],
            )
            .when(When::Owned),
            Grant::encrypting(&["dms"], "kms_key"),
        ],
        delete: &[Grant::of(&["dms:DeleteCertificate"], &["dms:{region}:{account}:cert:*"])
            .when(When::Owned)],
        ..Access::NONE
    };

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.dms.describe_certificates();
        let only = dms::only("certificate-id", wanted.iter().map(|one| &one.name))?;
        let mut pages = call.set_filters(only).into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            all.extend(page.certificates.unwrap_or_default());
        }
        all.retain(|one| wanted.iter().any(|wanted| wanted.name == name_of(one)));
        let arns: Vec<String> = all.iter().map(|one| arn_of(one).to_owned()).collect();
        let mut tags = dms::tags(aws, &arns).await?;
        let found = all.iter().filter_map(|one| Some(found(one, tags.remove(arn_of(one))?)));
        Ok(found.collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ours = dms::swept(aws, "cert:").await?;
        let mut names = Vec::new();
        if !ours.is_empty() {
            let mut pages = aws.dms.describe_certificates().into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page?;
                let found = page.certificates().iter().filter(|one| ours.contains(arn_of(one)));
                names.extend(found.map(name_of));
            }
        }
        Ok(names)
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut pages = aws.dms.describe_certificates().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            names.extend(page.certificates().iter().map(name_of));
        }
        Ok(names)
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.dms.import_certificate().certificate_identifier(cx.name);
        let call = call.certificate_pem(self.pem.trim());
        let call = call.set_kms_key_id(self.kms_key.as_ref().map(|key| key.0.0.clone()));
        call.set_tags(Some(dms::to_aws(&self.tags))).send().await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        dms::update_tags(cx, arn, &self.tags, &live.tags).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = self.arn.as_deref().unwrap_or_default();
        gone_is_fine(cx.dms.delete_certificate().certificate_arn(arn).send().await)
    }

    fn accept(&mut self, live: &Self) {
        let lines = |pem: &str| pem.split_whitespace().collect::<String>();
        if lines(&self.pem) == lines(&live.pem) {
            self.pem = live.pem.clone();
        }
        dms::fold_key(&mut self.kms_key, live.kms_key.as_ref());
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        if is_marked(&self.pem) || self.pem.contains(BEGIN) {
            return Vec::new();
        }
        vec![("pem".to_owned(), format!("a certificate as PEM begins with {BEGIN}"))]
    }
}

fn name_of(one: &Certificate) -> String {
    one.certificate_identifier().unwrap_or_default().to_lowercase()
}

fn arn_of(one: &Certificate) -> &str {
    one.certificate_arn().unwrap_or_default()
}

fn found(one: &Certificate, tags: Tags) -> Found<DmsCertificate> {
    let fields = DmsCertificate {
        pem: one.certificate_pem().unwrap_or_default().to_owned().into(),
        kms_key: one.kms_key_id().map(|key| KmsKeyArn::from(key).into()),
        tags,
        arn: arn_of(one).to_owned().into(),
        valid_to: one.valid_to_date().map(ToString::to_string).into(),
    };
    Found { name: name_of(one), fields }
}
