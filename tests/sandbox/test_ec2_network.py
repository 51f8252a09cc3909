"""Networks: nothing goes while something stands in it."""

from support import SandboxTest, client


class Networks(SandboxTest):
    def setUp(self):
        super().setUp()
        self.ec2 = client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def subnet(self, cidr="10.0.0.0/24", zone="us-east-1a"):
        answer = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone)
        return answer["Subnet"]

    def internet(self):
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        return gateway

    def nat(self, subnet):
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        answer = self.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
        return answer["NatGateway"], address

    def state(self, nat):
        answer = self.ec2.describe_nat_gateways(NatGatewayIds=[nat])
        return answer["NatGateways"][0]["State"]

    def test_a_subnet_outside_the_default_vpc_is_no_default_one(self):
        subnet = self.subnet()
        self.assertFalse(subnet["DefaultForAz"])
        self.assertFalse(subnet["MapPublicIpOnLaunch"])

    def test_ranges_are_checked(self):
        self.subnet("10.0.0.0/24")
        create = self.ec2.create_subnet
        for cidr, code in (
            ("10.0.0.128/25", "InvalidSubnet.Conflict"),
            ("10.1.0.0/24", "InvalidSubnet.Range"),
            ("10.0.1.0/29", "InvalidSubnet.Range"),
        ):
            self.assertRefused(code, create, VpcId=self.vpc, CidrBlock=cidr)
        self.assertEqual(self.subnet("10.0.2.9/24")["CidrBlock"], "10.0.2.0/24")

    def test_names_need_the_name_server(self):
        modify = self.ec2.modify_vpc_attribute
        modify(VpcId=self.vpc, EnableDnsSupport={"Value": False})
        told = self.ec2.describe_vpc_attribute(VpcId=self.vpc, Attribute="enableDnsSupport")
        self.assertFalse(told["EnableDnsSupport"]["Value"])
        hostnames = {"Value": True}
        self.assertRefused(
            "InvalidParameterValue", modify, VpcId=self.vpc, EnableDnsHostnames=hostnames
        )

    def test_a_vpc_with_anything_in_it_stays(self):
        delete = self.ec2.delete_vpc
        gateway = self.internet()
        self.assertRefused("DependencyViolation", delete, VpcId=self.vpc)
        self.assertRefused(
            "DependencyViolation",
            self.ec2.delete_internet_gateway,
            InternetGatewayId=gateway,
        )
        self.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        group = self.ec2.create_security_group(GroupName="web", Description="web", VpcId=self.vpc)[
            "GroupId"
        ]
        self.assertRefused("DependencyViolation", delete, VpcId=self.vpc)
        self.ec2.delete_security_group(GroupId=group)
        delete(VpcId=self.vpc)

    def test_a_vpc_has_one_internet_gateway(self):
        self.internet()
        other = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.assertRefused(
            "InvalidParameterValue",
            self.ec2.attach_internet_gateway,
            InternetGatewayId=other,
            VpcId=self.vpc,
        )

    def test_a_subnet_follows_one_table(self):
        subnet = self.subnet()["SubnetId"]
        tables = [
            self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
            for _ in range(2)
        ]
        associate = self.ec2.associate_route_table
        made = associate(RouteTableId=tables[0], SubnetId=subnet)["AssociationId"]
        self.assertRefused(
            "Resource.AlreadyAssociated", associate, RouteTableId=tables[1], SubnetId=subnet
        )
        delete = self.ec2.delete_route_table
        self.assertRefused("DependencyViolation", delete, RouteTableId=tables[0])
        replace = self.ec2.replace_route_table_association
        replace(AssociationId=made, RouteTableId=tables[1])
        delete(RouteTableId=tables[0])
        self.ec2.delete_subnet(SubnetId=subnet)
        delete(RouteTableId=tables[1])

    def test_a_table_that_is_asked_for_twice_is_one(self):
        vpc = self.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        made = [
            self.ec2.create_route_table(VpcId=vpc, ClientToken=token)["RouteTable"]["RouteTableId"]
            for token in ("one", "one", "two")
        ]
        self.assertEqual(made[0], made[1])
        self.assertNotEqual(made[0], made[2])

    def test_a_main_table_stays(self):
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}]
        main = self.ec2.describe_route_tables(Filters=filters)["RouteTables"][0]
        self.assertRefused(
            "DependencyViolation",
            self.ec2.delete_route_table,
            RouteTableId=main["RouteTableId"],
        )

    def test_a_nat_gateway_takes_its_time(self):
        subnet, internet = self.subnet()["SubnetId"], self.internet()
        nat, address = self.nat(subnet)
        nat = nat["NatGatewayId"]
        self.assertEqual(self.state(nat), "pending")
        self.eventually(lambda: self.state(nat) == "available")
        release, detach = self.ec2.release_address, self.ec2.detach_internet_gateway
        self.assertRefused("DependencyViolation", self.ec2.delete_subnet, SubnetId=subnet)
        self.assertRefused("InvalidIPAddress.InUse", release, AllocationId=address)
        gateway = {"InternetGatewayId": internet, "VpcId": self.vpc}
        self.assertRefused("DependencyViolation", detach, **gateway)
        self.ec2.delete_nat_gateway(NatGatewayId=nat)
        self.assertEqual(self.state(nat), "deleting")
        self.assertRefused("InvalidIPAddress.InUse", release, AllocationId=address)
        self.eventually(lambda: self.state(nat) == "deleted")
        release(AllocationId=address)
        detach(**gateway)
        self.ec2.delete_subnet(SubnetId=subnet)

    def test_a_nat_gateway_without_a_way_out_fails(self):
        nat, _ = self.nat(self.subnet()["SubnetId"])
        self.assertEqual(self.state(nat["NatGatewayId"]), "failed")

    def test_an_interface_endpoint_takes_its_time(self):
        subnet = self.subnet()["SubnetId"]
        made = self.ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            VpcEndpointType="Interface",
            ServiceName="com.amazonaws.us-east-1.secretsmanager",
            SubnetIds=[subnet],
        )["VpcEndpoint"]
        self.assertEqual(made["State"].lower(), "pending")
        self.assertEqual(len(made["Groups"]), 1)
        ids = [made["VpcEndpointId"]]
        self.assertRefused("DependencyViolation", self.ec2.delete_subnet, SubnetId=subnet)
        unknown = self.ec2.delete_vpc_endpoints(VpcEndpointIds=["vpce-0123456789abcdef0"])
        code = unknown["Unsuccessful"][0]["Error"]["Code"]
        self.assertEqual(code, "InvalidVpcEndpoint.NotFound")
        self.assertEqual(self.ec2.delete_vpc_endpoints(VpcEndpointIds=ids)["Unsuccessful"], [])
        self.eventually(lambda: not self.ec2.describe_vpc_endpoints()["VpcEndpoints"])
        self.ec2.delete_subnet(SubnetId=subnet)

    def test_a_gateway_endpoint_is_a_route(self):
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        service = "com.amazonaws.us-east-1.s3"
        asked = {"VpcId": self.vpc, "ServiceName": service, "RouteTableIds": [table]}
        made = self.ec2.create_vpc_endpoint(**asked)["VpcEndpoint"]
        self.assertEqual(made["VpcEndpointType"], "Gateway")

        def routes():
            answer = self.ec2.describe_route_tables(RouteTableIds=[table])
            return [r.get("GatewayId", "") for r in answer["RouteTables"][0]["Routes"]]

        self.assertIn(made["VpcEndpointId"], routes())
        self.assertRefused("RouteAlreadyExists", self.ec2.create_vpc_endpoint, **asked)
        change = self.ec2.modify_vpc_endpoint
        change(VpcEndpointId=made["VpcEndpointId"], RemoveRouteTableIds=[table])
        self.assertNotIn(made["VpcEndpointId"], routes())

    def test_pages_have_their_sizes(self):
        self.assertRefused("InvalidParameterValue", self.ec2.describe_route_tables, MaxResults=1000)
        self.ec2.describe_route_tables(MaxResults=100)
