//! The types that say how a field behaves.
//!
//! | type | left out means | compared | a change means |
//! |---|---|---|---|
//! | `T` | error | yes | update |
//! | `#[serde(default)] T` | put back to the default | yes | update |
//! | `Option<T>` | left as AWS has it | when given | update |
//! | `Immutable<T>` | as `T` | as `T` | replace |
//! | `Computed<T>` | may not be set; others may refer to it | no | nothing |
//! | `Derived<T>` | may not be set; follows from other fields | yes | update |
//! | `WriteOnly<T>` | as `T` | no | sent at creation, later with `--rotate` |
//! | `BTreeSet`, `BTreeMap` | | order never matters | update |
//!
//! A struct that AWS keeps as one piece (a lifecycle rule) carries
//! `#[schemars(extend("x-whole" = true))]`: an `Option` in it that is left out isn't there, and
//! taking it out of the stack is a change. A field that refers to a kind and takes words of its own
//! beside keys (`self`) lists them in `x-words`. One that takes several kinds lists each in
//! `x-refers`, with the field of that kind that is meant.
//!
//! Each puts its mark into the JSON Schema by itself, and the generic diff reads the schema.

mod database;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy;
pub use database::{Connection, Database, Tls, Warehouse, WarehouseOf};

macro_rules! wrapper {
    ($(#[$doc:meta])* $name:ident, $($keyword:literal),+) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name<T>(pub T);

        impl<T> Deref for $name<T> {
            type Target = T;
            fn deref(&self) -> &T { &self.0 }
        }

        impl<T> DerefMut for $name<T> {
            fn deref_mut(&mut self) -> &mut T { &mut self.0 }
        }

        impl<T> From<T> for $name<T> {
            fn from(value: T) -> Self { Self(value) }
        }

        impl<T: JsonSchema> JsonSchema for $name<T> {
            fn inline_schema() -> bool { true }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                format!(concat!(stringify!($name), "<{}>"), T::schema_name()).into()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let mut schema = T::json_schema(generator);
                $(schema.insert($keyword.into(), true.into());)+
                schema
            }
        }
    };
}

wrapper! {
    /// Fixed at creation: AWS has no call that changes it, so a change replaces the resource.
    /// An optional one is `Option<Immutable<T>>`.
    Immutable, "createOnly"
}
wrapper! {
    /// Can be sent but never read back, so it is never compared.
    WriteOnly, "writeOnly"
}

macro_rules! reported {
    ($(#[$doc:meta])* $name:ident, $($keyword:literal),+) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name<T>(pub Option<T>);

        impl<T> Default for $name<T> {
            fn default() -> Self { Self(None) }
        }

        impl<T> Deref for $name<T> {
            type Target = Option<T>;
            fn deref(&self) -> &Option<T> { &self.0 }
        }

        impl<T> DerefMut for $name<T> {
            fn deref_mut(&mut self) -> &mut Option<T> { &mut self.0 }
        }

        impl<T> From<T> for $name<T> {
            fn from(value: T) -> Self { Self(Some(value)) }
        }

        impl<T> From<Option<T>> for $name<T> {
            fn from(value: Option<T>) -> Self { Self(value) }
        }

        impl<T: JsonSchema> JsonSchema for $name<T> {
            fn inline_schema() -> bool { true }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                format!(concat!(stringify!($name), "<{}>"), T::schema_name()).into()
            }
            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let mut schema = T::json_schema(generator);
                $(schema.insert($keyword.into(), true.into());)+
                schema
            }
        }
    };
}

reported! {
    /// What only AWS knows. Give it `#[serde(default)]`.
    Computed, "readOnly"
}
reported! {
    /// Worked out by the kind from other fields (a digest of files); compared, but never written
    /// by the user. Give it `#[serde(default)]`.
    Derived, "readOnly", "x-derived"
}

/// The tags of a resource, the stack's own included.
/// Live tags that start with `aws:` or `lagoa:` and that nobody asked for are not a difference,
/// except for words that the stack doesn't say any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(pub BTreeMap<String, String>);

/// Whether a tag key belongs to AWS or to lagoa rather than to the user.
pub fn reserved_tag(key: &str) -> bool {
    key.starts_with("aws:") || key.starts_with("lagoa:")
}

/// The tags that keep a resource's words for when it has left the stack file.
pub const WORD_TAGS: [&str; 2] = ["lagoa:protect", "lagoa:on_destroy"];

/// Whether a live tag that the stack doesn't want stays where it is: AWS's, or a note of lagoa's. A
/// word that was taken out of the stack doesn't: nobody says it any more.
pub fn lasting_tag(key: &str) -> bool {
    reserved_tag(key) && !WORD_TAGS.contains(&key)
}

impl Tags {
    /// Tags to set, and keys to remove, to turn `live` into this.
    pub fn change_from(&self, live: &Tags) -> (BTreeMap<String, String>, Vec<String>) {
        let set = self.0.iter().filter(|(key, value)| live.0.get(*key) != Some(value));
        let remove = live.0.keys().filter(|key| !self.0.contains_key(*key) && !lasting_tag(key));
        (set.map(|(k, v)| (k.clone(), v.clone())).collect(), remove.cloned().collect())
    }
}

impl Deref for Tags {
    type Target = BTreeMap<String, String>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromIterator<(String, String)> for Tags {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl JsonSchema for Tags {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tags".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": { "type": "string", "maxLength": 256 },
            "propertyNames": { "maxLength": 128 },
            "x-tags": true,
        })
    }
}

/// An IAM policy document: a path to a JSON or YAML file beside the stack, or the document itself.
/// Compared as IAM understands it, not as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy(pub Value);

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        policy::equivalent(&self.0, &other.0)
    }
}

impl Policy {
    /// Reads a document as AWS returns it: JSON text, percent-encoded by IAM.
    pub fn from_aws(text: &str) -> Self {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
        let value = serde_json::from_str(text).or_else(|_| serde_json::from_str(&decoded));
        Self(value.unwrap_or_else(|_| Value::String(text.to_owned())))
    }

    /// The document as the APIs take it.
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

impl JsonSchema for Policy {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Policy".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "object"], "x-policy": true, "x-file": "document" })
    }
}

/// Where a secret value is fetched from at the moment of the call that needs it.
/// The value itself never stands in a stack file, a plan, a tag or a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SecretSource {
    /// A Secrets Manager secret, by name or ARN; `key` takes one member of a JSON secret.
    Secret {
        secret: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// A parameter of Systems Manager, by name; `key` takes one member of a JSON value.
    Parameter {
        parameter: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// An environment variable of the machine that applies; written `${env.NAME}`.
    Env { env: String },
}

impl JsonSchema for SecretSource {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretSource".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "secret": {
                    "type": "string",
                    "description": "Name or ARN of a Secrets Manager secret.",
                    "x-refers": { "kind": "secretsmanager_secret", "field": "arn" },
                },
                "parameter": {
                    "type": "string",
                    "description": "Name of a parameter of Systems Manager.",
                    "x-refers": { "kind": "ssm_parameter", "field": "name" },
                },
                "key": { "type": "string", "description": "The member to take when the secret is a JSON object." },
                "env": { "type": "string", "description": "Name of an environment variable; `${env.NAME}` means the same." },
            },
            "additionalProperties": false,
            "x-secret": true,
        })
    }
}

macro_rules! refers {
    ($($(#[$doc:meta])* $name:ident => $kind:literal . $field:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str { &self.0 }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self { Self(value.to_owned()) }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self { Self(value) }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "x-refers": { "kind": $kind, "field": $field },
                })
            }
        }
    )+};
}

refers! {
    /// An IAM role, by key or ARN.
    RoleArn => "iam_role"."arn",
    /// An IAM role, by key or name.
    RoleName => "iam_role"."name",
    /// A managed policy: the key of an `iam_policy`, an ARN, or the name of a policy of AWS's own.
    PolicyArn => "iam_policy"."arn",
    /// An IAM group, by key or name.
    GroupName => "iam_group"."name",
    /// An S3 bucket, by key or name.
    BucketName => "s3_bucket"."name",
    /// A security group, by key or id.
    SecurityGroupId => "ec2_security_group"."id",
    /// A database subnet group, by key or name.
    DbSubnetGroupName => "rds_subnet_group"."name",
    /// A database parameter group, by key or name.
    DbParameterGroupName => "rds_parameter_group"."name",
    /// A Secrets Manager secret, by key, name or ARN.
    SecretArn => "secretsmanager_secret"."arn",
    /// A KMS key, by key, id, ARN or alias.
    KmsKeyArn => "kms_key"."arn",
    /// A subnet, by key or id.
    SubnetId => "ec2_subnet"."id",
    /// A VPC, by key or id.
    VpcId => "ec2_vpc"."id",
    /// A route table, by key or id.
    RouteTableId => "ec2_route_table"."id",
    /// An internet gateway, by key or id.
    InternetGatewayId => "ec2_internet_gateway"."id",
    /// A NAT gateway, by key or id.
    NatGatewayId => "ec2_nat_gateway"."id",
    /// A key pair, by key or name.
    KeyPairName => "ec2_key_pair"."name",
    /// An instance profile: the key of an `iam_role` that has one, or a name.
    InstanceProfileName => "iam_role"."name",
    /// A database cluster, by key or name.
    DbClusterName => "rds_cluster"."name",
    /// A parameter group of database clusters, by key or name.
    DbClusterParameterGroupName => "rds_cluster_parameter_group"."name",
    /// A DMS subnet group, by key or name.
    DmsSubnetGroupName => "dms_subnet_group"."name",
    /// A DMS replication instance, by key or ARN.
    DmsReplicationInstanceArn => "dms_replication_instance"."arn",
    /// A DMS endpoint, by key or ARN.
    DmsEndpointArn => "dms_endpoint"."arn",
    /// A DMS certificate, by key or ARN.
    DmsCertificateArn => "dms_certificate"."arn",
    /// An EMR cluster, by key or id.
    EmrClusterId => "emr_cluster"."id",
    /// An EMR security configuration, by key or by its name in AWS.
    EmrSecurityConfigurationName => "emr_security_configuration"."marked_name",
    /// An EKS cluster, by key or name.
    EksClusterName => "eks_cluster"."name",
    /// A Redshift subnet group, by key or name.
    RedshiftSubnetGroupName => "redshift_subnet_group"."name",
    /// A Redshift parameter group, by key or name.
    RedshiftParameterGroupName => "redshift_parameter_group"."name",
    /// A Redshift cluster, by key or name.
    RedshiftClusterName => "redshift_cluster"."name",
    /// A Redshift Serverless namespace, by key or name.
    RedshiftNamespaceName => "redshift_serverless_namespace"."name",
    /// A Redshift Serverless workgroup, by key or name.
    RedshiftWorkgroupName => "redshift_serverless_workgroup"."name",
}

/// Files beside the stack, as paths or globs; lagoa expands a glob in lexical order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Files(pub Vec<String>);

impl JsonSchema for Files {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Files".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string" },
            "x-file": "paths",
        })
    }
}

/// Leaves a field out, for [`crate::kind::Kind::written`], whose value AWS starts with anyway.
pub fn leave_out<T: PartialEq>(field: &mut Option<T>, usual: T) {
    if field.as_ref() == Some(&usual) {
        *field = None;
    }
}

/// A value that differs: what an update has to send.
/// `None` on the desired side means "left as AWS has it".
pub trait Differs<T> {
    /// The desired value when it isn't what AWS has.
    fn differs(&self, live: &T) -> bool;
}

impl<T: PartialEq> Differs<Option<T>> for Option<T> {
    fn differs(&self, live: &Option<T>) -> bool {
        self.is_some() && self != live
    }
}

/// The desired value when it isn't what AWS has.
pub fn changed<T: Clone + PartialEq>(desired: &Option<T>, live: &Option<T>) -> Option<T> {
    if desired.differs(live) { desired.clone() } else { None }
}

/// Set difference in both directions: what to add to `live` and what to take away.
pub fn set_change<T: Ord + Clone>(desired: &BTreeSet<T>, live: &BTreeSet<T>) -> (Vec<T>, Vec<T>) {
    (desired.difference(live).cloned().collect(), live.difference(desired).cloned().collect())
}
