//! A database, a bucket or a warehouse that DMS reads from or writes to.

mod calls;
mod live;
mod password;
mod reach;
mod rules;
mod settings;
mod wire;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Class, Error, absent, dms, fixed_role, gone_is_fine};
use crate::field::{
    Computed, Database, Derived, DmsCertificateArn, Immutable, KmsKeyArn, RoleArn, SecretArn,
    SecretSource, Tags, WriteOnly, leave_out,
};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, Neighbours, Phase, Site, Wanted, When,
};
pub use settings::{Dynamodb, Mysql, Postgres, Redshift, S3};

/// A database, a bucket or a warehouse that DMS reads from or writes to. Beside `engine` it has at
/// most the block of that engine's settings. Names are kept in lower case.
///
/// DMS keeps the password that it is given. lagoa notices when RDS has rotated a managed password
/// of the database in `rds`, and sends the new one once no task works with the endpoint; after
/// another password has changed, `--rotate KEY` does.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DmsEndpoint {
    /// Whether DMS reads from it or writes to it.
    pub r#type: Immutable<EndpointType>,
    /// What it is.
    pub engine: Immutable<Engine>,
    /// The key of an `rds_instance` or `rds_cluster`: gives server, port, user, database and where the password is,
    /// as far as they aren't written here. RDS lets nobody in without encryption nowadays, so
    /// `ssl_mode` becomes `require` for PostgreSQL.
    pub rds: Option<WriteOnly<Database>>,
    /// Name of the host.
    pub server: Option<String>,
    /// TCP port of the server.
    pub port: Option<u16>,
    /// User that DMS logs in as.
    pub username: Option<String>,
    /// Where the user's password comes from: `${env.NAME}` or a secret. Sent at creation, with
    /// changes of server or user, and with `--rotate KEY`.
    pub password: Option<WriteOnly<SecretSource>>,
    /// A Secrets Manager secret with `host`, `port`, `username` and `password` that DMS itself reads
    /// with `secret_role`; instead of these fields.
    pub secret: Option<SecretArn>,
    /// The role with which DMS reads `secret`; it trusts `dms.region.amazonaws.com`.
    pub secret_role: Option<RoleArn>,
    /// Name of the database.
    pub database: Option<String>,
    /// Whether the connection is encrypted, and how far the server is checked. DMS starts with
    /// `none`.
    pub ssl_mode: Option<SslMode>,
    /// The authority's certificate, for `verify-ca` and `verify-full`.
    pub certificate: Option<DmsCertificateArn>,
    /// The KMS key with which DMS keeps the password: key, id, ARN or alias. Without one, AWS's own
    /// `aws/dms`.
    pub kms_key: Option<Immutable<KmsKeyArn>>,
    /// The end of its ARN, up to 31 letters, digits and hyphens. AWS makes one up.
    #[schemars(regex(pattern = "^[A-Za-z](-?[A-Za-z0-9]){0,30}$"))]
    pub resource_identifier: Option<Immutable<String>>,
    /// Settings of `postgres` and `aurora-postgresql`.
    pub postgres: Option<Postgres>,
    /// Settings of `mysql`, `mariadb` and `aurora`.
    pub mysql: Option<Mysql>,
    /// Settings of `s3`, which needs `bucket` and `role`.
    pub s3: Option<S3>,
    /// Settings of `redshift`.
    pub redshift: Option<Redshift>,
    /// Settings of `dynamodb`, which needs `role`.
    pub dynamodb: Option<Dynamodb>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:dms:region:account:endpoint:…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// AWS's word for the state it is in.
    #[serde(default)]
    pub status: Computed<String>,
    /// RDS has rotated the managed password since DMS was given it, and no task works with the old
    /// one; lagoa sends the new one. Which one DMS has is kept in the tag `lagoa:password`.
    #[serde(default)]
    pub password_outdated: Derived<bool>,
}

/// Which way data goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointType {
    /// DMS reads from it.
    #[default]
    Source,
    /// DMS writes to it.
    Target,
}

/// What stands behind an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// PostgreSQL.
    #[default]
    Postgres,
    /// Aurora with PostgreSQL's language.
    AuroraPostgresql,
    /// MySQL.
    Mysql,
    /// MariaDB.
    Mariadb,
    /// Aurora with MySQL's language.
    Aurora,
    /// Files in S3.
    S3,
    /// Amazon Redshift.
    Redshift,
    /// Amazon DynamoDB.
    Dynamodb,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// In clear.
    None,
    /// Encrypted; the server isn't checked. Not for MySQL.
    Require,
    /// Encrypted; the server's certificate is checked.
    VerifyCa,
    /// Encrypted; the server's certificate and name are checked.
    VerifyFull,
}

impl Kind for DmsEndpoint {
    const EXAMPLE: &'static str = "
s3-target-datalake:
  kind: dms_endpoint
  type: target
  engine: s3
  s3:
    bucket: raw-coins
    role: role-dms-s3-raw
    folder: coins
    add_column_name: true
    data_format: csv
    csv_delimiter: ','
  resource_identifier: s3-target-datalake
  tags: { object: endpoint-target }
raw-coins:
  kind: s3_bucket
role-dms-s3-raw:
  kind: iam_role
  service: dms.amazonaws.com
";
    const NAME: &'static str = "^[A-Za-z](-?[A-Za-z0-9]){0,254}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["dms:DescribeEndpoints"], ANY),
            Grant::of(&["dms:ListTagsForResource"], &["dms:{region}:{account}:endpoint:*"]),
            // Which version the password of an RDS server of the stack has, and whether that counts.
            Grant::of(&["dms:DescribeReplicationTasks"], ANY).given("rds"),
            Grant::of(
                &["secretsmanager:DescribeSecret"],
                &["secretsmanager:{region}:{account}:secret:rds!*"],
            )
            .given("rds"),
        ],
        write: &[
            Grant::of(&["dms:CreateEndpoint"], ANY).when(When::Marked),
            Grant::of(&["dms:AddTagsToResource"], &["dms:{region}:{account}:endpoint:*"])
                .when(When::Marked),
            Grant::of(
                &["dms:AddTagsToResource", "dms:ModifyEndpoint", "dms:RemoveTagsFromResource"],
                &["dms:{region}:{account}:endpoint:*"],
            )
            .when(When::Owned),
            Grant::of(&["dms:ModifyEndpoint"], &["dms:{region}:{account}:cert:*"])
                .given("certificate"),
            Grant::passing(
                &[
                    "iam::{account}:role/{dynamodb.role}",
                    "iam::{account}:role/{redshift.role}",
                    "iam::{account}:role/{s3.role}",
                    "iam::{account}:role/{secret_role}",
                ],
                &["dms.amazonaws.com", "dms.{region}.amazonaws.com", "redshift.amazonaws.com"],
            ),
            fixed_role::making(&["iam::{account}:role/dms-access-for-endpoint"]).given("redshift"),
            fixed_role::filling(
                &["iam::{account}:role/dms-access-for-endpoint"],
                &["iam::aws:policy/service-role/AmazonDMSRedshiftS3Role"],
            )
            .given("redshift"),
            // The password of an RDS server of the stack.
            Grant::of(
                &["secretsmanager:GetSecretValue"],
                &["secretsmanager:{region}:{account}:secret:rds!*"],
            )
            .given("rds"),
            Grant::encrypting(&["dms"], "kms_key"),
        ],
        delete: &[Grant::of(&["dms:DeleteEndpoint"], &["dms:{region}:{account}:endpoint:*"])
            .when(When::Owned)],
        ..Access::NONE
    };
    // Whether its password is the one that counts is known by the database's.
    const READS_AFTER_REFERENCES: bool = true;

    fn canonical_name(name: &str) -> String {
        name.to_lowercase()
    }

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let call = aws.dms.describe_endpoints();
        let only = dms::only("endpoint-id", wanted.iter().map(|one| &one.name))?;
        let mut pages = call.set_filters(only).into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            all.extend(page.endpoints.unwrap_or_default());
        }
        all.retain(|one| wanted.iter().any(|wanted| wanted.name == live::name(one)));
        let arns: Vec<String> = all.iter().map(|one| live::arn(one).to_owned()).collect();
        let mut tags = dms::tags(aws, &arns).await?;
        let mut found = Vec::new();
        for one in &all {
            let Some(tags) = tags.remove(live::arn(one)) else { continue };
            let (name, mut fields) = (live::name(one), live::read(one, tags)?);
            let wanted = wanted.iter().find(|wanted| wanted.name == name);
            if let Some(desired) = wanted.and_then(|wanted| wanted.desired.as_ref()) {
                fields.password_outdated = desired.is_behind(aws, &fields).await?.into();
            }
            found.push(Found { name, fields });
        }
        Ok(found)
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ours = dms::swept(aws, "endpoint:").await?;
        let mut names = Vec::new();
        if !ours.is_empty() {
            let mut pages = aws.dms.describe_endpoints().into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page?;
                let found = page.endpoints().iter().filter(|one| ours.contains(live::arn(one)));
                names.extend(found.map(live::name));
            }
        }
        Ok(names)
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut pages = aws.dms.describe_endpoints().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = absent(page)? else { break };
            names.extend(page.endpoints().iter().map(live::name));
        }
        Ok(names)
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        self.make(cx).await
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        dms::update_tags(cx, arn, &self.tags, &live.tags).await?;
        let outdated = *live.password_outdated == Some(true);
        if !cx.rotate && !outdated && !self.must_be_sent(live) {
            return Ok(());
        }
        self.change(live, cx).await.map_err(|error| match error.class {
            Class::Busy => Error { class: Class::Terminal, ..error }
                .hint("a task works with it: apply its task with `run: stopped` first"),
            _ => error,
        })
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = self.arn.as_deref().unwrap_or_default();
        gone_is_fine(cx.dms.delete_endpoint().endpoint_arn(arn).send().await)
    }

    fn phase(&self) -> Phase {
        match self.status.as_deref().unwrap_or("active") {
            "active" | "testing" | "successful" | "failed" => Phase::Ready,
            status => Phase::Pending(status.to_owned()),
        }
    }

    fn accept(&mut self, live: &Self) {
        self.take_over(live);
    }

    fn predict(&mut self, _name: &str, _site: &Site, _root: &std::path::Path) {
        self.fill_in_from_rds();
        self.password_outdated = false.into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        leave_out(&mut self.ssl_mode, SslMode::None);
        self.resource_identifier.take_if(|identifier| dms::is_made_up(identifier));
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let wrong = self.wrong_blocks().into_iter().chain(self.wrong_access());
        wrong.map(|(path, message)| (path.to_owned(), message)).collect()
    }

    fn warn(&self, among: &Neighbours<'_>) -> Vec<(String, String)> {
        let mut told = self.wrong_engine(among);
        told.extend(self.shut_out(among));
        told
    }

    fn summary(&self, live: Option<&Self>, _root: &std::path::Path) -> Vec<String> {
        if live.is_none() && self.needs_the_fixed_role() {
            return vec![dms::role_note(&dms::ENDPOINT_ROLE)];
        }
        if live.is_some_and(|live| *live.password_outdated == Some(true)) {
            return vec!["gives DMS the password that RDS has made since".to_owned()];
        }
        Vec::new()
    }
}
