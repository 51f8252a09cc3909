//! A namespace of Redshift Serverless.

use std::collections::BTreeSet;
use std::path::Path;

use aws_sdk_redshiftserverless::operation::update_namespace::builders::UpdateNamespaceFluentBuilder;
use aws_sdk_redshiftserverless::types::{LogExport as AwsLogExport, Namespace};
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::password::Password;
use crate::aws::spelling::fold_key;
use crate::aws::{Aws, Error, absent, gone_is_fine, redshift_serverless_tags as tags};
use crate::field::{
    Computed, Differs, Immutable, KmsKeyArn, RoleArn, SecretSource, Tags, WriteOnly, leave_out,
};
use crate::kind::{
    ANY, Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Phase, Site, Takes, Wanted, When,
};

/// A namespace of Redshift Serverless: databases, users and their data. A workgroup works on it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedshiftServerlessNamespace {
    /// Name of the first database. AWS's default is `dev`.
    #[schemars(regex(pattern = "^[a-zA-Z][a-zA-Z_0-9+.@-]{0,126}$"))]
    pub database: Option<Immutable<String>>,
    /// Name of the admin user. AWS's default is `admin`. A change of the name sends the password
    /// again, and so needs one of one's own.
    #[schemars(regex(pattern = "^[a-zA-Z][a-zA-Z_0-9+.@-]{0,127}$"))]
    pub username: Option<String>,
    /// Redshift makes up the admin's password, keeps it in Secrets Manager and rotates it. `--rotate
    /// KEY` rotates it now. Either this or `password`. Default false.
    #[serde(default)]
    pub managed_password: bool,
    /// The KMS key of the managed password's secret. Without one, AWS's own `aws/secretsmanager`.
    pub managed_password_kms_key: Option<KmsKeyArn>,
    /// Where the admin's password comes from: `${env.NAME}` or a secret. Sent at creation, when
    /// `managed_password` is switched off, and with `--rotate KEY`.
    pub password: Option<WriteOnly<SecretSource>>,
    /// Roles that COPY, UNLOAD and external schemas may take. AWS starts with none.
    pub iam_roles: Option<BTreeSet<RoleArn>>,
    /// The one of them that `IAM_ROLE default` means.
    pub default_iam_role: Option<RoleArn>,
    /// The KMS key that encrypts the data: key, id, ARN or alias. AWS starts with a key of its own. An
    /// alias counts as whatever key the namespace has.
    pub kms_key: Option<KmsKeyArn>,
    /// Logs that go to CloudWatch Logs. AWS starts with none.
    pub log_exports: Option<BTreeSet<LogExport>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// The secret with the managed password: a JSON object with `username` and `password`.
    #[serde(default)]
    pub master_secret_arn: Computed<String>,
    /// `arn:aws:redshift-serverless:region:account:namespace/id`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The namespace's id.
    #[serde(default)]
    pub id: Computed<String>,
    /// The service's own word: `AVAILABLE`, `MODIFYING`, `DELETING`.
    #[serde(default)]
    pub status: Computed<String>,
}

/// A log of a namespace.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum LogExport {
    Useractivitylog,
    Userlog,
    Connectionlog,
}

impl LogExport {
    fn to_aws(self) -> AwsLogExport {
        match self {
            Self::Useractivitylog => AwsLogExport::UserActivityLog,
            Self::Userlog => AwsLogExport::UserLog,
            Self::Connectionlog => AwsLogExport::ConnectionLog,
        }
    }

    fn from_aws(log: &AwsLogExport) -> Option<Self> {
        match log {
            AwsLogExport::UserActivityLog => Some(Self::Useractivitylog),
            AwsLogExport::UserLog => Some(Self::Userlog),
            AwsLogExport::ConnectionLog => Some(Self::Connectionlog),
            _ => None,
        }
    }
}

impl Kind for RedshiftServerlessNamespace {
    const EXAMPLE: &'static str = "
sales-data:
  kind: redshift_serverless_namespace
  database: sales
  username: admin
  managed_password: true
  iam_roles: [sales-copy]
  default_iam_role: sales-copy
  log_exports: [userlog]
  tags: { Projeto: Bootcamp }
  on_destroy: delete
sales-copy:
  kind: iam_role
  service: redshift.amazonaws.com
";
    const NAME: &'static str = "^[a-z0-9-]{3,64}$";
    const KEPT_WHILE_USED: bool = true;
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["redshift-serverless:ListNamespaces"], ANY),
            Grant::of(
                &["redshift-serverless:GetNamespace", "redshift-serverless:ListTagsForResource"],
                &["redshift-serverless:{region}:{account}:namespace/*"],
            ),
        ],
        write: &[
            Grant::of(
                &["redshift-serverless:CreateNamespace"],
                &["redshift-serverless:{region}:{account}:namespace/*"],
            )
            .when(When::Marked),
            Grant::of(
                &["redshift-serverless:TagResource"],
                &["redshift-serverless:{region}:{account}:namespace/*"],
            ),
            Grant::of(
                &["redshift-serverless:UntagResource", "redshift-serverless:UpdateNamespace"],
                &["redshift-serverless:{region}:{account}:namespace/*"],
            )
            .when(When::Owned),
            Grant::passing(
                &["iam::{account}:role/{iam_roles}", "iam::{account}:role/{default_iam_role}"],
                &["redshift-serverless.amazonaws.com", "redshift.amazonaws.com"],
            ),
            Grant::linking(&["redshift.amazonaws.com"]),
            Grant::of(
                &[
                    "secretsmanager:CreateSecret",
                    "secretsmanager:DeleteSecret",
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:RotateSecret",
                    "secretsmanager:TagResource",
                    "secretsmanager:UpdateSecret",
                ],
                &["secretsmanager:{region}:{account}:secret:redshift!*"],
            )
            .given("managed_password"),
            Grant::of(&["secretsmanager:GetRandomPassword"], ANY).given("managed_password"),
            Grant::encrypting(&["redshift", "redshift-serverless"], "kms_key"),
            Grant::encrypting(
                &["redshift-serverless", "secretsmanager"],
                "managed_password_kms_key",
            ),
        ],
        delete: &[
            Grant::of(
                &["redshift-serverless:DeleteNamespace"],
                &["redshift-serverless:{region}:{account}:namespace/*"],
            )
            .when(When::Owned),
            Grant::of(
                &["redshift-serverless:CreateSnapshot"],
                &["redshift-serverless:{region}:{account}:namespace/*"],
            )
            .when(When::Owned),
            Grant::of(
                &["secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret"],
                &["secretsmanager:{region}:{account}:secret:redshift!*"],
            )
            .given("managed_password"),
        ],
        foreseen: &[("master_secret_arn", "secretsmanager:{region}:{account}:secret:redshift!*")],
        ..Access::NONE
    };
    const HOLDS: Option<&'static str> = Some("a warehouse");
    const ON_DESTROY: &'static [OnDestroy] =
        &[OnDestroy::Delete, OnDestroy::Retain, OnDestroy::Snapshot];
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Snapshot);
    const TAKES: Takes = Takes::seconds(30, 60);

    /// The list has no tags, so each namespace of ours is asked for its own.
    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let client = &aws.redshift_serverless;
        let mut namespaces = Vec::new();
        if let [one] = wanted {
            let reply = absent(client.get_namespace().namespace_name(&one.name).send().await)?;
            namespaces.extend(reply.and_then(|reply| reply.namespace));
        } else {
            let mut pages = client.list_namespaces().into_paginator().send();
            while let Some(page) = pages.next().await {
                namespaces.extend(page?.namespaces);
            }
        }
        namespaces
            .retain(|one| wanted.iter().any(|w| Some(w.name.as_str()) == one.namespace_name()));
        let found = try_join_all(namespaces.iter().map(|one| live(aws, one))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// ARNs hold ids, not names, so all namespaces are listed, and a read tells whose they are.
    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        if aws.swept("redshift-serverless", "namespace/").await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut pages = aws.redshift_serverless.list_namespaces().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            names.extend(page?.namespaces.into_iter().filter_map(|one| one.namespace_name));
        }
        Ok(names)
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let mut pages = aws.redshift_serverless.list_namespaces().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            names.extend(page?.namespaces.into_iter().filter_map(|one| one.namespace_name));
        }
        Ok(names)
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let key = self.managed_password_kms_key.as_deref().map(str::to_owned);
        let call = cx.redshift_serverless.create_namespace().namespace_name(cx.name);
        let call = call
            .set_db_name(self.database.as_ref().map(|name| name.0.clone()))
            .set_admin_username(self.username.clone())
            .set_iam_roles(self.role_arns())
            .set_default_iam_role_arn(self.default_iam_role.as_deref().map(str::to_owned))
            .set_kms_key_id(self.kms_key.as_deref().map(str::to_owned))
            .set_log_exports(self.logs())
            .set_tags(Some(tags::to_aws(&self.tags)?));
        let call = if self.managed_password {
            call.manage_admin_password(true).set_admin_password_secret_kms_key_id(key)
        } else {
            call.set_admin_user_password(
                Password::of(cx, self.password.as_deref()).await?.for_call(),
            )
        };
        call.send().await?;
        Ok(())
    }

    /// One concern at a time: AWS refuses some together, and the next while it is at the last.
    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.arn.as_deref().unwrap_or_default();
        tags::update(cx, arn, &self.tags, &live.tags).await?;
        let call = cx.redshift_serverless.update_namespace();
        let roles = self.iam_roles.differs(&live.iam_roles);
        let call = if self.is_password_changed(live, cx) {
            self.with_password(live, call, cx).await?
        } else if roles || self.default_iam_role.differs(&live.default_iam_role) {
            // AWS wants to hear all roles whenever the default one changes.
            call.set_iam_roles(self.role_arns().or_else(|| live.role_arns()))
                .set_default_iam_role_arn(self.default_iam_role.as_deref().map(str::to_owned))
        } else if self.log_exports.differs(&live.log_exports) {
            call.set_log_exports(self.logs())
        } else if self.kms_key.differs(&live.kms_key) {
            call.set_kms_key_id(self.kms_key.as_deref().map(str::to_owned))
        } else {
            call
        };
        if call.as_input() != cx.redshift_serverless.update_namespace().as_input() {
            call.namespace_name(cx.name).send().await?;
        }
        Ok(())
    }

    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let call = cx.redshift_serverless.delete_namespace().namespace_name(cx.name);
        let keeps = farewell.on_destroy != Some(OnDestroy::Delete);
        let snapshot = keeps.then(|| farewell.snapshot.clone());
        gone_is_fine(call.set_final_snapshot_name(snapshot).send().await)
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        self.managed_password_kms_key = None;
        leave_out(&mut self.kms_key, KmsKeyArn("AWS_OWNED_KMS_KEY".to_owned()));
    }

    fn phase(&self) -> Phase {
        match self.status.as_deref() {
            Some("AVAILABLE") => Phase::Ready,
            status => Phase::Pending(status.unwrap_or("unknown").to_lowercase()),
        }
    }

    fn accept(&mut self, live: &Self) {
        fold_key(&mut self.kms_key, &live.kms_key);
        fold_key(&mut self.managed_password_kms_key, &live.managed_password_kms_key);
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        if self.managed_password == self.password.is_some() {
            wrong.push((
                "password",
                "give the admin's password one source: `managed_password: true`, or `password: { env: NAME }` or `{ secret: NAME }`",
            ));
        }
        if self.managed_password_kms_key.is_some() && !self.managed_password {
            wrong.push(("managed_password_kms_key", "this is for `managed_password: true` only"));
        }
        if let (Some(default), Some(roles)) = (&self.default_iam_role, &self.iam_roles)
            && !roles.contains(default)
        {
            wrong.push(("default_iam_role", "the default role must be one of `iam_roles`"));
        }
        wrong.into_iter().map(|(path, words)| (path.to_owned(), words.to_owned())).collect()
    }

    fn undecided(&self, live: &Self, _root: &Path) -> Option<String> {
        (self.username.differs(&live.username) && self.managed_password).then(|| {
            "AWS changes the admin's name only together with a password: apply once with a \
             `password` of your own, then with `managed_password: true`"
                .to_owned()
        })
    }

    async fn data(&self, _cx: &Cx<'_>) -> Result<Option<String>, Error> {
        let database = self.database.as_ref().map_or("dev", |name| name.as_str());
        Ok(Some(format!("the database {database} and all others of the namespace")))
    }
}

impl RedshiftServerlessNamespace {
    fn role_arns(&self) -> Option<Vec<String>> {
        self.iam_roles.as_ref().map(|roles| roles.iter().map(|role| role.0.clone()).collect())
    }

    fn logs(&self) -> Option<Vec<AwsLogExport>> {
        self.log_exports.as_ref().map(|logs| logs.iter().map(|log| log.to_aws()).collect())
    }

    fn is_password_changed(&self, live: &Self, cx: &Cx<'_>) -> bool {
        cx.rotate
            || self.managed_password != live.managed_password
            || self.managed_password_kms_key.differs(&live.managed_password_kms_key)
            || self.username.differs(&live.username)
    }

    /// Switching between a managed password and one's own, renaming the admin, rotating on order.
    async fn with_password(
        &self,
        live: &Self,
        call: UpdateNamespaceFluentBuilder,
        cx: &Cx<'_>,
    ) -> Result<UpdateNamespaceFluentBuilder, Error> {
        let key = self.managed_password_kms_key.as_deref().map(str::to_owned);
        if !self.managed_password {
            let managed = live.managed_password.then_some(false);
            let renamed = self.username.clone().filter(|_| self.username.differs(&live.username));
            return Ok(call
                .set_manage_admin_password(managed)
                .set_admin_username(renamed)
                .set_admin_user_password(
                    Password::of(cx, self.password.as_deref()).await?.for_call(),
                ));
        }
        if !live.managed_password {
            return Ok(call.manage_admin_password(true).set_admin_password_secret_kms_key_id(key));
        }
        if cx.rotate
            && let Some(secret) = live.master_secret_arn.as_deref()
        {
            cx.secrets.rotate_secret().secret_id(secret).send().await?;
        }
        let differs = self.managed_password_kms_key.differs(&live.managed_password_kms_key);
        Ok(call.set_admin_password_secret_kms_key_id(key.filter(|_| differs)))
    }
}

async fn live(
    aws: &Aws,
    namespace: &Namespace,
) -> Result<Option<Found<RedshiftServerlessNamespace>>, Error> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let arn = namespace.namespace_arn().unwrap_or_default();
    let Some(tags) = absent(tags::read(aws, arn).await)? else { return Ok(None) };
    let fields = RedshiftServerlessNamespace {
        database: text(namespace.db_name()).map(Into::into),
        username: text(namespace.admin_username()),
        managed_password: namespace.admin_password_secret_arn().is_some(),
        managed_password_kms_key: namespace.admin_password_secret_kms_key_id().map(KmsKeyArn::from),
        password: None,
        iam_roles: Some(namespace.iam_roles().iter().map(|role| role_arn(role)).collect()),
        default_iam_role: namespace
            .default_iam_role_arn()
            .filter(|role| !role.is_empty())
            .map(role_arn),
        kms_key: namespace.kms_key_id().map(KmsKeyArn::from),
        log_exports: Some(namespace.log_exports().iter().filter_map(LogExport::from_aws).collect()),
        tags,
        master_secret_arn: text(namespace.admin_password_secret_arn()).into(),
        arn: arn.to_owned().into(),
        id: text(namespace.namespace_id()).into(),
        status: namespace.status().map(|status| status.as_str().to_owned()).into(),
    };
    Ok(Some(Found { name: namespace.namespace_name().unwrap_or_default().to_owned(), fields }))
}

/// AWS shows a role as its ARN, or as `IamRole(applyStatus=in-sync, iamRoleArn=ARN)`.
fn role_arn(shown: &str) -> RoleArn {
    let arn = shown.split_once("iamRoleArn=").map_or(shown, |(_, rest)| rest);
    RoleArn::from(arn.split([',', ')']).next().unwrap_or(arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_come_in_two_forms() {
        let arn = "arn:aws:iam::123456789012:role/copy";
        assert_eq!(role_arn(arn).0, arn);
        assert_eq!(role_arn(&format!("IamRole(applyStatus=in-sync, iamRoleArn={arn})")).0, arn);
    }
}
