"""EKS: clusters, their versions, and what lives in them."""

import json

from support import SandboxTest, client

VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


def trust(service):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Eks(SandboxTest):
    def setUp(self):
        super().setUp()
        self.eks, self.ec2 = client("eks"), client("ec2")
        subnets = self.ec2.describe_subnets()["Subnets"]
        self.subnets = [subnet["SubnetId"] for subnet in subnets][:3]

    def role(self, name, service):
        made = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))
        return made["Role"]["Arn"]

    def request(self, **more):
        return {
            "name": "lake",
            "roleArn": self.role("control", "eks"),
            "resourcesVpcConfig": {"subnetIds": self.subnets},
            "version": "1.33",
            "tags": {"lagoa:stack": "demo"},
            **more,
        }

    def describe(self):
        return self.eks.describe_cluster(name="lake")["cluster"]

    def active(self):
        return self.eventually(lambda: self.describe()["status"] == "ACTIVE" and self.describe())

    def cluster(self, **more):
        self.eks.create_cluster(**self.request(**more))
        return self.active()

    def nodes(self, **more):
        request = {
            "clusterName": "lake",
            "nodegroupName": "workers",
            "nodeRole": self.role("nodes", "ec2"),
            "subnets": self.subnets,
            "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 2},
            **more,
        }
        self.eks.create_nodegroup(**request)
        return self.nodes_active()

    def nodes_active(self):
        def now():
            asked = {"clusterName": "lake", "nodegroupName": "workers"}
            group = self.eks.describe_nodegroup(**asked)["nodegroup"]
            return group["status"] == "ACTIVE" and group

        return self.eventually(now)

    def test_a_cluster_comes_with_defaults(self):
        made = self.eks.create_cluster(**self.request())["cluster"]
        self.assertEqual(made["status"], "CREATING")
        self.assertNotIn("endpoint", made)
        cluster = self.active()
        network = cluster["resourcesVpcConfig"]
        self.assertEqual(network["publicAccessCidrs"], ["0.0.0.0/0"])
        self.assertFalse(network["endpointPrivateAccess"])
        self.assertEqual(cluster["accessConfig"]["authenticationMode"], "CONFIG_MAP")
        self.assertEqual(cluster["upgradePolicy"], {"supportType": "EXTENDED"})
        self.assertFalse(any(one["enabled"] for one in cluster["logging"]["clusterLogging"]))
        self.assertTrue(cluster["identity"]["oidc"]["issuer"].startswith("https://oidc.eks."))
        group = network["clusterSecurityGroupId"]
        self.ec2.describe_security_groups(GroupIds=[group])
        self.eks.delete_cluster(name="lake")
        self.eventually(lambda: self.eks.list_clusters()["clusters"] == [])
        self.assertRefused(
            "InvalidGroup.NotFound", self.ec2.describe_security_groups, GroupIds=[group]
        )

    def test_what_eks_refuses(self):
        request = self.request()
        for message, more in (
            ("does not exist", {"resourcesVpcConfig": {"subnetIds": ["subnet-1", "subnet-2"]}}),
            ("different AZs", {"resourcesVpcConfig": {"subnetIds": self.subnets[:1]}}),
            ("unsupported Kubernetes version", {"version": "1.21"}),
            ("trusted entity", {"roleArn": "arn:aws:iam::123456789012:role/nobody"}),
        ):
            refused = {**request, **more}
            said = self.assertRefused(
                "InvalidParameterException", self.eks.create_cluster, **refused
            )
            self.assertIn(message, said)
        self.eks.create_cluster(**request)
        said = self.assertRefused("ResourceInUseException", self.eks.create_cluster, **request)
        self.assertIn("already exists", said)
        self.assertRefused("ResourceNotFoundException", self.eks.describe_cluster, name="other")

    def test_versions_go_up_one_by_one(self):
        self.cluster(version="1.31")
        group = self.nodes()
        self.assertEqual(group["version"], "1.31")
        update = self.eks.update_cluster_version
        self.assertRefused("InvalidParameterException", update, name="lake", version="1.33")
        self.assertRefused("InvalidParameterException", update, name="lake", version="1.30")
        for version in ("1.32", "1.33", "1.34"):
            id_ = update(name="lake", version=version)["update"]["id"]
            self.assertRefused("ResourceInUseException", update, name="lake", version=version)
            self.assertEqual(self.describe()["status"], "UPDATING")
            self.assertEqual(self.active()["version"], version)
            self.assertEqual(
                self.eks.describe_update(name="lake", updateId=id_)["update"]["status"],
                "Successful",
            )
        said = self.assertRefused("InvalidRequestException", update, name="lake", version="1.35")
        self.assertIn("Kubelet", said)
        asked = {"clusterName": "lake", "nodegroupName": "workers"}
        move = self.eks.update_nodegroup_version
        self.assertRefused("InvalidParameterException", move, **asked, version="1.35")
        id_ = move(**asked, version="1.34")["update"]["id"]
        self.assertEqual(self.nodes_active()["version"], "1.34")
        of_nodes = {"name": "lake", "nodegroupName": "workers"}
        self.assertEqual(self.eks.list_updates(**of_nodes)["updateIds"], [id_])
        self.assertNotIn(id_, self.eks.list_updates(name="lake")["updateIds"])
        described = self.eks.describe_update(**of_nodes, updateId=id_)["update"]
        self.assertEqual(described["status"], "Successful")
        self.assertRefused(
            "ResourceNotFoundException", self.eks.describe_update, name="lake", updateId=id_
        )
        self.assertRefused("InvalidParameterException", move, **asked, version="1.33")

    def test_one_kind_of_change_at_a_time(self):
        self.cluster()
        update = self.eks.update_cluster_config
        logging = {"clusterLogging": [{"types": ["audit"], "enabled": True}]}
        standard = {"supportType": "STANDARD"}
        self.assertRefused(
            "InvalidParameterException",
            update,
            name="lake",
            logging=logging,
            upgradePolicy=standard,
        )
        update(name="lake", logging=logging)
        self.assertRefused("ResourceInUseException", update, name="lake", upgradePolicy=standard)
        on = [one for one in self.active()["logging"]["clusterLogging"] if one["enabled"]]
        self.assertEqual(on[0]["types"], ["audit"])
        said = self.assertRefused("InvalidParameterException", update, name="lake", logging=logging)
        self.assertIn("No changes needed", said)
        both = {"authenticationMode": "API_AND_CONFIG_MAP"}
        only = {"authenticationMode": "API"}
        self.assertRefused("InvalidParameterException", update, name="lake", accessConfig=only)
        for mode in (both, only):
            update(name="lake", accessConfig=mode)
            self.active()
        self.assertRefused("InvalidParameterException", update, name="lake", accessConfig=both)
        update(name="lake", resourcesVpcConfig={"publicAccessCidrs": ["203.0.113.7/32"]})
        cidrs = self.active()["resourcesVpcConfig"]["publicAccessCidrs"]
        self.assertEqual(cidrs, ["203.0.113.7/32"])

    def test_a_cluster_with_nodes_stays(self):
        self.cluster(deletionProtection=True)
        self.nodes()
        delete = self.eks.delete_cluster
        self.assertRefused("InvalidRequestException", delete, name="lake")
        self.eks.update_cluster_config(name="lake", deletionProtection=False)
        self.active()
        said = self.assertRefused("ResourceInUseException", delete, name="lake")
        self.assertIn("nodegroups attached", said)
        self.eks.delete_nodegroup(clusterName="lake", nodegroupName="workers")
        self.eventually(lambda: not self.eks.list_nodegroups(clusterName="lake")["nodegroups"])
        delete(name="lake")
        self.assertEqual(self.describe()["status"], "DELETING")
        self.eventually(lambda: self.eks.list_clusters()["clusters"] == [])

    def test_node_groups_change(self):
        self.cluster()
        taint = {"key": "a", "value": "1", "effect": "NO_SCHEDULE"}
        self.nodes(labels={"a": "1", "b": "2"}, taints=[taint])
        asked = {"clusterName": "lake", "nodegroupName": "workers"}
        self.eks.update_nodegroup_config(
            **asked,
            labels={"addOrUpdateLabels": {"a": "3"}, "removeLabels": ["b"]},
            taints={"addOrUpdateTaints": [{**taint, "value": "2"}]},
            scalingConfig={"minSize": 2, "maxSize": 4, "desiredSize": 3},
        )
        group = self.nodes_active()
        self.assertEqual(group["labels"], {"a": "3"})
        self.assertEqual(group["taints"], [{**taint, "value": "2"}])
        self.assertEqual(group["scalingConfig"]["desiredSize"], 3)

    def test_addons(self):
        self.cluster()
        asked = {"clusterName": "lake", "addonName": "coredns"}
        create = self.eks.create_addon
        refused = {**asked, "addonName": "cordns"}
        self.assertRefused("InvalidParameterException", create, **refused)
        create(**asked, configurationValues='{"replicaCount": 2}', tags={"a": "1"})
        self.assertRefused("ResourceInUseException", create, **asked)

        def describe():
            return self.eks.describe_addon(**asked)["addon"]

        self.assertEqual(self.eventually(lambda: describe()["status"] != "CREATING"), True)
        self.assertEqual(describe()["status"], "DEGRADED")
        self.nodes()
        self.assertEqual(describe()["status"], "ACTIVE")
        self.eks.update_addon(**asked, addonVersion="v1.11.4-eksbuild.2")
        self.eventually(lambda: describe()["addonVersion"] == "v1.11.4-eksbuild.2")
        self.assertNotIn("configurationValues", describe())
        self.eks.delete_addon(**asked)
        self.eventually(lambda: not self.eks.list_addons(clusterName="lake")["addons"])

    def test_access_entries(self):
        people = self.role("people", "ec2")
        self.cluster()
        asked = {"clusterName": "lake", "principalArn": people}
        create = self.eks.create_access_entry
        self.assertRefused("InvalidRequestException", create, **asked)
        both = {"authenticationMode": "API_AND_CONFIG_MAP"}
        self.eks.update_cluster_config(name="lake", accessConfig=both)
        self.active()
        nobody = {**asked, "principalArn": people + "x"}
        self.assertRefused("InvalidParameterException", create, **nobody)
        create(**asked, kubernetesGroups=["readers"], tags={"lagoa:stack": "demo"})
        self.assertRefused("ResourceInUseException", create, **asked)
        entry = self.eks.describe_access_entry(**asked)["accessEntry"]
        self.assertEqual(entry["type"], "STANDARD")
        self.assertTrue(entry["username"].endswith("/people/{{SessionName}}"))
        scope = {"type": "namespace", "namespaces": ["processing"]}
        self.eks.associate_access_policy(**asked, policyArn=VIEW, accessScope=scope)
        listed = self.eks.list_associated_access_policies(**asked)["associatedAccessPolicies"]
        self.assertEqual(listed[0]["accessScope"], scope)
        self.eks.disassociate_access_policy(**asked, policyArn=VIEW)
        self.eks.update_access_entry(**asked, kubernetesGroups=[])
        self.assertEqual(
            self.eks.list_access_entries(clusterName="lake")["accessEntries"], [people]
        )
        self.eks.delete_access_entry(**asked)
        self.assertRefused("ResourceNotFoundException", self.eks.describe_access_entry, **asked)

    def test_the_roles_of_pods(self):
        self.cluster()
        role = self.role("spark", "pods.eks")
        asked = {"clusterName": "lake", "namespace": "processing", "serviceAccount": "spark"}
        create = self.eks.create_pod_identity_association
        made = create(**asked, roleArn=role, tags={"a": "1"})["association"]
        said = self.assertRefused("ResourceInUseException", create, **asked, roleArn=role)
        self.assertIn("already exists", said)
        listed = self.eks.list_pod_identity_associations(clusterName="lake")["associations"]
        self.assertNotIn("tags", listed[0])
        id_ = {"clusterName": "lake", "associationId": made["associationId"]}
        described = self.eks.describe_pod_identity_association(**id_)["association"]
        self.assertEqual(described["tags"], {"a": "1"})
        self.eks.delete_pod_identity_association(**id_)
        self.assertEqual(
            self.eks.list_pod_identity_associations(clusterName="lake")["associations"], []
        )

    def test_tags_are_found(self):
        arn = self.cluster()["arn"]
        self.nodes(tags={"lagoa:stack": "demo"})
        self.eks.tag_resource(resourceArn=arn, tags={"b": "2"})
        self.eks.untag_resource(resourceArn=arn, tagKeys=["b"])
        tags = self.eks.list_tags_for_resource(resourceArn=arn)["tags"]
        self.assertEqual(tags, {"lagoa:stack": "demo"})
        filters = [{"Key": "lagoa:stack", "Values": ["demo"]}]
        found = client("resourcegroupstaggingapi").get_resources(TagFilters=filters)
        arns = [one["ResourceARN"] for one in found["ResourceTagMappingList"]]
        self.assertIn(arn, arns)
        self.assertTrue(any(":nodegroup/lake/workers/" in arn for arn in arns))
