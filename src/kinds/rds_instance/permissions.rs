//! What IAM has to allow for a database server.

use crate::kind::{Access, Grant};

/// What an instance is made with; RDS has defaults of its own.
const AROUND: &[&str] = &[
    "rds:{region}:{account}:og:{option_group|default*}",
    "rds:{region}:{account}:pg:{parameter_group|default*}",
    "rds:{region}:{account}:subgrp:{subnet_group|default*}",
];

/// What its calls need.
pub(super) const ACCESS: Access = Access {
    read: &[
        Grant::of(&["rds:DescribeDBInstances"], &["rds:{region}:{account}:db:*"]),
        // Seeds leave their marks among its tags.
        Grant::of(&["rds:ListTagsForResource"], &["rds:{region}:{account}:db:{name}"]),
    ],
    write: &[
        Grant::of(
            &[
                "rds:AddTagsToResource",
                "rds:CreateDBInstance",
                "rds:ModifyDBInstance",
                "rds:RebootDBInstance",
                "rds:RemoveTagsFromResource",
            ],
            &["rds:{region}:{account}:db:{name}"],
        ),
        Grant::of(&["rds:CreateDBInstance", "rds:ModifyDBInstance"], AROUND),
        Grant::of(
            &["rds:RestoreDBInstanceFromDBSnapshot"],
            &["rds:{region}:{account}:db:{name}", "rds:{region}:{account}:snapshot:{snapshot}"],
        )
        .given("snapshot"),
        Grant::of(&["rds:RestoreDBInstanceFromDBSnapshot"], AROUND).given("snapshot"),
        Grant::linking(&["rds.amazonaws.com"]),
        Grant::passing(
            &["iam::{account}:role/{monitoring_role}"],
            &["monitoring.rds.amazonaws.com"],
        ),
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
        Grant::encrypting(&["rds"], "performance_insights_kms_key"),
    ],
    delete: &[
        Grant::of(
            &["rds:DeleteDBInstance", "rds:ModifyDBInstance"],
            &["rds:{region}:{account}:db:{name}"],
        ),
        Grant::of(
            &["rds:AddTagsToResource", "rds:CreateDBSnapshot"],
            &["rds:{region}:{account}:db:{name}", "rds:{region}:{account}:snapshot:{name}-final-*"],
        ),
    ],
    foreseen: &[("master_secret_arn", "secretsmanager:{region}:{account}:secret:rds!*")],
    ..Access::NONE
};
