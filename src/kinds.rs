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
    emr_cluster::EmrCluster,
    emr_security_configuration::EmrSecurityConfiguration,
    emr_serverless_application::EmrServerlessApplication,
    emr_step::EmrStep,
    iam_group::IamGroup,
    iam_policy::IamPolicy,
    iam_role::IamRole,
    iam_user::IamUser,
    mysql_seed::MysqlSeed,
    postgres_seed::PostgresSeed,
    rds_instance::RdsInstance,
    rds_parameter_group::RdsParameterGroup,
    rds_subnet_group::RdsSubnetGroup,
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
