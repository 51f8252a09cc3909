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
    dms_certificate::DmsCertificate,
    dms_endpoint::DmsEndpoint,
    dms_replication_instance::DmsReplicationInstance,
    dms_replication_task::DmsReplicationTask,
    dms_subnet_group::DmsSubnetGroup,
    ec2_eip::Ec2Eip,
    ec2_internet_gateway::Ec2InternetGateway,
    ec2_key_pair::Ec2KeyPair,
    ec2_nat_gateway::Ec2NatGateway,
    ec2_route_table::Ec2RouteTable,
    ec2_security_group::Ec2SecurityGroup,
    ec2_subnet::Ec2Subnet,
    ec2_vpc::Ec2Vpc,
    ec2_vpc_endpoint::Ec2VpcEndpoint,
    eks_access_entry::EksAccessEntry,
    eks_addon::EksAddon,
    eks_cluster::EksCluster,
    eks_nodegroup::EksNodegroup,
    eks_pod_identity::EksPodIdentity,
    emr_cluster::EmrCluster,
    emr_security_configuration::EmrSecurityConfiguration,
    emr_serverless_application::EmrServerlessApplication,
    emr_step::EmrStep,
    iam_group::IamGroup,
    iam_oidc_provider::IamOidcProvider,
    iam_policy::IamPolicy,
    iam_role::IamRole,
    iam_user::IamUser,
    kms_key::KmsKey,
    logs_group::LogsGroup,
    mysql_seed::MysqlSeed,
    postgres_seed::PostgresSeed,
    rds_cluster::RdsCluster,
    rds_cluster_instance::RdsClusterInstance,
    rds_cluster_parameter_group::RdsClusterParameterGroup,
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
    ssm_parameter::SsmParameter,
}

/// Every kind, in the order of the list.
pub fn all() -> &'static [&'static dyn AnyKind] {
    ALL.with(|all| *all)
}

pub mod network;

thread_local! {
    static SHORTHANDS: &'static [&'static dyn AnyKind] = Box::leak(Box::new([
        Box::leak(Box::new(Registered::<network::Network>::new("network"))) as &'static dyn AnyKind,
    ]));
}

/// Words that a stack may use as kinds, and that stand for several resources.
pub fn shorthands() -> &'static [&'static dyn AnyKind] {
    SHORTHANDS.with(|all| *all)
}

/// Everything that may be written under `kind`: the kinds and the shorthands.
pub fn written() -> Vec<&'static dyn AnyKind> {
    all().iter().chain(shorthands()).copied().collect()
}

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static dyn AnyKind> {
    all().iter().copied().find(|kind| kind.facts().name == name)
}
