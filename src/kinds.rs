//! The kinds, one file each. Adding one touches its file and the list below.

use crate::kind::{AnyKind, Registered};

macro_rules! kinds {
    ($($module:ident :: $kind:ident),+ $(,)?) => {
        $(pub mod $module;)+

        thread_local! {
            static ALL: &'static [&'static dyn AnyKind] = Box::leak(Box::new([
                $(Box::leak(Box::new(Registered::<$module::$kind>::new(stringify!($module)))) as &'static dyn AnyKind,)+
            ]));
        }
    };
}

kinds! {
    ec2_key_pair::Ec2KeyPair,
    ec2_security_group::Ec2SecurityGroup,
    iam_group::IamGroup,
    iam_policy::IamPolicy,
    iam_role::IamRole,
    iam_user::IamUser,
    mysql_seed::MysqlSeed,
    postgres_seed::PostgresSeed,
    rds_instance::RdsInstance,
    rds_parameter_group::RdsParameterGroup,
    rds_subnet_group::RdsSubnetGroup,
    redshift_cluster::RedshiftCluster,
    redshift_parameter_group::RedshiftParameterGroup,
    redshift_seed::RedshiftSeed,
    redshift_serverless_namespace::RedshiftServerlessNamespace,
    redshift_serverless_workgroup::RedshiftServerlessWorkgroup,
    redshift_subnet_group::RedshiftSubnetGroup,
    s3_bucket::S3Bucket,
    secretsmanager_secret::SecretsmanagerSecret,
}

/// Every kind, in the order of the list.
pub fn all() -> &'static [&'static dyn AnyKind] {
    ALL.with(|all| *all)
}

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static dyn AnyKind> {
    all().iter().copied().find(|kind| kind.facts().name == name)
}
