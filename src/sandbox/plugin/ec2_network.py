"""EC2 networks: nothing goes while something stands in it."""

import ipaddress

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses
from moto.ec2.responses.internet_gateways import InternetGateways
from moto.ec2.responses.nat_gateways import NatGateways
from moto.ec2.responses.route_tables import RouteTables
from moto.ec2.responses.subnets import Subnets
from moto.ec2.responses.vpcs import VPCs
from moto.rds.models import rds_backends

from .ec2_nat_gateways import nat_state
from .patching import page, replaces


def _depends(what):
    return DependencyViolationError(f"The {what} has dependencies and cannot be deleted.")


# --- VPCs ---------------------------------------------------------------------------


@replaces(VPCBackend)
def create_vpc(original, self, cidr_block, *args, **kwargs):
    """Bits below the prefix don't count."""
    try:
        cidr_block = str(ipaddress.IPv4Network(cidr_block, strict=False))
    except ValueError:
        pass
    return original(self, cidr_block, *args, **kwargs)


@replaces(VPCBackend)
def delete_vpc(original, self, vpc_id):
    """Refuse while anything is left that EC2 didn't put there itself."""
    self.get_vpc(vpc_id)
    attached = any(i.vpc and i.vpc.id == vpc_id for i in list(self.internet_gateways.values()))
    nat = any(
        gateway.vpc_id == vpc_id and nat_state(gateway) != "deleted"
        for gateway in list(self.nat_gateways.values())
    )
    endpoints = any(
        endpoint.vpc_id == vpc_id and endpoint.state != "deleted"
        for endpoint in list(self.vpc_end_points.values())
    )
    own = list(self.groups[vpc_id].values())
    groups = any(not group.is_default for group in own)
    subnets = self.describe_subnets(filters={"vpc-id": [vpc_id]})
    tables = self.describe_route_tables(filters={"vpc-id": [vpc_id]})
    if attached or nat or endpoints or groups or subnets or len(tables) > 1:
        raise _depends(f"vpc '{vpc_id}'")
    # What nobody may delete goes now.
    for table in tables:
        table.main_association_id = None
    for group in own:
        group.is_default = False
    return original(self, vpc_id)


@replaces(VPCBackend)
def modify_vpc_attribute(original, self, vpc_id, attr_name, attr_value):
    """Names need the name server; what is said in words is meant."""
    value = str(attr_value).lower() == "true"
    vpc = self.get_vpc(vpc_id)
    support = value if attr_name == "enable_dns_support" else vpc.enable_dns_support
    names = value if attr_name == "enable_dns_hostnames" else vpc.enable_dns_hostnames
    if names and not support:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Cannot enable DNS hostnames when DNS support is disabled for {vpc_id}",
        )
    return original(self, vpc_id, attr_name, value)


# --- subnets ------------------------------------------------------------------------


@replaces(SubnetBackend)
def create_subnet(original, self, vpc_id, cidr_block, *args, **kwargs):
    """Only a default VPC's subnets are default ones, and a range has a least size."""
    if cidr_block:
        try:
            network = ipaddress.IPv4Network(cidr_block, strict=False)
        except ValueError:
            network = None
        if network is not None:
            if not 16 <= network.prefixlen <= 28:
                raise EC2ClientError("InvalidSubnet.Range", f"The CIDR '{cidr_block}' is invalid.")
            cidr_block = str(network)
    subnet = original(self, vpc_id, cidr_block, *args, **kwargs)
    if not self.get_vpc(vpc_id).is_default:
        subnet.default_for_az = False
        subnet.map_public_ip_on_launch = False
    return subnet


@replaces(SubnetBackend)
def modify_subnet_attribute(original, self, subnet_id, attr_name, attr_value):
    """What is said in words is meant."""
    return original(self, subnet_id, attr_name, str(attr_value).lower() == "true")


@replaces(SubnetBackend)
def delete_subnet(original, self, subnet_id):
    """Refuse while a network interface is in it, or a database could be."""
    self.get_subnet(subnet_id)
    interfaces = any(
        interface.subnet and interface.subnet.id == subnet_id
        for interface in list(self.enis.values())
    )
    instances = rds_backends[self.account_id][self.region_name].databases.values()
    databases = any(
        subnet_id in [subnet.id for subnet in group.subnets]
        for group in (getattr(i, "db_subnet_group", None) for i in list(instances))
        if group
    )
    if interfaces or databases:
        raise _depends(f"subnet '{subnet_id}'")
    for table in list(self.route_tables.values()):
        for association, target in list(table._associations.items()):
            if target == subnet_id:
                del table._associations[association]
    return original(self, subnet_id)


# --- internet gateways --------------------------------------------------------------


@replaces(InternetGatewayBackend)
def attach_internet_gateway(original, self, internet_gateway_id, vpc_id):
    """A VPC has one."""
    self.get_vpc(vpc_id)
    others = list(self.internet_gateways.values())
    if any(other.vpc and other.vpc.id == vpc_id for other in others):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Network {vpc_id} already has an internet gateway attached",
        )
    return original(self, internet_gateway_id, vpc_id)


@replaces(InternetGatewayBackend)
def detach_internet_gateway(original, self, internet_gateway_id, vpc_id):
    """Refuse while the VPC has public addresses."""
    for address in list(self.addresses):
        interface = address.eni
        if interface and interface.subnet and interface.subnet.vpc_id == vpc_id:
            raise DependencyViolationError(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public "
                "address(es) before detaching the gateway."
            )
    return original(self, internet_gateway_id, vpc_id)


# --- route tables -------------------------------------------------------------------


@replaces(RouteBackend)
def associate_route_table(original, self, route_table_id, gateway_id=None, subnet_id=None):
    """A subnet follows one table."""
    self.get_route_table(route_table_id)
    for table in list(self.route_tables.values()):
        if subnet_id and subnet_id in table._associations.values():
            raise EC2ClientError(
                "Resource.AlreadyAssociated",
                f"the specified association for route table {route_table_id} conflicts with an "
                "existing association",
            )
    return original(self, route_table_id, gateway_id, subnet_id)


@replaces(RouteTables)
def create_route_table(original, self):
    """A request that comes twice makes one table."""
    token = self._get_param("ClientToken")
    known = self.ec2_backend.__dict__.setdefault("lagoa_route_table_tokens", {})
    table = self.ec2_backend.route_tables.get(known.get(token))
    if token and table:
        return ActionResult({"RouteTable": table})
    answer = original(self)
    known[token] = answer.result["RouteTable"].id
    return answer


@replaces(RouteBackend)
def delete_route_table(original, self, route_table_id):
    """A main table goes with its VPC only."""
    if self.get_route_table(route_table_id).main_association_id:
        raise _depends(f"routeTable '{route_table_id}'")
    return original(self, route_table_id)


# --- pages --------------------------------------------------------------------------


def _paged(cls, operation, key, most):
    original = getattr(cls, operation)

    def describe(self):
        answer = original(self)
        limit = self._get_param("MaxResults")
        if limit is not None and not 5 <= int(limit) <= most:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ( {limit} ) for parameter maxResults is invalid. Expecting a value "
                f"between 5 and {most}.",
            )
        shown, token = page(answer.result[key], self._get_param("NextToken"), limit, default=most)
        return ActionResult({key: shown, "NextToken": token})

    setattr(cls, operation, describe)


_paged(VPCs, "describe_vpcs", "Vpcs", 1000)
_paged(VPCs, "describe_vpc_endpoints", "VpcEndpoints", 1000)
_paged(Subnets, "describe_subnets", "Subnets", 1000)
_paged(InternetGateways, "describe_internet_gateways", "InternetGateways", 1000)
_paged(RouteTables, "describe_route_tables", "RouteTables", 100)
_paged(NatGateways, "describe_nat_gateways", "NatGateways", 1000)


@replaces(ElasticIPAddresses)
def describe_addresses(original, self):
    """It has no pages, and says so."""
    if self._get_param("MaxResults") is not None:
        raise EC2ClientError("UnknownParameter", "The parameter MaxResults is not recognized")
    return original(self)
