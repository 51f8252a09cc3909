//! What IAM has to allow for a cluster.

use crate::kind::{Access, Grant};

/// What a cluster is made with; RDS has defaults of its own.
const AROUND: &[&str] = &[
    "rds:{region}:{account}:cluster-pg:{parameter_group|default*}",
    "rds:{region}:{account}:og:default*",
    "rds:{region}:{account}:subgrp:{subnet_group|default*}",
];

pub const ACCESS: Access = Access {
    read: &[
        Grant::of(&["rds:DescribeDBClusters"], &["rds:{region}:{account}:cluster:*"]),
        // Seeds leave their marks among its tags.
        Grant::of(&["rds:ListTagsForResource"], &["rds:{region}:{account}:cluster:{name}"]),
    ],
    write: &[
        Grant::of(
            &[
                "rds:AddTagsToResource",
                "rds:CreateDBCluster",
                "rds:DisableHttpEndpoint",
                "rds:EnableHttpEndpoint",
                "rds:ModifyDBCluster",
                "rds:RemoveTagsFromResource",
            ],
            &["rds:{region}:{account}:cluster:{name}"],
        ),
        Grant::of(&["rds:CreateDBCluster", "rds:ModifyDBCluster"], AROUND),
        Grant::of(
            &["rds:RestoreDBClusterFromSnapshot"],
            &[
                "rds:{region}:{account}:cluster:{name}",
                "rds:{region}:{account}:cluster-snapshot:{snapshot}",
            ],
        )
        .given("snapshot"),
        Grant::of(&["rds:RestoreDBClusterFromSnapshot"], AROUND).given("snapshot"),
        Grant::linking(&["rds.amazonaws.com"]),
        Grant::of(
            &[
                "secretsmanager:CreateSecret",
                "secretsmanager:RotateSecret",
                "secretsmanager:TagResource",
            ],
            &["secretsmanager:{region}:{account}:secret:rds!*"],
        )
        .given("managed_password"),
        Grant::encrypting(&["rds"], "kms_key"),
        Grant::encrypting(&["rds", "secretsmanager"], "managed_password_kms_key"),
    ],
    delete: &[
        Grant::of(
            &["rds:DeleteDBCluster", "rds:ModifyDBCluster"],
            &["rds:{region}:{account}:cluster:{name}"],
        ),
        Grant::of(
            &["rds:AddTagsToResource", "rds:CreateDBClusterSnapshot", "rds:DeleteDBCluster"],
            &[
                "rds:{region}:{account}:cluster:{name}",
                "rds:{region}:{account}:cluster-snapshot:{name}-final-*",
            ],
        ),
    ],
    foreseen: &[("master_secret_arn", "secretsmanager:{region}:{account}:secret:rds!*")],
    ..Access::NONE
};
