//! What IAM has to allow for a cluster.

use crate::kind::{ANY, Access, Grant, When};

pub const ACCESS: Access = Access {
    read: &[
        Grant::of(&["elasticmapreduce:ListClusters"], ANY),
        Grant::of(
            &[
                "elasticmapreduce:DescribeCluster",
                "elasticmapreduce:GetAutoTerminationPolicy",
                "elasticmapreduce:GetManagedScalingPolicy",
                "elasticmapreduce:ListBootstrapActions",
                "elasticmapreduce:ListInstanceFleets",
                "elasticmapreduce:ListInstanceGroups",
                "elasticmapreduce:ListInstances",
            ],
            &["elasticmapreduce:{region}:{account}:cluster/*"],
        ),
    ],
    write: &[
        Grant::of(&["elasticmapreduce:RunJobFlow"], ANY).when(When::Marked),
        Grant::of(
            &["elasticmapreduce:AddTags"],
            &["elasticmapreduce:{region}:{account}:cluster/*"],
        )
        .when(When::Marked),
        Grant::of(
            &[
                "elasticmapreduce:AddInstanceFleet",
                "elasticmapreduce:AddInstanceGroups",
                "elasticmapreduce:AddTags",
                "elasticmapreduce:ModifyCluster",
                "elasticmapreduce:ModifyInstanceFleet",
                "elasticmapreduce:ModifyInstanceGroups",
                "elasticmapreduce:PutAutoTerminationPolicy",
                "elasticmapreduce:PutManagedScalingPolicy",
                "elasticmapreduce:RemoveAutoTerminationPolicy",
                "elasticmapreduce:RemoveManagedScalingPolicy",
                "elasticmapreduce:RemoveTags",
                "elasticmapreduce:SetKeepJobFlowAliveWhenNoSteps",
                "elasticmapreduce:SetTerminationProtection",
                "elasticmapreduce:SetUnhealthyNodeReplacement",
                "elasticmapreduce:SetVisibleToAllUsers",
            ],
            &["elasticmapreduce:{region}:{account}:cluster/*"],
        )
        .when(When::Owned),
        Grant::passing(
            &["iam::{account}:role/{service_role}", "iam::{account}:role/*/{service_role}"],
            &["elasticmapreduce.amazonaws.com"],
        ),
        // The role in a profile has the profile's name where lagoa makes both.
        Grant::passing(
            &["iam::{account}:role/{instance_profile}", "iam::{account}:role/*/{instance_profile}"],
            &["ec2.amazonaws.com"],
        ),
        Grant::passing(
            &[
                "iam::{account}:role/{auto_scaling_role}",
                "iam::{account}:role/*/{auto_scaling_role}",
            ],
            &["application-autoscaling.amazonaws.com"],
        ),
        Grant::linking(&["elasticmapreduce.amazonaws.com"]),
    ],
    delete: &[Grant::of(
        &["elasticmapreduce:SetTerminationProtection", "elasticmapreduce:TerminateJobFlows"],
        &["elasticmapreduce:{region}:{account}:cluster/*"],
    )
    .when(When::Owned)],
    ..Access::NONE
};
